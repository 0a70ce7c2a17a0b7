// ogni doctor: what this host offers to the service and to functions, and what would help where it does not.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <set>

#include "base/fd.h"
#include "base/system.h"
#include "base/text.h"
#include "cli/output.h"
#include "cli/roots.h"
#include "cli/service_client.h"
#include "sandbox/host.h"
#include "service/data_directory.h"
#include "service/identity.h"
#include "service/programs.h"

namespace ogni::cli {
namespace {

namespace fs = std::filesystem;

struct DoctorOptions {
  CommonOptions common;
  std::string data;
};

enum class Need { kMust, kMay };  // without what must be there, the service cannot run

struct Check {
  std::string name;
  bool is_good = false;
  std::string words;
  Need need = Need::kMay;
};

Check check_program(const std::string& name, const std::string& purpose, const std::string& package) {
  std::error_code ignored;
  for (const char* folder : {"/usr/bin", "/bin", "/usr/local/bin"}) {
    const std::string path = std::string(folder) + "/" + name;
    if (::access(path.c_str(), X_OK) == 0 && fs::is_regular_file(path, ignored)) {
      return {.name = name, .is_good = true, .words = path};
    }
  }
  return {.name = name, .words = "not there: needed " + purpose + " (apt install " + package + ")"};
}

// Functions run interpreters of /usr/bin only: what lies elsewhere is invisible in an environment.
Check check_python() {
  std::set<int> minors;
  std::error_code error;
  for (fs::directory_iterator at("/usr/bin", error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    int minor = 0;
    char beyond = 0;
    if (std::sscanf(name.c_str(), "python3.%3d%c", &minor, &beyond) == 1 && ::access(at->path().c_str(), X_OK) == 0) {
      minors.insert(minor);
    }
  }
  std::string words;
  for (const int minor : minors) words += (words.empty() ? "python3." : ", python3.") + std::to_string(minor);
  if (!words.empty()) return {.name = "Python", .is_good = true, .words = words + " as runtimes"};
  return {.name = "Python", .words = "no python3.N in /usr/bin: needed for Python functions (apt install python3)"};
}

Check check_data(const std::string& wanted) {
  Check check{.name = "data directory", .need = Need::kMust};
  std::string path = wanted;
  if (path.empty()) {
    auto usual = service::default_data_directory(::geteuid() == 0);
    if (!usual) {
      check.words = usual.error().message();
      return check;
    }
    path = *usual;
  }
  // The nearest folder that exists decides: the rest is made at the first start.
  fs::path there = fs::absolute(path);
  std::error_code ignored;
  while (!fs::exists(there, ignored) && there.has_relative_path()) there = there.parent_path();
  check.is_good = fs::is_directory(there, ignored) && ::access(there.c_str(), W_OK | X_OK) == 0;
  check.words =
      printable(path) + (check.is_good ? "" : " cannot be written: choose another with ogni serve --data DIR");
  return check;
}

Check check_port(const DoctorOptions& options) {
  Check check{.name = "port", .need = Need::kMust};
  auto endpoint = find_endpoint(options.common);
  if (!endpoint) {
    check.words = endpoint.error().message;
    return check;
  }
  HttpClient client(*endpoint, {.connect = std::chrono::seconds(2), .exchange = std::chrono::seconds(2)});
  auto health = client.send({.method = "GET", .target = "/healthz", .headers = {}, .body = {}});
  if (health && health->status == 200) {
    return {.name = "port", .is_good = true, .words = "the service answers at " + endpoint->url()};
  }
  if (health || health.error().code() != ErrorCode::kUnavailable) {
    check.words = "something else answers at " + endpoint->url() + ": choose another with ogni serve --listen";
    return check;
  }
  ::sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint->port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  check.is_good = ::bind(socket.get(), reinterpret_cast<const ::sockaddr*>(&address), sizeof address) == 0;
  check.words = check.is_good ? fmt::format("{} is free", endpoint->port)
                              : fmt::format("{} cannot be used: {}", endpoint->port, std::strerror(errno));
  return check;
}

Check check_aws() {
  Check check = check_program("aws", "only to use the AWS CLI", "awscli");
  if (check.is_good) check.words += ", to be used with --endpoint-url";
  check.name = "AWS CLI";
  return check;
}

// Errors as none: a directory that cannot be looked at is told of elsewhere.
bool data_had_walls(const std::string& wanted) {
  auto path = wanted.empty() ? service::default_data_directory(::geteuid() == 0) : Result<std::string>(wanted);
  if (!path) return false;
  const auto data = open_file(*path, O_PATH | O_DIRECTORY);
  return data && service::had_walls(data->get()).value_or(false);
}

void add_isolation(const std::string& data, std::vector<Check>& checks, json::object& report) {
  auto launcher = service::open_program("ogni-launcher");
  if (!launcher) {
    checks.push_back({.name = "launcher", .words = launcher.error().message(), .need = Need::kMust});
    return;
  }
  const sandbox::HostReport host = sandbox::probe_host(launcher->get());
  checks.push_back({.name = "kernel", .is_good = true, .words = printable(host.kernel)});
  for (const sandbox::Finding& finding : host.findings) {
    checks.push_back({.name = finding.name, .is_good = finding.available, .words = finding.explanation});
  }
  std::string words = std::string(sandbox::to_string(host.strongest)) + " is the strongest here";
  if (host.may_pass) {
    words = "could not be tried, which may pass: " + host.why_not_more + "; ogni serve would not start now";
  } else if (!host.why_not_more.empty()) {
    words += "; not more because " + host.why_not_more;
    if (data_had_walls(data)) {
      words +=
          "; functions of the data directory have run with isolation before, so ogni serve starts only with "
          "--isolation process";
    }
  }
  checks.push_back({.name = "isolation", .is_good = host.why_not_more.empty(), .words = words});
  report["Kernel"] = host.kernel;
  report["Isolation"] = sandbox::to_string(host.strongest);
}

Check check_roots(const std::string& data) {
  Check check{.name = "root file systems", .is_good = true};
  auto infos = imported_roots(data);
  if (!infos) {
    check.is_good = false;
    check.words = infos.error().message;
    return check;
  }
  for (const auto& info : *infos) {
    check.words += (check.words.empty() ? "" : ", ") + printable(info.name);
    if (!info.system.empty()) check.words += " (" + printable(info.system) + ")";
  }
  check.words = check.words.empty() ? "the host's; others come with ogni rootfs import" : "the host's, " + check.words;
  return check;
}

Outcome<ExitCode> examine(const DoctorOptions& options) {
  std::vector<Check> checks;
  json::object report;
  add_isolation(options.data, checks, report);
  checks.push_back(check_data(options.data));
  checks.push_back(check_port(options));
  checks.push_back(check_program("bash", "for functions written as shell scripts", "bash"));
  checks.push_back(check_program("curl", "for bootstraps written as shell scripts", "curl"));
  checks.push_back(check_python());
  checks.push_back(check_roots(options.data));
  checks.push_back(check_aws());

  bool can_serve = true;
  json::array findings;
  std::vector<std::vector<std::string>> rows;
  for (const Check& check : checks) {
    const bool is_fatal = check.need == Need::kMust && !check.is_good;
    can_serve = can_serve && !is_fatal;
    findings.push_back(json::object{{"Name", check.name}, {"Good", check.is_good}, {"Words", check.words}});
    rows.push_back({is_fatal ? "FAIL" : check.is_good ? "ok" : "no", check.name, check.words});
  }
  if (options.common.wants_json()) {
    report["CanServe"] = can_serve;
    report["Findings"] = std::move(findings);
    print_line(json::serialize(report));
  } else {
    print(table(rows));
    print_line(can_serve ? "\nThis host can serve functions: ogni serve"
                         : "\nThis host cannot serve until what FAILs is mended.");
  }
  return can_serve ? ExitCode::kOk : ExitCode::kFunctionError;
}

}  // namespace

void add_doctor(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<DoctorOptions>();
  CLI::App* command =
      app.add_subcommand("doctor", "Say what this host offers: isolation, interpreters, port, data directory");
  command->add_option("--data", options->data, "The data directory to check (default: that of ogni serve)")
      ->type_name("DIR");
  add_endpoint_option(*command, options->common);
  add_output_option(*command, options->common);
  command->footer(
      "'no' is something that functions have to do without; 'FAIL' keeps the service from starting.\n\n"
      "Example:\n  ogni doctor\n\n"
      "Exit codes: 0 this host can serve; 1 it cannot.");
  command->callback([options, &chosen] { chosen.run = [options] { return examine(*options); }; });
}

}  // namespace ogni::cli
