#include "service/api/shapes.h"

#include "protocol/limits.h"
#include "service/api/runtimes.h"

namespace ogni::service::shapes {
namespace {

namespace limits = protocol::limits;
constexpr auto kRequired = Member::Presence::kRequired;

constexpr Shape text_up_to(std::int64_t max, std::int64_t min = 0) {
  return {.kind = Kind::kString, .min = min, .max = max};
}

constexpr Shape kText{.kind = Kind::kString};
constexpr Shape kFlag{.kind = Kind::kBoolean};
constexpr Shape kBlob{.kind = Kind::kBlob};
constexpr Shape kDescription = text_up_to(limits::kDescriptionCharsMax);
constexpr Shape kRole{.pattern = R"(arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+)"};
constexpr Shape kHandler{.max = limits::kHandlerCharsMax, .pattern = R"([^\s]+)"};
constexpr Shape kTimeout{.kind = Kind::kInteger, .min = 1, .max = limits::kTimeoutSecondsMax};
constexpr Shape kMemorySize{.kind = Kind::kInteger, .min = limits::kMemoryMbMin, .max = limits::kMemoryMbMax};
constexpr Shape kArnOrNothing{.pattern = R"((arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|())"};

constexpr std::string_view kPackageTypes[] = {"Zip", "Image"};
constexpr Shape kPackageType{.values = kPackageTypes};
constexpr std::string_view kTracingModes[] = {"Active", "PassThrough"};
constexpr Shape kTracingMode{.values = kTracingModes};
constexpr Member kTracingMembers[] = {{"Mode", &kTracingMode}};
constexpr Shape kTracing{.kind = Kind::kStructure, .members = kTracingMembers};
constexpr std::string_view kArchitectureNames[] = {"x86_64", "arm64"};
constexpr Shape kOneArchitecture{.values = kArchitectureNames};
constexpr Shape kListedArchitecture{.values = kArchitectureNames, .nulls = Shape::Nulls::kNamed};
constexpr Shape kArchitectures{.kind = Kind::kList, .min = 1, .max = 1, .element = &kListedArchitecture};

constexpr Shape kVariableName{.pattern = "[a-zA-Z]([a-zA-Z0-9_])+"};
constexpr Shape kVariables{
    .kind = Kind::kMap, .element = &kText, .key = &kVariableName, .secrecy = Shape::Secrecy::kSensitive};
constexpr Member kEnvironmentMembers[] = {{"Variables", &kVariables}};
constexpr Shape kEnvironment{.kind = Kind::kStructure, .members = kEnvironmentMembers};

constexpr Shape kSubnet{.min = 0, .max = 1024, .pattern = "subnet-[0-9a-z]*"};
constexpr Shape kSubnets{.kind = Kind::kList, .min = 0, .max = 16, .element = &kSubnet};
constexpr Shape kSecurityGroup{.min = 0, .max = 1024, .pattern = "sg-[0-9a-zA-Z]*"};
constexpr Shape kSecurityGroups{.kind = Kind::kList, .min = 0, .max = 5, .element = &kSecurityGroup};
constexpr Member kVpcMembers[] = {
    {"SubnetIds", &kSubnets}, {"SecurityGroupIds", &kSecurityGroups}, {"Ipv6AllowedForDualStack", &kFlag}};
constexpr Shape kVpc{.kind = Kind::kStructure, .members = kVpcMembers};
constexpr Member kDeadLetterMembers[] = {{"TargetArn", &kArnOrNothing}};
constexpr Shape kDeadLetter{.kind = Kind::kStructure, .members = kDeadLetterMembers};

constexpr Shape kLayerArn{
    .min = 1,
    .max = 2048,
    .pattern =
        R"((arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+))",
    .nulls = Shape::Nulls::kNamed};
constexpr Shape kLayers{.kind = Kind::kList, .element = &kLayerArn};

constexpr Shape kFileSystemArn{
    .max = 256,
    .pattern =
        R"(arn:aws[a-zA-Z-]*:elasticfilesystem:[a-z]{2}((-gov)|(-iso(b?)))?-[a-z]+-\d{1}:\d{12}:access-point/fsap-[a-f0-9]{17})"};
constexpr Shape kMountPath{.max = 160, .pattern = R"(^/mnt/[a-zA-Z0-9-_.]+$)"};
constexpr Member kFileSystemMembers[] = {{"Arn", &kFileSystemArn, kRequired},
                                         {"LocalMountPath", &kMountPath, kRequired}};
constexpr Shape kFileSystem{.kind = Kind::kStructure, .members = kFileSystemMembers};
constexpr Shape kFileSystems{.kind = Kind::kList, .min = 0, .max = 1, .element = &kFileSystem};

constexpr Shape kWords{.kind = Kind::kList, .min = 0, .max = 1500, .element = &kText};
constexpr Shape kWorkingDirectory = text_up_to(1000);
constexpr Member kImageMembers[] = {
    {"EntryPoint", &kWords}, {"Command", &kWords}, {"WorkingDirectory", &kWorkingDirectory}};
constexpr Shape kImage{.kind = Kind::kStructure, .members = kImageMembers};

constexpr Shape kStorageSize{
    .kind = Kind::kInteger, .min = limits::kEphemeralStorageMbMin, .max = limits::kEphemeralStorageMbMax};
constexpr Member kStorageMembers[] = {{"Size", &kStorageSize, kRequired}};
constexpr Shape kStorage{.kind = Kind::kStructure, .members = kStorageMembers};
constexpr std::string_view kApplyOnValues[] = {"PublishedVersions", "None"};
constexpr Shape kApplyOn{.values = kApplyOnValues};
constexpr Member kSnapStartMembers[] = {{"ApplyOn", &kApplyOn}};
constexpr Shape kSnapStart{.kind = Kind::kStructure, .members = kSnapStartMembers};

constexpr std::string_view kLogFormats[] = {"JSON", "Text"};
constexpr Shape kLogFormat{.values = kLogFormats};
constexpr std::string_view kApplicationLevels[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
constexpr Shape kApplicationLevel{.values = kApplicationLevels};
constexpr std::string_view kSystemLevels[] = {"DEBUG", "INFO", "WARN"};
constexpr Shape kSystemLevel{.values = kSystemLevels};
constexpr Shape kLogGroup{.min = 1, .max = 512, .pattern = R"([\.\-_/#A-Za-z0-9]+)"};
constexpr Member kLoggingMembers[] = {{"LogFormat", &kLogFormat},
                                      {"ApplicationLogLevel", &kApplicationLevel},
                                      {"SystemLogLevel", &kSystemLevel},
                                      {"LogGroup", &kLogGroup}};
constexpr Shape kLogging{.kind = Kind::kStructure, .members = kLoggingMembers};

constexpr Shape kBucket{.min = 3, .max = 63, .pattern = R"(^[0-9A-Za-z\.\-_]*(?<!\.)$)"};
constexpr Shape kObjectKey = text_up_to(1024, 1);
constexpr Member kCodeMembers[] = {{"ZipFile", &kBlob},    {"S3Bucket", &kBucket},
                                   {"S3Key", &kObjectKey}, {"S3ObjectVersion", &kObjectKey},
                                   {"ImageUri", &kText},   {"SourceKMSKeyArn", &kArnOrNothing}};
constexpr Shape kCode{.kind = Kind::kStructure, .members = kCodeMembers};
constexpr Member kLayerContentMembers[] = {
    {"ZipFile", &kBlob}, {"S3Bucket", &kBucket}, {"S3Key", &kObjectKey}, {"S3ObjectVersion", &kObjectKey}};
constexpr Shape kLayerContent{.kind = Kind::kStructure, .members = kLayerContentMembers};
constexpr Shape kTagText{.kind = Kind::kString};
constexpr Shape kTags{.kind = Kind::kMap, .element = &kTagText, .key = &kTagText};

constexpr const char* kFunctionNamePattern =
    R"((arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?)";
constexpr Shape kName{.min = 1, .max = 140, .pattern = kFunctionNamePattern};
constexpr const char* kNamespacedNamePattern =
    R"((arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?)";

// What is not built: check_request() refuses a request that has one of these members.
constexpr std::string_view kPublishTargets[] = {"LATEST_PUBLISHED"};
constexpr Shape kPublishTo{.values = kPublishTargets};
constexpr Shape kNotBuilt{.kind = Kind::kStructure};

// Runtime is any text here: its messages are special, and runtimes.h has them.
constexpr Member kCreateFunctionMembers[] = {
    {"FunctionName", &kName, kRequired},
    {"Runtime", &kText},
    {"Role", &kRole, kRequired},
    {"Handler", &kHandler},
    {"Code", &kCode, kRequired},
    {"Description", &kDescription},
    {"Timeout", &kTimeout},
    {"MemorySize", &kMemorySize},
    {"Publish", &kFlag},
    {"VpcConfig", &kVpc},
    {"PackageType", &kPackageType},
    {"DeadLetterConfig", &kDeadLetter},
    {"Environment", &kEnvironment},
    {"KMSKeyArn", &kArnOrNothing},
    {"TracingConfig", &kTracing},
    {"Tags", &kTags},
    {"Layers", &kLayers},
    {"FileSystemConfigs", &kFileSystems},
    {"ImageConfig", &kImage},
    {"CodeSigningConfigArn", &kText},
    {"Architectures", &kArchitectures},
    {"EphemeralStorage", &kStorage},
    {"SnapStart", &kSnapStart},
    {"LoggingConfig", &kLogging},
    {"PublishTo", &kPublishTo},
    {"TenancyConfig", &kNotBuilt},
    {"CapacityProviderConfig", &kNotBuilt},
    {"DurableConfig", &kNotBuilt},
};

constexpr Member kUpdateConfigurationMembers[] = {
    {"Role", &kRole},
    {"Handler", &kHandler},
    {"Description", &kDescription},
    {"Timeout", &kTimeout},
    {"MemorySize", &kMemorySize},
    {"VpcConfig", &kVpc},
    {"Environment", &kEnvironment},
    {"Runtime", &kText},
    {"DeadLetterConfig", &kDeadLetter},
    {"KMSKeyArn", &kArnOrNothing},
    {"TracingConfig", &kTracing},
    {"RevisionId", &kText},
    {"Layers", &kLayers},
    {"FileSystemConfigs", &kFileSystems},
    {"ImageConfig", &kImage},
    {"EphemeralStorage", &kStorage},
    {"SnapStart", &kSnapStart},
    {"LoggingConfig", &kLogging},
    {"CapacityProviderConfig", &kNotBuilt},
    {"DurableConfig", &kNotBuilt},
};

constexpr Member kUpdateCodeMembers[] = {
    {"ZipFile", &kBlob},
    {"S3Bucket", &kBucket},
    {"S3Key", &kObjectKey},
    {"S3ObjectVersion", &kObjectKey},
    {"ImageUri", &kText},
    {"Publish", &kFlag},
    {"DryRun", &kFlag},
    {"RevisionId", &kText},
    {"Architectures", &kArchitectures},
    {"PublishTo", &kPublishTo},
    {"SourceKMSKeyArn", &kArnOrNothing},
};

constexpr Shape kRuntimeName{.values = kRuntimes, .named_values = kNamedRuntimes};
constexpr Shape kCompatibleRuntimes{
    .kind = Kind::kList, .min = 0, .max = limits::kCompatibleRuntimesMax, .element = &kRuntimeName};
constexpr Shape kCompatibleArchitectures{.kind = Kind::kList, .min = 0, .max = 2, .element = &kListedArchitecture};
constexpr Shape kLicense = text_up_to(limits::kLicenseInfoCharsMax);
constexpr Member kPublishLayerMembers[] = {
    {"Description", &kDescription},
    {"Content", &kLayerContent, kRequired},
    {"CompatibleRuntimes", &kCompatibleRuntimes},
    {"CompatibleArchitectures", &kCompatibleArchitectures},
    {"LicenseInfo", &kLicense},
};

constexpr std::string_view kAll[] = {"ALL"};
constexpr std::string_view kInvocationTypes[] = {"Event", "RequestResponse", "DryRun"};
constexpr std::string_view kLogTypes[] = {"None", "Tail"};

}  // namespace

constexpr Member kTagResourceMembers[] = {{"Tags", &kTags, Member::Presence::kRequired}};
const Shape kTagResource{.kind = Kind::kStructure, .members = kTagResourceMembers};
const Shape kCreateFunction{.kind = Kind::kStructure, .members = kCreateFunctionMembers};
const Shape kUpdateFunctionConfiguration{.kind = Kind::kStructure, .members = kUpdateConfigurationMembers};
const Shape kUpdateFunctionCode{.kind = Kind::kStructure, .members = kUpdateCodeMembers};
const Shape kPublishLayerVersion{.kind = Kind::kStructure, .members = kPublishLayerMembers};
const Shape kFunctionName = kName;
const Shape kNamespacedFunctionName{.min = 1, .max = 256, .pattern = kNamespacedNamePattern};
const Shape kQualifier{.min = 1, .max = 128, .pattern = R"(\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+)"};
const Shape kLayerName{
    .min = 1,
    .max = 140,
    .pattern = R"((arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:layer:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+)"};
const Shape kLayerVersionArn = kLayerArn;
const Shape kLayerRuntime{.values = kLayerRuntimes};
const Shape kArchitecture = kOneArchitecture;
const Shape kPageSize{.kind = Kind::kInteger, .min = 1, .max = 50};
const Shape kFunctionsPageSize{.kind = Kind::kInteger, .min = 1, .max = 10'000};
const Shape kFunctionVersion{.values = kAll};
const Shape kMasterRegion{.pattern = R"(ALL|[a-z]{2}(-gov)?-[a-z]+-\d{1})"};
const Shape kInvocationType{.values = kInvocationTypes};
const Shape kTaggableResource{
    .min = 1,
    .max = 256,
    .pattern =
        R"(arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+))"};
const Shape kLogType{.values = kLogTypes};

}  // namespace ogni::service::shapes
