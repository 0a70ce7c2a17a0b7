#include "catalogue/catalogue.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <set>

#include "base/temporary_directory.h"
#include "catalogue/sqlite.h"

namespace ogni::catalogue {
namespace {

CodeReference code(char digit, std::uint64_t zip_bytes = 100) {
  return {.sha256_hex = std::string(64, digit), .zip_bytes = zip_bytes, .unzipped_bytes = 3 * zip_bytes};
}

FunctionSettings settings() {
  FunctionSettings made;
  made.runtime = "provided.al2023";
  made.role = "arn:aws:iam::000000000000:role/r";
  made.handler = "hello.handler";
  return made;
}

class CatalogueTest : public ::testing::Test {
 protected:
  void SetUp() override { open(); }

  void open() {
    catalogue_.reset();
    auto opened = Catalogue::open(directory_.descriptor());
    ASSERT_TRUE(opened) << opened.error().message();
    catalogue_ = std::move(*opened);
  }

  Function active(const std::string& name, const FunctionSettings& with = settings()) {
    auto created = catalogue_->create_function(name, with, code('a'), {});
    EXPECT_TRUE(created) << created.error().message();
    return catalogue_->complete_function(created->instance).value();
  }

  long long publish(const std::string& layer, const CodeReference& of = code('b'),
                    std::vector<std::string> runtimes = {}, std::vector<std::string> architectures = {}) {
    LayerVersion draft;
    draft.layer_name = layer;
    draft.compatible_runtimes = std::move(runtimes);
    draft.compatible_architectures = std::move(architectures);
    draft.code = of;
    return catalogue_->publish_layer_version(draft).value().version;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Catalogue> catalogue_;
};

void expect_same(const Function& a, const Function& b) {
  EXPECT_EQ(a.instance, b.instance);
  EXPECT_EQ(a.generation, b.generation);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.revision_id, b.revision_id);
  EXPECT_EQ(a.last_modified, b.last_modified);
  EXPECT_EQ(a.state, b.state);
  EXPECT_EQ(a.update_status, b.update_status);
  EXPECT_EQ(a.tags, b.tags);
  EXPECT_EQ(a.code.sha256_hex, b.code.sha256_hex);
  EXPECT_EQ(a.code.zip_bytes, b.code.zip_bytes);
  EXPECT_EQ(a.code.unzipped_bytes, b.code.unzipped_bytes);
  EXPECT_EQ(a.settings.runtime, b.settings.runtime);
  EXPECT_EQ(a.settings.role, b.settings.role);
  EXPECT_EQ(a.settings.handler, b.settings.handler);
  EXPECT_EQ(a.settings.description, b.settings.description);
  EXPECT_EQ(a.settings.timeout_seconds, b.settings.timeout_seconds);
  EXPECT_EQ(a.settings.memory_mb, b.settings.memory_mb);
  EXPECT_EQ(a.settings.ephemeral_storage_mb, b.settings.ephemeral_storage_mb);
  EXPECT_EQ(a.settings.architecture, b.settings.architecture);
  EXPECT_EQ(a.settings.package_type, b.settings.package_type);
  EXPECT_EQ(a.settings.tracing_mode, b.settings.tracing_mode);
  EXPECT_EQ(a.settings.environment, b.settings.environment);
  EXPECT_EQ(a.settings.inert_json, b.settings.inert_json);
  ASSERT_EQ(a.settings.layers.size(), b.settings.layers.size());
  for (std::size_t i = 0; i < a.settings.layers.size(); ++i) {
    EXPECT_EQ(a.settings.layers[i].arn, b.settings.layers[i].arn);
    EXPECT_EQ(a.settings.layers[i].code.sha256_hex, b.settings.layers[i].code.sha256_hex);
    EXPECT_EQ(a.settings.layers[i].code.zip_bytes, b.settings.layers[i].code.zip_bytes);
    EXPECT_EQ(a.settings.layers[i].code.unzipped_bytes, b.settings.layers[i].code.unzipped_bytes);
  }
}

FunctionSettings unusual_settings() {
  FunctionSettings made = settings();
  made.description = "quote ' \" \\ \n tab\t emoji \xF0\x9F\x90\x8C";
  made.timeout_seconds = 899;
  made.memory_mb = 10240;
  made.ephemeral_storage_mb = 777;
  made.architecture = "arm64";
  made.tracing_mode = "Active";
  made.environment = {{"A", ""}, {"\xC3\xA9", std::string("nul\0inside", 10)}, {"Q", "\"'\\\n\x01"}};
  made.layers = {{.arn = "arn:2", .code = code('2', 22)}, {.arn = "arn:1", .code = code('1', 11)}};
  made.inert_json = R"({"VpcConfig":{"SubnetIds":["x"]}})";
  return made;
}

TEST_F(CatalogueTest, KeepsEverythingOfAFunctionAcrossReopening) {
  const std::map<std::string, std::string> tags{{"team \xE2\x82\xAC", "va\"lue"}, {"empty", ""}};
  auto created = catalogue_->create_function("f", unusual_settings(), code('c', 1ULL << 40), tags);
  ASSERT_TRUE(created) << created.error().message();
  EXPECT_EQ(created->tags, tags);
  EXPECT_EQ(created->settings.environment, unusual_settings().environment);
  EXPECT_EQ(created->settings.layers[0].arn, "arn:2");
  const Function completed = catalogue_->complete_function(created->instance).value();

  open();

  expect_same(catalogue_->function("f").value(), completed);
}

TEST_F(CatalogueTest, TellsAnEmptyEnvironmentFromNone) {
  FunctionSettings with = settings();
  with.environment.emplace();
  active("empty", with);
  active("none");

  EXPECT_TRUE(catalogue_->function("empty")->settings.environment.has_value());
  EXPECT_FALSE(catalogue_->function("none")->settings.environment.has_value());
}

TEST_F(CatalogueTest, CreatesPendingAndCompletesWithANewRevision) {
  const Function created = catalogue_->create_function("f", settings(), code('a'), {}).value();
  EXPECT_EQ(created.state, State::kPending);
  EXPECT_EQ(created.update_status, UpdateStatus::kNone);
  EXPECT_EQ(created.generation, 1U);
  EXPECT_EQ(created.version, "$LATEST");
  EXPECT_EQ(created.revision_id.size(), 36U);

  const Function completed = catalogue_->complete_function(created.instance).value();

  EXPECT_EQ(completed.state, State::kActive);
  EXPECT_EQ(completed.update_status, UpdateStatus::kSuccessful);
  EXPECT_NE(completed.revision_id, created.revision_id);
  EXPECT_EQ(completed.generation, 1U);
  expect_same(catalogue_->complete_function(created.instance).value(), completed);
}

TEST_F(CatalogueTest, RefusesATakenName) {
  active("f");
  auto again = catalogue_->create_function("f", settings(), code('b'), {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::kConflict);
  EXPECT_EQ(catalogue_->function("f")->code.sha256_hex, code('a').sha256_hex);
}

TEST_F(CatalogueTest, RefusesTextThatIsNotUtf8) {
  FunctionSettings with = settings();
  with.environment.emplace()["A"] = "\xFF";
  auto bad_environment = catalogue_->create_function("f", with, code('a'), {});
  ASSERT_FALSE(bad_environment);
  EXPECT_EQ(bad_environment.error().code(), ErrorCode::kInvalidArgument);
  auto bad_tag = catalogue_->create_function("f", settings(), code('a'), {{"\xC0\x80", ""}});
  ASSERT_FALSE(bad_tag);
  EXPECT_EQ(bad_tag.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(catalogue_->function("f").error().code(), ErrorCode::kNotFound);
}

TEST_F(CatalogueTest, UpdatesCodeWithNewGenerationAndRevision) {
  const Function before = active("f");

  const Function changed = catalogue_->update_code("f", code('d', 7), std::nullopt, before.revision_id).value();
  EXPECT_EQ(changed.code.sha256_hex, code('d').sha256_hex);
  EXPECT_EQ(changed.settings.architecture, "x86_64");
  EXPECT_EQ(changed.generation, before.generation + 1);
  EXPECT_EQ(changed.instance, before.instance);
  EXPECT_EQ(changed.state, State::kActive);
  EXPECT_EQ(changed.update_status, UpdateStatus::kInProgress);
  EXPECT_NE(changed.revision_id, before.revision_id);
  EXPECT_GE(changed.last_modified, before.last_modified);

  const Function completed = catalogue_->complete_function(before.instance).value();
  EXPECT_EQ(completed.update_status, UpdateStatus::kSuccessful);
  EXPECT_NE(completed.revision_id, changed.revision_id);
  EXPECT_EQ(catalogue_->update_code("f", code('e'), "arm64", "").value().settings.architecture, "arm64");
}

TEST_F(CatalogueTest, UpdatesAllSettingsAndLayers) {
  const Function before = active("f");
  FunctionSettings wanted = unusual_settings();

  Function changed = catalogue_->update_settings("f", wanted, before.revision_id).value();

  Function expected = changed;
  expected.settings = wanted;
  expect_same(changed, expected);
  EXPECT_EQ(changed.generation, 2U);
  EXPECT_EQ(changed.code.sha256_hex, before.code.sha256_hex);
  ASSERT_TRUE(catalogue_->complete_function(before.instance));
  wanted.layers.clear();
  wanted.environment.reset();
  changed = catalogue_->update_settings("f", wanted, "").value();
  EXPECT_TRUE(changed.settings.layers.empty());
  EXPECT_FALSE(changed.settings.environment.has_value());
}

TEST_F(CatalogueTest, ChecksExistenceThenRevisionThenWhetherAChangeIsUnderWay) {
  EXPECT_EQ(catalogue_->update_code("f", code('b'), {}, "x").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(catalogue_->update_settings("f", settings(), "").error().code(), ErrorCode::kNotFound);

  const Function pending = catalogue_->create_function("f", settings(), code('a'), {}).value();
  EXPECT_EQ(catalogue_->update_code("f", code('b'), {}, "stale").error().code(), ErrorCode::kPrecondition);
  EXPECT_EQ(catalogue_->update_code("f", code('b'), {}, "").error().code(), ErrorCode::kConflict);
  EXPECT_EQ(catalogue_->update_code("f", code('b'), {}, pending.revision_id).error().code(), ErrorCode::kConflict);

  ASSERT_TRUE(catalogue_->complete_function(pending.instance));
  EXPECT_EQ(catalogue_->update_settings("f", settings(), pending.revision_id).error().code(), ErrorCode::kPrecondition);
  ASSERT_TRUE(catalogue_->update_code("f", code('b'), {}, ""));
  EXPECT_EQ(catalogue_->update_settings("f", settings(), "").error().code(), ErrorCode::kConflict);
  EXPECT_EQ(catalogue_->function("f")->generation, 2U);
}

TEST_F(CatalogueTest, NeverReusesAnInstance) {
  std::set<std::uint64_t> instances;
  for (int i = 0; i < 5; ++i) {
    const Function created = catalogue_->create_function("f", settings(), code('a'), {}).value();
    EXPECT_TRUE(instances.insert(created.instance).second);
    const Function deleted = catalogue_->delete_function("f").value();
    EXPECT_EQ(deleted.instance, created.instance);
    EXPECT_EQ(catalogue_->complete_function(created.instance).error().code(), ErrorCode::kNotFound);
    open();
  }
  EXPECT_EQ(catalogue_->delete_function("f").error().code(), ErrorCode::kNotFound);
}

TEST_F(CatalogueTest, CompletesAtOpenWhatWasInterrupted) {
  const Function pending = catalogue_->create_function("pending", settings(), code('a'), {}).value();
  active("updating");
  const Function updating = catalogue_->update_code("updating", code('b'), {}, "").value();
  const Function done = active("done");

  open();

  const Function completed = catalogue_->function("pending").value();
  EXPECT_EQ(completed.state, State::kActive);
  EXPECT_EQ(completed.update_status, UpdateStatus::kSuccessful);
  EXPECT_NE(completed.revision_id, pending.revision_id);
  EXPECT_EQ(catalogue_->function("updating")->update_status, UpdateStatus::kSuccessful);
  EXPECT_NE(catalogue_->function("updating")->revision_id, updating.revision_id);
  EXPECT_EQ(catalogue_->function("done")->revision_id, done.revision_id);
}

TEST_F(CatalogueTest, PagesThroughFunctionsByName) {
  for (const char* name : {"delta", "alpha", "Zulu", "bravo", "charlie"}) active(name);
  std::vector<std::string> names;
  std::string marker;
  do {
    auto page = catalogue_->functions(marker, 2);
    ASSERT_TRUE(page) << page.error().message();
    EXPECT_LE(page->items.size(), 2U);
    for (const auto& item : page->items) names.push_back(item.name);
    marker = page->next_marker;
  } while (!marker.empty());
  EXPECT_EQ(names, (std::vector<std::string>{"Zulu", "alpha", "bravo", "charlie", "delta"}));
  EXPECT_TRUE(catalogue_->functions("", 5)->next_marker.empty());
}

TEST_F(CatalogueTest, RefusesForeignMarkers) {
  for (const char* name : {"a", "b"}) active(name);
  publish("l");
  publish("l");
  publish("m");
  const std::string functions = catalogue_->functions("", 1)->next_marker;
  const std::string layers = catalogue_->layers({}, "", 1)->next_marker;
  const std::string versions = catalogue_->layer_versions("l", {}, "", 1)->next_marker;
  ASSERT_FALSE(functions.empty() || layers.empty() || versions.empty());
  const auto refused = [](const auto& page) { return !page && page.error().code() == ErrorCode::kInvalidArgument; };
  for (const std::string& bad : {std::string("x"), std::string("00"), std::string(100'000, 'a'), std::string("%00"),
                                 functions + "0", functions.substr(1), layers, versions}) {
    EXPECT_TRUE(refused(catalogue_->functions(bad, 1))) << bad.substr(0, 40);
  }
  EXPECT_TRUE(refused(catalogue_->layers({}, functions, 1)));
  EXPECT_TRUE(refused(catalogue_->layer_versions("l", {}, layers, 1)));
  EXPECT_TRUE(refused(catalogue_->layer_versions("m", {}, versions, 1)));
  EXPECT_TRUE(refused(catalogue_->functions("", 0)));
}

TEST_F(CatalogueTest, NumbersLayerVersionsUpwardsForEver) {
  EXPECT_EQ(publish("l"), 1);
  EXPECT_EQ(publish("l"), 2);
  EXPECT_EQ(publish("other"), 1);
  for (const long long version : {1, 2, 77}) EXPECT_TRUE(catalogue_->delete_layer_version("l", version));
  EXPECT_TRUE(catalogue_->delete_layer_version("nothing", 1));
  EXPECT_TRUE(catalogue_->layer_versions("l", {}, "", 10)->items.empty());
  open();
  EXPECT_EQ(publish("l"), 3);
}

TEST_F(CatalogueTest, KeepsEverythingOfALayerVersion) {
  LayerVersion draft;
  draft.layer_name = "l";
  draft.description = "d";
  draft.license_info = "MIT";
  draft.compatible_runtimes = {"python3.11", "provided"};
  draft.compatible_architectures = {"arm64", "x86_64"};
  draft.code = code('9', 99);
  const LayerVersion published = catalogue_->publish_layer_version(draft).value();
  open();

  const LayerVersion read = catalogue_->layer_version("l", 1).value();

  EXPECT_EQ(read.layer_name, "l");
  EXPECT_EQ(read.version, 1);
  EXPECT_EQ(read.description, "d");
  EXPECT_EQ(read.license_info, "MIT");
  EXPECT_EQ(read.compatible_runtimes, draft.compatible_runtimes);
  EXPECT_EQ(read.compatible_architectures, draft.compatible_architectures);
  EXPECT_EQ(read.created, published.created);
  EXPECT_EQ(read.code.sha256_hex, draft.code.sha256_hex);
  EXPECT_EQ(read.code.zip_bytes, 99U);
  EXPECT_EQ(catalogue_->layer_version("l", 2).error().code(), ErrorCode::kNotFound);
}

TEST_F(CatalogueTest, ListsLayersByFilterNewestFirst) {
  publish("py", code('1'), {"python3.11"}, {"x86_64"});
  publish("py", code('2'), {"python3.11", "python3.12"}, {"arm64"});
  publish("py", code('3'));
  publish("sh", code('4'), {"provided"}, {"x86_64"});

  const auto newest = [&](const Catalogue::LayerFilter& filter) {
    std::vector<std::pair<std::string, long long>> found;
    std::string marker;
    do {
      auto page = catalogue_->layers(filter, marker, 1).value();
      for (const auto& item : page.items) found.emplace_back(item.layer_name, item.version);
      marker = page.next_marker;
    } while (!marker.empty());
    return found;
  };
  using List = std::vector<std::pair<std::string, long long>>;
  EXPECT_EQ(newest({}), (List{{"py", 3}, {"sh", 1}}));
  EXPECT_EQ(newest({.runtime = "python3.11"}), (List{{"py", 2}}));
  EXPECT_EQ(newest({.architecture = "x86_64"}), (List{{"py", 1}, {"sh", 1}}));
  EXPECT_EQ(newest({.runtime = "python3.12", .architecture = "x86_64"}), (List{}));

  auto first = catalogue_->layer_versions("py", {}, "", 2).value();
  ASSERT_EQ(first.items.size(), 2U);
  EXPECT_EQ(first.items[0].version, 3);
  EXPECT_EQ(first.items[1].version, 2);
  auto second = catalogue_->layer_versions("py", {}, first.next_marker, 2).value();
  ASSERT_EQ(second.items.size(), 1U);
  EXPECT_EQ(second.items[0].version, 1);
  EXPECT_TRUE(second.next_marker.empty());
}

TEST_F(CatalogueTest, CountsUsageAndKnowsTheCodeInUse) {
  FunctionSettings with = settings();
  with.layers = {{.arn = "arn:aws:lambda:us-east-1:000000000000:layer:l:1", .code = code('b')}};
  active("f", with);
  active("g");
  publish("l", code('b', 50));
  publish("l", code('d', 25));
  EXPECT_EQ(catalogue_->usage()->functions, 2U);
  EXPECT_EQ(catalogue_->usage()->code_bytes, 100U + 100U + 50U + 25U);

  ASSERT_TRUE(catalogue_->delete_layer_version("l", 1));
  ASSERT_TRUE(catalogue_->delete_layer_version("l", 2));

  auto in_use = catalogue_->code_in_use().value();
  EXPECT_EQ(std::set<std::string>(in_use.begin(), in_use.end()),
            (std::set<std::string>{code('a').sha256_hex, code('b').sha256_hex}));
  EXPECT_EQ(catalogue_->function("f")->settings.layers[0].code.sha256_hex, code('b').sha256_hex);
  ASSERT_TRUE(catalogue_->delete_function("f"));
  ASSERT_TRUE(catalogue_->delete_function("g"));
  EXPECT_TRUE(catalogue_->code_in_use()->empty());
}

TEST_F(CatalogueTest, BelongsToOneOpenerAtATime) {
  auto second = Catalogue::open(directory_.descriptor());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kConflict);
  EXPECT_NE(second.error().message().find(directory_.path().string()), std::string::npos);
  EXPECT_NE(second.error().message().find("in use"), std::string::npos);
  catalogue_.reset();
  EXPECT_TRUE(Catalogue::open(directory_.descriptor()));
}

TEST_F(CatalogueTest, KeepsItsFilesPrivate) {
  active("f");
  for (const char* name : {"catalogue.db", "catalogue.db-wal", "catalogue.db-shm", "lock"}) {
    struct stat status{};
    ASSERT_EQ(::stat((directory_.path() / name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 0777, 0600U) << name;
  }
}

TEST_F(CatalogueTest, RefusesADatabaseOfANewerProgram) {
  catalogue_.reset();
  {
    auto directory = directory_.open();
    auto database = sqlite::Database::open(directory.get(), "catalogue.db").value();
    ASSERT_TRUE(database.execute("PRAGMA user_version = 9999"));
  }
  auto opened = Catalogue::open(directory_.descriptor());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(opened.error().message().find("newer"), std::string::npos);
}

TEST_F(CatalogueTest, SaysThatADatabaseIsDamaged) {
  for (int i = 0; i < 50; ++i) active("f" + std::to_string(i));
  catalogue_.reset();
  const auto path = directory_.path() / "catalogue.db";
  const auto size = std::filesystem::file_size(path);
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(size - 4096, '\xA5');
  }
  auto opened = Catalogue::open(directory_.descriptor());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::kInternal);
  EXPECT_NE(opened.error().message().find("damaged"), std::string::npos);

  std::ofstream(path, std::ios::trunc) << std::string(9000, 'x');
  opened = Catalogue::open(directory_.descriptor());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::kInternal);
  EXPECT_NE(opened.error().message().find("damaged"), std::string::npos);
}

TEST(CodeReference, PrintsItsDigestAsTheApiDoes) {
  const CodeReference reference{.sha256_hex = to_hex(sha256("abc"))};
  EXPECT_EQ(reference.sha256_base64(), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
}

}  // namespace
}  // namespace ogni::catalogue
