#include "catalogue/code_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "base/system.h"
#include "base/temporary_directory.h"
#include "catalogue/test_zip.h"
#include "catalogue/tree.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
// libarchive calls mktime(3), whose lock within glibc the sanitizer does not see.
extern "C" const char* __tsan_default_suppressions() { return "race:tzset_internal\n"; }
#endif
#endif

namespace ogni::catalogue {
namespace {

namespace fs = std::filesystem;

constexpr CodeStore::Limits kLimits{.unzipped_bytes_max = 1 << 20, .entries_max = 1000};

std::string zip_of(const std::string& content) {
  return TestZip{{.name = "bootstrap", .content = content, .mode = 0100755}, {.name = "lib/x", .content = "x"}}.bytes();
}

class CodeStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { open(); }
  void TearDown() override {
    for (const char* name : {"code", "merged"}) EXPECT_TRUE(remove_tree(directory_.descriptor(), name));
  }

  void open() {
    store_.reset();
    auto opened = CodeStore::open(directory_.descriptor(), kLimits);
    ASSERT_TRUE(opened) << opened.error().message();
    store_ = std::move(*opened);
  }

  CodeReference add(const std::string& zip) {
    auto added = store_->add(zip);
    EXPECT_TRUE(added) << added.error().message();
    return added.value_or(CodeReference{});
  }

  std::vector<std::string> entries(const char* folder = "code") {
    auto opened = open_at(directory_.descriptor(), folder, O_RDONLY | O_DIRECTORY).value();
    auto names = list_directory(opened.get()).value();
    std::ranges::sort(names);
    return names;
  }

  std::string read(const Fd& tree, const std::string& name) {
    return read_file_at(tree.get(), name).value_or("absent");
  }

  TemporaryDirectory directory_;
  std::unique_ptr<CodeStore> store_;
};

TEST_F(CodeStoreTest, StoresAZipAndItsTree) {
  const std::string zip = zip_of("hello");

  const CodeReference added = add(zip);

  EXPECT_EQ(added.sha256_hex, to_hex(sha256(zip)));
  EXPECT_EQ(added.zip_bytes, zip.size());
  EXPECT_EQ(added.unzipped_bytes, 6U);
  auto tree = store_->open_tree(added.sha256_hex).value();
  EXPECT_NE(::fcntl(tree.get(), F_GETFL) & O_PATH, 0);
  EXPECT_EQ(read(tree, "bootstrap"), "hello");
  EXPECT_EQ(read(tree, "lib/x"), "x");
  struct stat status{};
  ASSERT_EQ(::fstat(tree.get(), &status), 0);
  EXPECT_EQ(status.st_mode, S_IFDIR | 0755U);
  auto stored = store_->open_zip(added.sha256_hex).value();
  std::string bytes(zip.size() + 1, '\0');
  ASSERT_EQ(::read(stored.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(zip.size()));
  EXPECT_EQ(bytes.substr(0, zip.size()), zip);
}

TEST_F(CodeStoreTest, UnpacksOnceAndRemembersAcrossReopening) {
  const CodeReference first = add(zip_of("hello"));
  struct stat before{};
  ASSERT_EQ(::fstat(store_->open_tree(first.sha256_hex)->get(), &before), 0);
  open();

  const CodeReference second = add(zip_of("hello"));

  EXPECT_EQ(second.sha256_hex, first.sha256_hex);
  EXPECT_EQ(second.unzipped_bytes, first.unzipped_bytes);
  struct stat after{};
  ASSERT_EQ(::fstat(store_->open_tree(first.sha256_hex)->get(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(entries().size(), 1U);
}

TEST_F(CodeStoreTest, LeavesNothingOfARefusedZip) {
  const std::string hostile = TestZip{{.name = "good", .content = "x"}, {.name = "../evil", .content = "x"}}.bytes();
  EXPECT_EQ(store_->add(hostile).error().code(), ErrorCode::kInvalidArgument);
  const std::string large = TestZip{{.name = "large", .content = std::string((1 << 20) + 1, 'x')}}.bytes();
  EXPECT_EQ(store_->add(large).error().code(), ErrorCode::kTooLarge);
  EXPECT_EQ(store_->add("").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(entries().empty());
}

TEST_F(CodeStoreTest, KnowsOnlyKeys) {
  add(zip_of("x"));
  for (const std::string& key : {std::string(), std::string("."), std::string("../code"), std::string(64, '0'),
                                 std::string(64, 'A'), std::string(63, '0'), std::string("/etc")}) {
    EXPECT_EQ(store_->open_tree(key).error().code(), ErrorCode::kNotFound) << key;
    EXPECT_EQ(store_->open_zip(key).error().code(), ErrorCode::kNotFound) << key;
    EXPECT_EQ(store_->merged_tree({key}).error().code(), ErrorCode::kNotFound) << key;
  }
}

TEST_F(CodeStoreTest, RemovesAtOpenWhatAnInterruptedAddLeft) {
  const CodeReference kept = add(zip_of("kept"));
  for (const char* name : {"code/.adding-1", "code/.removing-2", "merged/.adding-3"}) {
    fs::create_directories(directory_.path() / name / "tree/shut/inner");
    std::ofstream(directory_.path() / name / "tree/shut/inner/file") << "x";
    fs::permissions(directory_.path() / name / "tree/shut/inner", fs::perms::none);
    fs::permissions(directory_.path() / name / "tree/shut", fs::perms::none);
  }

  open();

  EXPECT_EQ(entries(), std::vector<std::string>{kept.sha256_hex});
  EXPECT_TRUE(entries("merged").empty());
}

TEST_F(CodeStoreTest, RemovesWhatIsUnusedUnlessItWasJustAdded) {
  const CodeReference used = add(zip_of("used"));
  const CodeReference old =
      add(TestZip{{.name = "shut/", .mode = 040000}, {.name = "shut/file", .mode = 0100000}}.bytes());
  EXPECT_EQ(store_->remove_unused({used.sha256_hex}).value(), 0U);
  open();
  const CodeReference fresh = add(zip_of("fresh"));

  EXPECT_EQ(store_->remove_unused({used.sha256_hex}).value(), 1U);

  EXPECT_TRUE(store_->open_tree(used.sha256_hex));
  EXPECT_TRUE(store_->open_tree(fresh.sha256_hex));
  EXPECT_EQ(store_->open_tree(old.sha256_hex).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(entries().size(), 2U);
}

TEST_F(CodeStoreTest, KeepsWhatWasAddedAgain) {
  const CodeReference code = add(zip_of("again"));
  open();
  add(zip_of("again"));
  EXPECT_EQ(store_->remove_unused({}).value(), 0U);
  EXPECT_TRUE(store_->open_tree(code.sha256_hex));
}

TEST_F(CodeStoreTest, TakesTheSameZipFromManyThreadsWhileOthersAreRemoved) {
  std::vector<std::string> zips;
  for (int i = 0; i < 3; ++i) zips.push_back(zip_of("content " + std::to_string(i)));
  std::atomic<int> bad = 0;
  std::atomic<bool> done = false;
  std::thread remover([&] {
    while (!done) {
      if (!store_->remove_unused({})) ++bad;
    }
  });
  std::vector<std::thread> adders;
  for (int thread = 0; thread < 4; ++thread) {
    adders.emplace_back([&] {
      for (int round = 0; round < 10; ++round) {
        for (const auto& zip : zips) {
          auto added = store_->add(zip);
          if (!added || !store_->open_tree(added->sha256_hex)) ++bad;
        }
      }
    });
  }
  for (auto& adder : adders) adder.join();
  done = true;
  remover.join();
  EXPECT_EQ(bad, 0);
  EXPECT_EQ(entries().size(), 3U);
}

TEST_F(CodeStoreTest, MergesLayersLaterOnesWinning) {
  const CodeReference first = add(TestZip{{.name = "bin/tool", .content = "1", .mode = 0100755},
                                          {.name = "bin/other", .content = "1"},
                                          {.name = "dir-to-file/x", .content = "1"},
                                          {.name = "file-to-dir", .content = "1"},
                                          {.name = "shut/", .mode = 040000},
                                          {.name = "shut/one", .content = "1"},
                                          {.name = "link", .content = "bin/tool", .mode = 0120777}}
                                      .bytes());
  const CodeReference second = add(TestZip{{.name = "bin/", .mode = 040700},
                                           {.name = "bin/tool", .content = "2", .mode = 0100700},
                                           {.name = "dir-to-file", .content = "2"},
                                           {.name = "file-to-dir/y", .content = "2"},
                                           {.name = "shut/", .mode = 040000},
                                           {.name = "shut/two", .content = "2"}}
                                       .bytes());

  auto merged = store_->merged_tree({first.sha256_hex, second.sha256_hex});

  ASSERT_TRUE(merged) << merged.error().message();
  EXPECT_EQ(read(*merged, "bin/tool"), "2");
  EXPECT_EQ(read(*merged, "bin/other"), "1");
  EXPECT_EQ(read(*merged, "dir-to-file"), "2");
  EXPECT_EQ(read(*merged, "file-to-dir/y"), "2");
  EXPECT_EQ(read(*merged, "link"), "2");
  struct stat status{};
  ASSERT_EQ(::fstatat(merged->get(), "bin", &status, 0), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
  ASSERT_EQ(::fstatat(merged->get(), "shut", &status, 0), 0);
  EXPECT_EQ(status.st_mode & 07777, 0U);
  ASSERT_EQ(::fchmodat(merged->get(), "shut", 0700, 0), 0);
  EXPECT_EQ(read(*merged, "shut/one"), "1");
  EXPECT_EQ(read(*merged, "shut/two"), "2");
  ASSERT_EQ(::fstatat(store_->open_tree(first.sha256_hex)->get(), "shut", &status, 0), 0);
  EXPECT_EQ(status.st_mode & 07777, 0U);
  ASSERT_EQ(::fstatat(merged->get(), "bin/other", &status, 0), 0);
  EXPECT_EQ(status.st_nlink, 2U);

  auto reversed = store_->merged_tree({second.sha256_hex, first.sha256_hex}).value();
  EXPECT_EQ(read(reversed, "bin/tool"), "1");
  EXPECT_EQ(read(reversed, "dir-to-file/x"), "1");
  EXPECT_EQ(entries("merged").size(), 2U);
  EXPECT_TRUE(store_->merged_tree({first.sha256_hex, second.sha256_hex}));
  EXPECT_EQ(entries("merged").size(), 2U);
}

TEST_F(CodeStoreTest, ForgetsMergedTreesWithTheirLayers) {
  const CodeReference first = add(zip_of("1"));
  const CodeReference second = add(zip_of("2"));
  ASSERT_TRUE(store_->merged_tree({first.sha256_hex}));
  ASSERT_TRUE(store_->merged_tree({first.sha256_hex, second.sha256_hex}));
  ASSERT_TRUE(store_->merged_tree({}));
  open();

  EXPECT_EQ(store_->remove_unused({first.sha256_hex}).value(), 1U);

  EXPECT_TRUE(store_->merged_tree({first.sha256_hex}));
  EXPECT_EQ(store_->merged_tree({first.sha256_hex, second.sha256_hex}).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(entries("merged").size(), 2U);
}

}  // namespace
}  // namespace ogni::catalogue
