// ogni rootfs: root file systems that functions run on instead of the host's. Works on the data directory itself, beside a
// service that may run.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/system.h"
#include "base/text.h"
#include "catalogue/root_store.h"
#include "cli/output.h"
#include "cli/roots.h"
#include "cli/serve_settings.h"
#include "cli/service_client.h"
#include "service/data_directory.h"

namespace ogni::cli {
namespace {

using catalogue::RootStore;

constexpr std::uint64_t kMegabyte = 1 << 20;

struct RootOptions {
  CommonOptions common;
  std::string data;
  std::string name;
  std::string source;
  std::string platform;
  std::string reference;
  std::uint64_t megabytes_max = 10'240;  // AWS's largest image
  std::uint64_t entries_max = 1'000'000;
  bool replaces = false;
};

// The store, opened by whom the data belongs to: from here on this process is no longer root.
Outcome<RootStore> open_store(const std::string& named) {
  auto place = data_place(named);
  if (!place) return stop(place.error());
  auto data = service::share_data_directory(place->directory, place->user);
  if (!data) return stop(ExitCode::kUsage, data.error().message());
  if (auto became = service::become(data->owner); !became) return stop(ExitCode::kUsage, became.error().message());
  auto store = RootStore::open(data->directory.get());
  if (!store) return stop(ExitCode::kUsage, store.error().message());
  return std::move(*store);
}

json::object json_of(const catalogue::RootInfo& info) {
  return {{"Name", info.name},       {"System", info.system},     {"Kind", info.kind},         {"Source", info.source},
          {"Digest", info.digest},   {"Platform", info.platform}, {"Imported", info.imported}, {"Bytes", info.bytes},
          {"Entries", info.entries}, {"LeftOut", info.left_out}};
}

Outcome<ExitCode> import(const RootOptions& options) {
  catalogue::ImportWish wish{
      .limits = {.bytes_max = options.megabytes_max * kMegabyte, .entries_max = options.entries_max},
      .reference = options.reference};
  if (!options.platform.empty()) {
    auto platform = catalogue::parse_platform(options.platform);
    if (!platform) return stop(ExitCode::kUsage, "--platform: " + platform.error().message());
    wish.platform = std::move(*platform);
  }
  // Opened before root is given up: it may lie where only root may look.
  const bool is_input = options.source == "-";
  auto source =
      is_input ? Result<Fd>(Fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3))) : open_file(options.source, O_RDONLY);
  if (!source) return stop(ExitCode::kUsage, source.error().message());
  std::error_code ignored;
  const std::string words = is_input ? "-" : std::filesystem::absolute(options.source, ignored).string();
  auto store = open_store(options.data);
  if (!store) return stop(store.error());
  auto info = store->import(options.name, source->get(), words, wish,
                            options.replaces ? RootStore::Existing::kReplace : RootStore::Existing::kKeep);
  if (!info) {
    const bool is_taken = info.error().code() == ErrorCode::kConflict;
    const bool is_large = info.error().code() == ErrorCode::kTooLarge;
    return stop(ExitCode::kUsage, printable(options.source) + ": " + info.error().message() +
                                      (is_taken ? ": --replace puts this one in its place" : "") +
                                      (is_large ? ": see --max-size and --max-entries" : ""));
  }
  if (options.common.wants_json()) {
    print_line(json::serialize(json_of(*info)));
    return ExitCode::kOk;
  }
  print_line(fmt::format(
      "imported {}{}: {} in {} entries{}", info->name, info->system.empty() ? "" : " (" + printable(info->system) + ")",
      human_bytes(info->bytes), info->entries,
      info->left_out == 0 ? "" : fmt::format("; {} left out (devices, unreadable)", info->left_out)));
  print_line(fmt::format("\nA function on it:    ogni deploy DIR --rootfs {}", info->name));
  print_line(fmt::format("All functions on it: ogni serve --rootfs {}", info->name));
  return ExitCode::kOk;
}

Outcome<ExitCode> list(const RootOptions& options) {
  auto infos = imported_roots(options.data);
  if (!infos) return stop(infos.error());
  if (options.common.wants_json()) {
    json::array roots;
    for (const auto& info : *infos) roots.push_back(json_of(info));
    print_line(json::serialize(json::object{{"RootFileSystems", std::move(roots)}}));
    return ExitCode::kOk;
  }
  if (infos->empty()) {
    note("no root file systems yet. Import one with: ogni rootfs import NAME SOURCE");
    return ExitCode::kOk;
  }
  std::vector<std::vector<std::string>> rows{{"NAME", "SYSTEM", "FROM", "IMPORTED", "SIZE"}};
  for (const auto& info : *infos) {
    rows.push_back({printable(info.name), printable(info.system), printable(info.kind + " " + info.source),
                    printable(info.imported.substr(0, 19)), human_bytes(info.bytes)});
  }
  print(table(rows, 1));
  return ExitCode::kOk;
}

Outcome<ExitCode> remove(const RootOptions& options) {
  auto store = open_store(options.data);
  if (!store) return stop(store.error());
  auto removed = store->remove(options.name);
  if (!removed) return stop(ExitCode::kUsage, removed.error().message());
  if (options.common.wants_json()) {
    print_line(
        json::serialize(json::object{{"Name", options.name}, {"InUse", *removed == RootStore::Removed::kWhenUnused}}));
  } else {
    print_line(*removed == RootStore::Removed::kWhole
                   ? "removed " + printable(options.name)
                   : "removed " + printable(options.name) +
                         "; its files go when the environments that run on it have ended");
  }
  return ExitCode::kOk;
}

// The setting of `ogni serve` by its name, from the environment or ogni.toml; empty where neither gives one.
std::string serve_setting(const char* name) {
  const auto lookup = [](const char* variable) -> const char* { return std::getenv(variable); };
  SettingWords words = words_from_environment(lookup);
  auto config = config_source("", ::geteuid() == 0, lookup);
  if (config) words.merge(config->words);
  const auto found = words.find(name);
  return found == words.end() || found->second.empty() ? std::string() : found->second.front();
}

// Where the environment names another service than the one that has the usual data directory, this command would work on
// the wrong one.
Outcome<ExitCode> check_endpoint(const RootOptions& options) {
  const auto named = find_endpoint({});
  if (!options.data.empty() || !serve_setting("data").empty()) return ExitCode::kOk;
  if (!named) return stop(named.error());
  const std::string listen = serve_setting("listen");
  const std::string own = "http://" + (listen.empty() ? Endpoint{}.authority() : listen);
  const std::string host = named->host == "localhost" ? "127.0.0.1" : named->host;
  const std::string other = Endpoint{.host = host, .port = named->port}.url();
  if (other == own) return ExitCode::kOk;
  return stop(ExitCode::kUsage,
              "the environment names the service at " + printable(other) +
                  ", and this command works on a data directory: give that service's with --data DIR");
}

CLI::App* add_command(CLI::App& rootfs, const char* name, const char* words, RootOptions& options) {
  CLI::App* command = rootfs.add_subcommand(name, words);
  command->add_option("--data", options.data, "The data directory (default: that of ogni serve)")->type_name("DIR");
  add_output_option(*command, options.common);
  return command;
}

Outcome<ExitCode> checked(const RootOptions& options, Outcome<ExitCode> (*run)(const RootOptions&)) {
  auto right = check_endpoint(options);
  return right ? run(options) : right;
}

}  // namespace

Outcome<DataPlace> data_place(const std::string& named) {
  const auto lookup = [](const char* name) -> const char* { return std::getenv(name); };
  auto config = config_source("", ::geteuid() == 0, lookup);
  if (!config) return stop(ExitCode::kUsage, config.error().message());
  SettingWords flags;
  if (!named.empty()) flags["data"] = {named};
  // The others may be of no use to this command, and its errors would be none of its business.
  SettingWords environment = words_from_environment(lookup);
  const auto is_other = [](const auto& entry) { return entry.first != "data" && entry.first != "user"; };
  std::erase_if(environment, is_other);
  std::erase_if(config->words, is_other);
  const SettingSource sources[] = {{.name = "flag", .words = std::move(flags)},
                                   {.name = "environment", .words = std::move(environment)},
                                   std::move(*config)};
  auto settings = merge_settings(sources);
  if (!settings) return stop(ExitCode::kUsage, settings.error().message());
  if (!settings->data_directory.empty()) {
    return DataPlace{.directory = settings->data_directory, .user = settings->user};
  }
  auto usual = service::default_data_directory(::geteuid() == 0);
  if (!usual) return stop(ExitCode::kUsage, usual.error().message());
  return DataPlace{.directory = std::move(*usual), .user = settings->user};
}

Outcome<std::vector<catalogue::RootInfo>> imported_roots(const std::string& named) {
  auto place = data_place(named);
  if (!place) return stop(place.error());
  auto data = open_file(place->directory, O_RDONLY | O_DIRECTORY);
  if (!data && data.error().system_error() == ENOENT) return std::vector<catalogue::RootInfo>();
  if (!data) return stop(ExitCode::kUsage, data.error().message());
  auto store = RootStore::open_existing(data->get());
  if (!store) return stop(ExitCode::kUsage, store.error().message());
  if (!*store) return std::vector<catalogue::RootInfo>();
  auto infos = (*store)->list();
  if (!infos) return stop(ExitCode::kUsage, infos.error().message());
  return std::move(*infos);
}

void add_rootfs(CLI::App& app, Chosen& chosen) {
  CLI::App* rootfs = app.add_subcommand("rootfs", "Root file systems: other bases than the host's for functions");
  rootfs->require_subcommand(1);
  rootfs->footer(
      "Example:\n"
      "  skopeo copy docker://REGISTRY/amazonlinux/amazonlinux:2023 oci:al2023\n"
      "  ogni rootfs import al2023 al2023");
  auto options = std::make_shared<RootOptions>();
  CLI::App* importing = add_command(*rootfs, "import", "Store a directory, a tar or an OCI image by a name", *options);
  importing->add_option("NAME", options->name, "What functions call it")->required();
  importing
      ->add_option("SOURCE", options->source,
                   "A directory, a tar (gzip, zstd, xz), an OCI image layout, or such a layout as tar; -: a tar from "
                   "standard input")
      ->required();
  importing->add_option("--platform", options->platform, "linux/amd64 or linux/arm64 (default: this host's)")
      ->type_name("PLATFORM");
  importing->add_option("--ref", options->reference, "Which image, where a layout has several")->type_name("NAME");
  importing->add_option("--max-size", options->megabytes_max, "Refuse what unpacks to more (default 10240)")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 30))
      ->type_name("MB");
  importing->add_option("--max-entries", options->entries_max, "Refuse what has more files and links (default 1000000)")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{100'000'000}))
      ->type_name("N");
  importing->add_flag("--replace", options->replaces, "Put it in the place of one of this name");
  importing->footer(
      "Started by root, it becomes the data directory's owner before it reads: what that user may not\n"
      "read of a directory is left out.\n"
      "\n"
      "Examples:\n"
      "  ogni rootfs import al2023 ./al2023\n"
      "  docker export CONTAINER | ogni rootfs import mine -");
  importing->callback([options, &chosen] { chosen.run = [options] { return checked(*options, import); }; });
  CLI::App* listing = add_command(*rootfs, "list", "List them", *options);
  listing->footer("Example:\n  ogni rootfs list");
  listing->callback([options, &chosen] { chosen.run = [options] { return checked(*options, list); }; });
  CLI::App* removing = add_command(*rootfs, "remove", "Remove one; functions that name it fail from then on", *options);
  removing->add_option("NAME", options->name, "Which one")->required();
  removing->footer("Example:\n  ogni rootfs remove al2023");
  removing->callback([options, &chosen] { chosen.run = [options] { return checked(*options, remove); }; });
}

}  // namespace ogni::cli
