#include "bootstrap/server_choice.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>
#include <vector>

#include "bootstrap/fastcgi_exchange.h"
#include "bootstrap/http_exchange.h"
#include "bootstrap/php_fpm.h"
#include "bootstrap/server_way.h"
#include "bootstrap/text.h"

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

// Set by the service where the program is started inside an invocation.
std::chrono::milliseconds start_limit() {
  const char* const text = std::getenv("OGNI_START_LIMIT_MS");
  return std::chrono::milliseconds(text == nullptr ? 0 : std::clamp<long>(std::atol(text), 0, kReadyMsMax));
}

// As the variable is called.
std::string variable_name(std::string_view table, std::string_view key) {
  std::string name = "OGNI_" + std::string(table) + "_" + std::string(key);
  for (char& c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return name;
}

// What both ways have. `problem` stays empty where nothing is wrong.
ServerSettings common(const Settings& settings, const std::string& table, std::string& problem) {
  ServerSettings server;
  server.directory = settings.task_root();
  server.environment = settings.function_environment();
  server.streams = settings.is_on(table + ".stream");
  server.events_path = settings.text_or(table + ".events_path", "/events");
  if (!is_path(server.events_path)) problem = variable_name(table, "events_path") + " is no path";
  std::int64_t ready_ms = server.ready_max.count();
  if (!settings.number(table + ".ready_ms", kReadyMsMax, ready_ms)) {
    problem = variable_name(table, "ready_ms") + " is no number of milliseconds up to 900000";
  }
  server.ready_max = std::chrono::milliseconds(ready_ms);
  server.start_limit = start_limit();
  const std::string line = settings.text(table + ".command");
  if (std::string wrong; !line.empty() && !settings.find_command(line, server.command, wrong)) {
    problem = variable_name(table, "command") + ": " + wrong;
  }
  return server;
}

// Which folder is the application's root: what is set, else the script's own folder, as with common servers. False:
// `problem` says what is wrong.
bool set_script(const Settings& settings, FastcgiScript& script, std::string& problem) {
  const auto absolute = [&](const std::string& path) {
    std::string from_root = path.starts_with('/') ? path : settings.task_root() + "/" + path;
    while (from_root.ends_with("/.") || (from_root.size() > 1 && from_root.ends_with('/'))) from_root.pop_back();
    return from_root;
  };
  const std::string handler = settings.text_or("fastcgi.script", settings.handler());
  const std::string file = absolute(handler);
  const std::string root = settings.text("fastcgi.root");
  script.root = root.empty() ? file.substr(0, file.rfind('/')) : absolute(root);
  script.is_php = lower(handler).ends_with(".php");
  if (handler.empty()) {
    script = {.root = settings.task_root(), .name = "/"};
    return true;
  }
  if (!file.starts_with(script.root + "/")) {
    problem = "OGNI_FASTCGI_ROOT: " + file + " is not below " + script.root;
    return false;
  }
  script.name = file.substr(script.root.size());
  return true;
}

bool set_address(ServerSettings& server, const std::string& address) {
  const auto parsed = ServerAddress::parse(address);
  if (parsed) server.address = *parsed;
  return parsed.has_value();
}

std::string reason_of(const char* way, const ServerSettings& server) {
  return std::string(way) + ": " +
         (server.command.empty() ? "nothing is started" : server.command.front() + " is started") +
         ", requests go to " + server.address.text;
}

}  // namespace

Choice choose_http(const Settings& settings) {
  std::string problem;
  ServerSettings server = common(settings, "http", problem);
  if (!problem.empty()) return none(std::move(problem));
  const std::string port = settings.text_or("http.port", default_port());
  const std::string address = settings.text_or("http.address", "127.0.0.1:" + port);
  if (!set_address(server, address)) return none("OGNI_HTTP_PORT or OGNI_HTTP_ADDRESS: " + address + " is no address");
  server.ready_path = settings.text("http.ready_path");
  if (!server.ready_path.empty() && !is_path(server.ready_path)) return none("OGNI_HTTP_READY_PATH is no path");
  std::erase_if(server.environment, [](const std::string& entry) { return entry.starts_with("PORT="); });
  server.environment.push_back("PORT=" + port);
  std::string reason = reason_of("http", server);
  const auto make = [](const ServerAddress& to, const ServerProcess& process) {
    return std::make_unique<HttpExchange>(to, process);
  };
  return {std::make_unique<ServerWay>(std::move(server), make), std::move(reason)};
}

Choice choose_fastcgi(const Settings& settings) {
  std::string problem;
  ServerSettings server = common(settings, "fastcgi", problem);
  if (!problem.empty()) return none(std::move(problem));
  FastcgiScript script;
  if (!set_script(settings, script, problem)) return none("fastcgi: " + problem);
  const std::string path = script.root + script.name;
  std::string address = settings.text("fastcgi.address");
  if (server.command.empty() && address.empty()) {
    if (script.name == "/" || ::access(path.c_str(), R_OK) != 0) return none("fastcgi: there is no file " + path);
    PhpFpm fpm;
    if (!prepare_php_fpm(settings, fpm, problem)) return none("fastcgi: " + problem);
    server.command = std::move(fpm.command);
    address = fpm.address;
  } else if (address.empty()) {
    server.passes_listener = true;
    const char* temporary = std::getenv("TMPDIR");
    address = "unix:" + std::string(temporary == nullptr ? "/tmp" : temporary) + "/ogni-fastcgi-" +
              std::to_string(::getpid()) + ".socket";
  }
  if (!set_address(server, address)) return none("OGNI_FASTCGI_ADDRESS: " + address + " is no address");
  if (script.is_php && !settings.is_off("fastcgi.static")) {
    server.files.emplace(script.root, settings.task_root(), script.root == settings.task_root());
  }
  std::string reason = reason_of("fastcgi", server) + ", for " + path;
  const auto make = [&](const ServerAddress& to, const ServerProcess& process) {
    return std::make_unique<FastcgiExchange>(to, process, script);
  };
  return {std::make_unique<ServerWay>(std::move(server), make), std::move(reason)};
}

}  // namespace ogni::bootstrap
