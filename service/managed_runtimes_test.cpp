#include "service/managed_runtimes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

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

TEST_F(ManagedRuntimes, AreNamed) {
  for (const char* runtime : {"python3.11", "nodejs20.x", "ruby3.3", "java8.al2"}) {
    EXPECT_TRUE(is_managed_runtime(runtime)) << runtime;
  }
  for (const char* runtime : {"dotnet8", "provided.al2", "go1.x", ""}) EXPECT_FALSE(is_managed_runtime(runtime));
}

}  // namespace
}  // namespace ogni::service
