#include "service/managed_runtimes.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/fd.h"

namespace ogni::service {
namespace {

class ManagedRuntimes : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "ogni-managed-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    usr_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(usr_); }

  std::string install(const std::string& path) {
    const std::filesystem::path file = usr_ + "/" + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << "#!/bin/sh\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    return file;
  }

  std::string usr_;
};

TEST_F(ManagedRuntimes, AreNoneWhereNothingIsInstalled) {
  for (const char* runtime : {"python3.11", "nodejs20.x", "ruby3.3", "java21", "dotnet8", "provided.al2023"}) {
    EXPECT_EQ(managed_interpreter(runtime, usr_), "") << runtime;
  }
}

TEST_F(ManagedRuntimes, ArePythonsOfExactlyTheirVersion) {
  install("bin/python3");
  EXPECT_EQ(managed_interpreter("python3.11", usr_), "");
  const std::string exact = install("bin/python3.11");
  EXPECT_EQ(managed_interpreter("python3.11", usr_), exact);
}

TEST_F(ManagedRuntimes, TakeTheHostsOwnWhereTheirVersionIsNotThere) {
  const std::string nodejs = install("bin/nodejs");
  const std::string ruby = install("bin/ruby");
  const std::string java = install("bin/java");
  EXPECT_EQ(managed_interpreter("nodejs22.x", usr_), nodejs);
  EXPECT_EQ(managed_interpreter("ruby3.3", usr_), ruby);
  EXPECT_EQ(managed_interpreter("java21", usr_), java);

  const std::string node = install("bin/node");
  const std::string ruby33 = install("bin/ruby3.3");
  const std::string java21 = install("lib/jvm/java-21-openjdk-amd64/bin/java");
  EXPECT_EQ(managed_interpreter("nodejs22.x", usr_), node);
  EXPECT_EQ(managed_interpreter("ruby3.3", usr_), ruby33);
  EXPECT_EQ(managed_interpreter("java21", usr_), java21);
  EXPECT_EQ(managed_interpreter("java21.al2023", usr_), java21);
  EXPECT_EQ(managed_interpreter("java17", usr_), java);
}

TEST_F(ManagedRuntimes, OfARootAreFoundWithinIt) {
  const auto provide = [this](const std::string& path) {
    std::filesystem::permissions(install(path), std::filesystem::perms(0755));
  };
  const Fd root(::open(usr_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(managed_interpreter_within(root.get(), "python3.13"), "");
  install("usr/bin/python3.13");  // its owner's alone
  EXPECT_EQ(managed_interpreter_within(root.get(), "python3.13"), "");
  provide("usr/bin/python3.13");
  EXPECT_EQ(managed_interpreter_within(root.get(), "python3.13"), "/usr/bin/python3.13");
  EXPECT_EQ(managed_interpreter_within(root.get(), "python3.12"), "");
  provide("usr/local/bin/python3.13");
  EXPECT_EQ(managed_interpreter_within(root.get(), "python3.13"), "/usr/local/bin/python3.13");
  provide("var/lang/bin/python3.13");
  EXPECT_EQ(managed_interpreter_within(root.get(), "python3.13"), "/var/lang/bin/python3.13");
  provide("usr/lib/jvm/java-21-amazon-corretto/bin/java");
  EXPECT_EQ(managed_interpreter_within(root.get(), "java21"), "/usr/lib/jvm/java-21-amazon-corretto/bin/java");
  EXPECT_EQ(managed_interpreter_within(root.get(), "java17"), "");
  // A link of the root leads within it, wherever it says it leads.
  provide("etc/alternatives/node");
  std::filesystem::create_symlink("/etc/alternatives/node", usr_ + "/usr/bin/node");
  EXPECT_EQ(managed_interpreter_within(root.get(), "nodejs22.x"), "/usr/bin/node");
  std::filesystem::create_symlink("/bin/sh", usr_ + "/usr/bin/ruby");
  EXPECT_EQ(managed_interpreter_within(root.get(), "ruby3.3"), "");
}

TEST_F(ManagedRuntimes, AreNamed) {
  for (const char* runtime : {"python3.11", "nodejs20.x", "ruby3.3", "java8.al2"}) {
    EXPECT_TRUE(is_managed_runtime(runtime)) << runtime;
  }
  for (const char* runtime : {"dotnet8", "provided.al2", "go1.x", ""}) EXPECT_FALSE(is_managed_runtime(runtime));
}

}  // namespace
}  // namespace ogni::service
