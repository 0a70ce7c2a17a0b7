// ogni layer: publishes and lists what functions share.
#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <memory>

#include "base/text.h"
#include "cli/code.h"
#include "cli/output.h"
#include "cli/service_client.h"
#include "protocol/limits.h"

namespace ogni::cli {
namespace {

struct PublishOptions {
  CommonOptions common;
  std::string name;
  std::string path;
  std::string description;
  std::string license;
  std::vector<std::string> runtimes;
};

Outcome<ExitCode> publish(const PublishOptions& options) {
  auto service = ServiceClient::open(options.common);
  if (!service) return stop(service.error());
  auto zip = load_layer(options.path);
  if (!zip) return stop(zip.error());
  json::object request;
  if (!options.description.empty()) request["Description"] = options.description;
  if (!options.license.empty()) request["LicenseInfo"] = options.license;
  if (!options.runtimes.empty()) {
    request["CompatibleRuntimes"] = json::array(options.runtimes.begin(), options.runtimes.end());
  }
  const std::string body = with_zip(request, "Content", *zip);
  Outcome<json::object> version;
  {
    ProgressLine progress("uploading");
    version = service->call("POST", "/2018-10-31/layers/" + percent_encode(options.name) + "/versions", body,
                            [&](std::size_t sent) { progress.show(sent, body.size()); });
  }
  if (!version) return stop(explained(std::move(version.error()), *zip));
  if (options.common.wants_json()) {
    print_line(json::serialize(*version));
  } else {
    print_line(for_stdout(text_of(*version, "LayerVersionArn")));
  }
  return ExitCode::kOk;
}

Outcome<ExitCode> list_layers(const CommonOptions& options) {
  auto service = ServiceClient::open(options);
  if (!service) return stop(service.error());
  auto layers = service->list("/2018-10-31/layers", "Layers");
  if (!layers) return stop(layers.error());
  if (options.wants_json()) {
    print_line(json::serialize(json::object{{"Layers", std::move(*layers)}}));
    return ExitCode::kOk;
  }
  if (layers->empty()) {
    note("no layers yet. Publish one with: ogni layer publish NAME DIR");
    return ExitCode::kOk;
  }
  std::vector<std::vector<std::string>> rows{{"NAME", "LATEST VERSION", "DESCRIPTION"}};
  for (const json::value& item : *layers) {
    const json::value* latest = item.get_object().if_contains("LatestMatchingVersion");
    const json::object version = latest != nullptr && latest->is_object() ? latest->get_object() : json::object();
    rows.push_back({printable(text_of(item.get_object(), "LayerName")), printable(text_of(version, "LayerVersionArn")),
                    printable(text_of(version, "Description"), 60)});
  }
  print(table(rows));
  return ExitCode::kOk;
}

void add_publish(CLI::App& layer, Chosen& chosen) {
  auto options = std::make_shared<PublishOptions>();
  CLI::App* command = layer.add_subcommand("publish", "Publish a new version of a layer; prints its ARN");
  command->add_option("NAME", options->name, "Name of the layer")->required();
  command->add_option("DIR", options->path, "The folder that is merged into /opt, or a zip of it")->required();
  command->add_option("--description", options->description, "A few words about this version");
  command->add_option("--license", options->license, "Licence of the content");
  command->add_option("--compatible-runtime", options->runtimes, "A runtime that it is made for; may be repeated")
      ->type_name("RUNTIME")
      ->allow_extra_args(false);
  add_endpoint_option(*command, options->common);
  add_output_option(*command, options->common);
  command->footer("Example:\n  ogni deploy hello --layer \"$(ogni layer publish bash-runtime runtime/)\"");
  command->callback([options, &chosen] { chosen.run = [options] { return publish(*options); }; });
}

}  // namespace

void add_layer(CLI::App& app, Chosen& chosen) {
  CLI::App* layer = app.add_subcommand("layer", "Layers: code that several functions share");
  layer->require_subcommand(1);
  layer->footer("Example:\n  ogni layer publish bash-runtime runtime/");
  add_publish(*layer, chosen);
  auto options = std::make_shared<CommonOptions>();
  CLI::App* list = layer->add_subcommand("list", "List the layers");
  add_endpoint_option(*list, *options);
  add_output_option(*list, *options);
  list->footer("Example:\n  ogni layer list");
  list->callback([options, &chosen] { chosen.run = [options] { return list_layers(*options); }; });
}

}  // namespace ogni::cli
