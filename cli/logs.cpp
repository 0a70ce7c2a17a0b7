// ogni logs: what a function printed, with the START, END and REPORT lines around it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <chrono>
#include <memory>

#include "base/text.h"
#include "cli/log_text.h"
#include "cli/output.h"
#include "cli/service_client.h"

namespace ogni::cli {
namespace {

constexpr long long kTailDefault = 100;
constexpr long long kTailMax = 100'000;
constexpr std::size_t kLineBytesMax = 1 << 20;

struct LogsOptions {
  CommonOptions common;
  std::string name;
  bool follows = false;
  long long tail = -1;  // not given
  std::string since;
};

// "90s", "10m", "2h", "1d" ago, or an instant of which a beginning is enough ("2026-01-31T10:00"), in the form in which
// the log's own times compare.
Outcome<std::string> since_instant(const std::string& words) {
  if (words.empty()) return std::string();
  long long count = 0;
  const auto [end, status] = std::from_chars(words.data(), words.data() + words.size(), count);
  const std::string_view unit(end, words.data() + words.size());
  if (status == std::errc() && count >= 0 && count < 1'000'000 && unit.size() == 1) {
    const long long seconds = unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : unit == "d" ? 86'400 : 0;
    if (seconds > 0) return to_iso8601(std::chrono::system_clock::now() - std::chrono::seconds(seconds * count));
  }
  if (words.size() >= 10 && words[4] == '-' && words[7] == '-' && words.starts_with("20")) return words;
  return stop(ExitCode::kUsage, "--since '" + printable(words) +
                                    "': give a span (90s, 10m, 2h, 1d) or an instant in UTC "
                                    "(2026-01-31T10:00:00)");
}

// Takes the pieces of a stream apart into lines "<time>\t<stream>\t<text>" and prints them; made harmless into a pipe as
// well, because a log is read by `less` and by people.
class LinePrinter {
 public:
  LinePrinter(bool as_json, std::string since) : as_json_(as_json), since_(std::move(since)) {}

  // Nothing has come so far.
  bool is_empty() const { return is_empty_; }

  void add(std::string_view piece) {
    if (!piece.empty()) is_empty_ = false;
    for (;;) {
      const std::size_t end = piece.find('\n');
      held_ += piece.substr(0, end);
      if (end != std::string_view::npos || held_.size() > kLineBytesMax) {
        print_log_line(held_);
        held_.clear();
      }
      if (end == std::string_view::npos) break;
      piece.remove_prefix(end + 1);
    }
    std::fflush(stdout);
  }
  void finish() {
    if (!held_.empty()) print_log_line(held_);
  }

 private:
  void print_log_line(std::string_view line) const {
    const std::size_t first = line.find('\t');
    const std::size_t second = first == std::string_view::npos ? first : line.find('\t', first + 1);
    if (second == std::string_view::npos) return print_line(for_terminal(line));
    const std::string_view time = line.substr(0, first);
    const std::string_view text = line.substr(second + 1);
    if (time < since_) return;
    if (!as_json_) {
      for (const std::string& shown : lines_to_show(text)) print_line(for_terminal(time) + " " + for_terminal(shown));
      return;
    }
    const std::string_view stream = line.substr(first + 1, second - first - 1);
    print_line(json::serialize(json::object{{"time", time},
                                            {"stream", for_terminal(stream)},
                                            {"line", is_utf8(text) ? std::string(text) : for_terminal(text)}}));
  }

  bool as_json_;
  bool is_empty_ = true;
  std::string since_;
  std::string held_;
};

Outcome<ExitCode> show_logs(const LogsOptions& options) {
  auto service = ServiceClient::open(options.common);
  if (!service) return stop(service.error());
  auto since = since_instant(options.since);
  if (!since) return stop(since.error());
  const long long tail = options.tail >= 0 ? options.tail : options.since.empty() ? kTailDefault : kTailMax;
  HttpRequest request;
  request.target = fmt::format("/_ogni/functions/{}/logs?tail={}{}", percent_encode(options.name), tail,
                               options.follows ? "&follow=1" : "");
  LinePrinter lines(options.common.wants_json(), *since);
  auto response = service->http().stream(request, [&](std::string_view piece) {
    lines.add(piece);
    return std::ferror(stdout) == 0;
  });
  lines.finish();
  if (!response) return stop(to_failure(response.error()));
  if (response->status != 200) return stop(to_failure(*response));
  if (lines.is_empty()) {
    // A log outlives its function, so that only an empty one may be of a name that never was.
    auto existing = service->find_function(options.name);
    if (existing && !*existing) {
      return stop(ExitCode::kRefused, "there is no function '" + printable(options.name) + "'; see: ogni list");
    }
  }
  return ExitCode::kOk;
}

}  // namespace

void add_logs(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<LogsOptions>();
  CLI::App* command = app.add_subcommand("logs", "Show what a function printed");
  command->add_option("NAME", options->name, "The function")->required();
  command->add_flag("-f,--follow", options->follows, "Go on with new lines as they come, until interrupted");
  command->add_option("-n,--tail", options->tail, fmt::format("How many of the last lines (default {})", kTailDefault))
      ->check(CLI::Range(0LL, kTailMax))
      ->type_name("LINES");
  command->add_option("--since", options->since, "Only lines since then: 90s, 10m, 2h, 1d ago, or an instant in UTC")
      ->type_name("WHEN");
  add_endpoint_option(*command, options->common);
  add_output_option(*command, options->common);
  command->footer(
      "With --output json, each line is an object with time, stream and line.\n\n"
      "Examples:\n  ogni logs hello -f\n  ogni logs hello --since 10m");
  command->callback([options, &chosen] { chosen.run = [options] { return show_logs(*options); }; });
}

}  // namespace ogni::cli
