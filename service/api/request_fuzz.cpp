// Bodies of control requests, as the operations take them from text to settings; payloads; names; headers.
//
// A document is either the input itself, or made from it: members by the names that any shape has, values of any kind.
// A mutator of bytes alone hardly ever finds the name of a member.
#include <boost/json/serialize.hpp>
#include <cstdlib>

#include "base/temporary_directory.h"
#include "catalogue/root_store.h"
#include "service/api/function_settings.h"
#include "service/api/names.h"
#include "service/api/payload.h"
#include "service/api/shapes.h"
#include "service/api/trace.h"
#include "service/roots.h"

namespace {

using namespace ogni::service;
namespace json = boost::json;

constexpr const Shape* kRequests[] = {&shapes::kCreateFunction, &shapes::kUpdateFunctionConfiguration,
                                      &shapes::kUpdateFunctionCode, &shapes::kPublishLayerVersion,
                                      &shapes::kTagResource};

void collect_names(const Shape& shape, std::vector<std::string_view>& names) {
  for (const Member& member : shape.members) {
    names.push_back(member.name);
    collect_names(*member.shape, names);
  }
  if (shape.element != nullptr) collect_names(*shape.element, names);
}

const std::vector<std::string_view>& all_names() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> found{kRootTag, "DryRun", ""};
    for (const Shape* shape : kRequests) collect_names(*shape, found);
    return found;
  }();
  return names;
}

class Generator {
 public:
  explicit Generator(std::string_view bytes) : bytes_(bytes) {}

  json::object object(int depth) {
    json::object made;
    for (unsigned left = next() % 6; left > 0 && !bytes_.empty(); --left) {
      const std::string_view name = all_names()[next() % all_names().size()];
      made[to_json_view(name)] = value(depth + 1);
    }
    return made;
  }

 private:
  unsigned next() {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<unsigned char>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }

  json::value value(int depth) {
    constexpr std::string_view kTexts[] = {
        "",     "x",      "provided.al2023",       "JSON",
        "Text", "x86_64", "arn:aws:iam::0:role/r", "arn:aws:lambda:us-east-1:000000000000:layer:l:1"};
    switch (next() % (depth > 4 ? 6 : 8)) {
      case 0:
        return nullptr;
      case 1:
        return next() % 2 == 0;
      case 2:
        return static_cast<std::int64_t>(next()) * 64 - 64;
      case 3:
        return next() % 2 == 0 ? json::value(1e300) : json::value(std::uint64_t{1} << 63U);
      case 4:
        return to_json_view(kTexts[next() % std::size(kTexts)]);
      case 5: {
        const std::string_view text = bytes_.substr(0, next() % 16);
        return to_json_view(text);
      }
      case 6: {
        json::array made;
        for (unsigned left = next() % 3; left > 0; --left) made.push_back(value(depth + 1));
        return made;
      }
      default:
        return object(depth);
    }
  }

  std::string_view bytes_;
};

struct Service {
  ogni::TemporaryDirectory directory;
  ogni::catalogue::RootStore store = ogni::catalogue::RootStore::open(directory.descriptor()).value();
  Roots roots{store, {}};
  std::unique_ptr<ogni::catalogue::Catalogue> catalogue =
      ogni::catalogue::Catalogue::open(directory.descriptor()).value();
  ApiSettings settings{.allow_nearest_python = true, .roots = &roots};
};

// What the operations do with a body, in their order.
void serve(std::string_view body, Service& service) {
  for (const Shape* shape : kRequests) {
    const auto request = parse_request(body, *shape);
    if (!request) continue;
    std::map<std::string, std::string> tags;
    merge_tags(*request, tags);
    if (shape == &shapes::kTagResource || shape == &shapes::kPublishLayerVersion) continue;
    if (!check_request(*request, service.settings, tags)) continue;
    (void)architecture_of(*request);
    if (shape == &shapes::kUpdateFunctionCode) continue;
    (void)find_layers(*request, service.settings.home, *service.catalogue);
    // Whatever passes can be applied, and again on top of itself.
    ogni::catalogue::FunctionSettings settings;
    apply_settings(*request, settings);
    const std::string once = settings.inert_json;
    apply_settings(*request, settings);
    if (settings.inert_json != once) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Service service;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)check_payload(text);
  (void)resolve_function({}, text, std::string(text));
  (void)resolve_layer({}, text);
  if (continue_trace(text).find_first_of("\r\n") != std::string::npos &&
      text.find_first_of("\r\n") == std::string::npos) {
    std::abort();
  }
  serve(text, service);
  serve(json::serialize(Generator(text).object(0)), service);
  return 0;
}
