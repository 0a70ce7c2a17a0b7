#include "bootstrap/server_choice.h"

#include <chrono>
#include <cstdlib>
#include <utility>
#include <vector>

#include "bootstrap/http_way.h"

namespace ogni::bootstrap {
namespace {

constexpr std::int64_t kReadyMsMax = 15 * 60 * 1000;

Choice none(std::string reason) { return {nullptr, std::move(reason)}; }

bool is_path(std::string_view text) {
  return text.starts_with('/') && text.find_first_of(" \t\r\n#") == std::string_view::npos;
}

std::string default_port() {
  const char* port = std::getenv("PORT");
  return port == nullptr || *port == '\0' ? "8080" : port;
}

}  // namespace

Choice choose_http(const Settings& settings) {
  HttpSettings http;
  if (const std::string line = settings.text("http.command"); !line.empty()) {
    std::string problem;
    if (!settings.find_command(line, http.command, problem)) return none("OGNI_HTTP_COMMAND: " + problem);
  }
  const std::string port = settings.text_or("http.port", default_port());
  const std::string address = settings.text_or("http.address", "127.0.0.1:" + port);
  const auto parsed = ServerAddress::parse(address);
  if (!parsed) return none("OGNI_HTTP_PORT or OGNI_HTTP_ADDRESS: " + address + " is no address");
  http.address = *parsed;
  http.directory = settings.task_root();
  http.ready_path = settings.text("http.ready_path");
  http.events_path = settings.text_or("http.events_path", "/events");
  if (!http.ready_path.empty() && !is_path(http.ready_path)) return none("OGNI_HTTP_READY_PATH is no path");
  if (!is_path(http.events_path)) return none("OGNI_HTTP_EVENTS_PATH is no path");
  http.streams = settings.is_on("http.stream");
  std::int64_t ready_ms = http.ready_max.count();
  if (!settings.number("http.ready_ms", kReadyMsMax, ready_ms)) return none("OGNI_HTTP_READY_MS is no number of ms");
  http.ready_max = std::chrono::milliseconds(ready_ms);

  std::vector<std::string> environment = settings.function_environment();
  std::erase_if(environment, [](const std::string& entry) { return entry.starts_with("PORT="); });
  environment.push_back("PORT=" + port);
  std::string reason = "http: " + (http.command.empty() ? "nothing is started" : http.command.front() + " is started") +
                       ", requests go to " + address;
  return {std::make_unique<HttpWay>(std::move(http), std::move(environment)), std::move(reason)};
}

}  // namespace ogni::bootstrap
