#include "cli/serve_settings.h"

#include <gtest/gtest.h>

#include "package/temporary_folder.h"

namespace ogni::cli {
namespace {

using package::TemporaryFolder;

std::function<const char*(const char*)> variables(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const char* name) -> const char* {
    const auto found = values.find(name);
    return found == values.end() ? nullptr : found->second.c_str();
  };
}

Result<service::Settings> from_flags(SettingWords words) {
  const SettingSource sources[] = {{.name = "flag", .words = std::move(words)}};
  return merge_settings(sources);
}

TEST(ServeSettings, NothingSaidMeansTheDefaults) {
  auto settings = merge_settings({});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->listen_address, "127.0.0.1");
  EXPECT_EQ(settings->listen_port, 4566);
  EXPECT_EQ(settings->concurrency_max, 1000U);
  EXPECT_FALSE(settings->isolation);
  EXPECT_FALSE(settings->allow_remote);
  EXPECT_EQ(settings->data_directory, "");
}

TEST(ServeSettings, FlagsGoBeforeTheEnvironmentAndThatBeforeTheFile) {
  const TemporaryFolder folder;
  folder.write("ogni.toml", "region = 'eu-west-1'\naccount = '111111111111'\nidle-timeout = 7\n");
  const SettingSource sources[] = {
      {.name = "flag", .words = {{"region", {"eu-central-1"}}}},
      {.name = "environment",
       .words = words_from_environment(variables({{"OGNI_REGION", "us-west-2"}, {"OGNI_ACCOUNT", "222222222222"}}))},
      {.name = "file", .words = words_from_toml(folder.string() + "/ogni.toml").value()}};

  auto settings = merge_settings(sources);

  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(settings->region, "eu-central-1");
  EXPECT_EQ(settings->account, "222222222222");
  EXPECT_EQ(settings->idle_max, std::chrono::seconds(7));
}

TEST(ServeSettings, EverySettingCanComeFromTheFile) {
  const TemporaryFolder folder;
  folder.write("ogni.toml", R"(
listen = "[::1]:0"
allow-remote = true
allow-host = ["Ogni.example", "other.example"]
data = "/somewhere/ogni/"
isolation = "process"
user = "functions"
concurrency = 5
starts = 3
start-wait = 20
reuse-grace = 0
idle-timeout = 60
freeze-after = 7
cpu = "aws"
network = "tagged"
rootfs = "al2023"
dev-shm = 64
memory-overcommit = 2
blank-environments = 0
activation-delay = 20
max-connections = 9
allow-nearest-python = true
account = "123456789012"
region = "ap-south-1"
log-level = "debug"
)");
  auto words = words_from_toml(folder.string() + "/ogni.toml");
  ASSERT_TRUE(words) << words.error().message();
  EXPECT_EQ(words->size(), setting_rows().size());
  auto settings = from_flags(std::move(*words));
  ASSERT_TRUE(settings) << settings.error().message();
  EXPECT_EQ(settings->listen_address, "::1");
  EXPECT_EQ(settings->listen_port, 0);
  EXPECT_TRUE(settings->allow_remote);
  EXPECT_EQ(settings->allowed_hosts, (std::vector<std::string>{"ogni.example", "other.example"}));
  EXPECT_EQ(settings->data_directory, "/somewhere/ogni");
  EXPECT_EQ(settings->isolation, sandbox::Strength::kProcess);
  EXPECT_EQ(settings->user, "functions");
  EXPECT_EQ(settings->concurrency_max, 5U);
  EXPECT_EQ(settings->starts_max, 3U);
  EXPECT_EQ(settings->start_wait, std::chrono::seconds(20));
  EXPECT_EQ(settings->reuse_grace, std::chrono::milliseconds(0));
  EXPECT_EQ(settings->freeze_after, std::chrono::milliseconds(7));
  EXPECT_TRUE(settings->processor_quota);
  EXPECT_EQ(settings->network, service::Settings::Network::kTagged);
  EXPECT_EQ(settings->rootfs, "al2023");
  EXPECT_EQ(settings->activation_delay, std::chrono::milliseconds(20));
  EXPECT_EQ(settings->connections_max, 9U);
  EXPECT_TRUE(settings->allow_nearest_python);
  EXPECT_EQ(settings->log_level, "debug");
}

TEST(ServeSettings, VariablesAreNamedAfterTheSettings) {
  EXPECT_EQ(environment_name("allow-nearest-python"), "OGNI_ALLOW_NEAREST_PYTHON");
  const SettingWords words =
      words_from_environment(variables({{"OGNI_ALLOW_HOST", "a.example,,b.example"}, {"OGNI_DATA", ""}}));
  EXPECT_EQ(words, (SettingWords{{"allow-host", {"a.example", "b.example"}}}));
}

TEST(ServeSettings, WrongValuesNameTheirSourceAndSetting) {
  const std::vector<std::pair<std::string, std::string>> wrong{{"listen", "4566"},
                                                               {"listen", "localhost:1"},
                                                               {"listen", "127.0.0.1:65536"},
                                                               {"listen", "127.0.0.1:"},
                                                               {"concurrency", "0"},
                                                               {"concurrency", "-1"},
                                                               {"concurrency", "1e3"},
                                                               {"idle-timeout", "soon"},
                                                               {"freeze-after", "-1"},
                                                               {"cpu", "all"},
                                                               {"network", "all"},
                                                               {"rootfs", "a/b"},
                                                               {"isolation", "container"},
                                                               {"account", "123"},
                                                               {"region", "nowhere"},
                                                               {"log-level", "loud"},
                                                               {"allow-remote", "maybe"},
                                                               {"data", ""},
                                                               {"allow-host", "a/b"},
                                                               {"reuse-grace", "99999999999999999999"}};
  for (const auto& [name, value] : wrong) {
    auto refused = from_flags({{name, {value}}});
    ASSERT_FALSE(refused) << name << "=" << value;
    EXPECT_TRUE(refused.error().message().starts_with("flag: " + name + ": ")) << refused.error().message();
  }
}

TEST(ServeSettings, FileErrorsSayWhere) {
  const TemporaryFolder folder;
  const std::string path = folder.string() + "/ogni.toml";
  folder.write("ogni.toml", "region = 'x'\nlisten = \n");
  EXPECT_NE(words_from_toml(path).error().message().find("line 2"), std::string::npos)
      << words_from_toml(path).error().message();
  folder.write("ogni.toml", "lisen = 'x'\n");
  EXPECT_NE(words_from_toml(path).error().message().find("unknown setting 'lisen'. Known are: listen, "),
            std::string::npos);
  folder.write("ogni.toml", "listen = ['a']\n");
  EXPECT_FALSE(words_from_toml(path));
  folder.write("ogni.toml", "idle-timeout = 1.5\n");
  EXPECT_FALSE(words_from_toml(path));
  EXPECT_FALSE(words_from_toml(folder.string() + "/none"));
}

TEST(ServeSettings, FileIsLookedForInTheConfigurationFolderOnly) {
  EXPECT_EQ(default_config_path(true, variables({})), "/etc/ogni/ogni.toml");
  EXPECT_EQ(default_config_path(false, variables({{"HOME", "/h"}})), "/h/.config/ogni/ogni.toml");
  EXPECT_EQ(default_config_path(false, variables({{"HOME", "/h"}, {"XDG_CONFIG_HOME", "/c"}})), "/c/ogni/ogni.toml");
  EXPECT_EQ(default_config_path(false, variables({{"XDG_CONFIG_HOME", "relative"}})), "");
}

}  // namespace
}  // namespace ogni::cli
