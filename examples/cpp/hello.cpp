// Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event. It links the
// library of runtime/ and is its own bootstrap.
#include <ogni/runtime.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

// VALUE of an event that is {"key":"VALUE"}, still escaped as in JSON.
std::optional<std::string> text_value(std::string_view event, std::string_view key) {
  const std::string start = "{\"" + std::string(key) + "\":\"";
  if (!event.starts_with(start) || !event.ends_with("\"}")) return std::nullopt;
  return std::string(event.substr(start.size(), event.size() - start.size() - 2));
}

class Hello {
 public:
  ogni::Response operator()(const ogni::Event& event, const ogni::Context& context) {
    if (const auto name = text_value(event.body, "name")) {
      return ogni::Response::success("{\"message\":\"Hello, " + *name + "!\"}");
    }
    if (const auto reason = text_value(event.body, "fail")) throw std::domain_error(*reason);
    if (event.body.starts_with("{\"context\":")) {
      return ogni::Response::success("{\"request_id\":\"" + std::string(context.request_id) + "\"}");
    }
    if (event.body.starts_with("{\"count\":")) {
      return ogni::Response::success("{\"count\":" + std::to_string(++calls_) + "}");
    }
    return ogni::Response::borrowed(event.body);
  }

 private:
  int calls_ = 0;
};

}  // namespace

int main() { return ogni::run(Hello()); }
