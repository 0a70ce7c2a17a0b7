#include "catalogue/zip_extractor.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <random>

#include "base/digest.h"
#include "base/system.h"
#include "base/temporary_directory.h"
#include "catalogue/test_zip.h"
#include "catalogue/tree.h"

namespace ogni::catalogue {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

constexpr ZipLimits kLimits{.unzipped_bytes_max = 1 << 20, .entries_max = 1000};

class ZipExtractorTest : public ::testing::Test {
 protected:
  void TearDown() override {
    auto removed = remove_tree(directory_.descriptor(), "tree");
    EXPECT_TRUE(removed) << removed.error().message();
  }

  Result<ZipContent> extract(std::string_view zip, const ZipLimits& limits = kLimits) {
    EXPECT_TRUE(remove_tree(directory_.descriptor(), "tree"));
    fs::create_directory(tree());
    auto opened = open_at(directory_.descriptor(), "tree", O_RDONLY | O_DIRECTORY);
    return extract_zip(zip, opened->get(), limits);
  }
  Result<ZipContent> extract(const TestZip& zip, const ZipLimits& limits = kLimits) {
    return extract(zip.bytes(), limits);
  }

  void expect_refused(const TestZip& zip, const std::string& reason) {
    auto extracted = extract(zip);
    ASSERT_FALSE(extracted) << reason;
    EXPECT_EQ(extracted.error().code(), ErrorCode::kInvalidArgument) << extracted.error().message();
    EXPECT_NE(extracted.error().message().find(reason), std::string::npos) << extracted.error().message();
    expect_nothing_outside();
  }

  void expect_nothing_outside() {
    EXPECT_EQ(list_directory(directory_.descriptor()).value(), std::vector<std::string>{"tree"});
  }

  fs::path tree() const { return directory_.path() / "tree"; }
  std::string content(const std::string& name) {
    std::ifstream file(tree() / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  struct stat status(const std::string& name) {
    struct stat found{};
    EXPECT_EQ(::lstat((tree() / name).c_str(), &found), 0) << name;
    return found;
  }

  TemporaryDirectory directory_;
};

TEST_F(ZipExtractorTest, UnpacksFilesDirectoriesAndLinks) {
  auto extracted = extract(TestZip{{.name = "bootstrap", .content = "#!/bin/sh\n", .mode = 0100755},
                                   {.name = "lib/", .mode = 040750},
                                   {.name = "lib/a", .content = "stored"},
                                   {.name = "lib/b", .content = std::string(200'000, 'x'), .method = 8},
                                   {.name = "deep/er/empty"},
                                   {.name = "lib/link", .content = "../bootstrap", .mode = 0120777}});
  ASSERT_TRUE(extracted) << extracted.error().message();
  EXPECT_EQ(extracted->unzipped_bytes, 10U + 6U + 200'000U + 12U);
  EXPECT_EQ(content("bootstrap"), "#!/bin/sh\n");
  EXPECT_EQ(content("lib/a"), "stored");
  EXPECT_EQ(content("lib/b"), std::string(200'000, 'x'));
  EXPECT_EQ(content("lib/link"), "#!/bin/sh\n");
  EXPECT_EQ(fs::read_symlink(tree() / "lib/link"), "../bootstrap");
  EXPECT_EQ(fs::file_size(tree() / "deep/er/empty"), 0U);
}

TEST_F(ZipExtractorTest, ReadsAStreamedZipOfInfoZip) {
  // `zip -r - bootstrap lib | cat`: sizes follow the content, and the modes are in the central directory only.
  const std::string zip =
      from_base64(
          "UEsDBBQACAAIAEEQQlAAAAAAAAAAAA8AAAAJABwAYm9vdHN0cmFwVVQJAAOaLTZemi02XnV4CwABBAAAAAAEAAAAAFNW1E/KzNMvzuBKTc7I"
          "5wIAUEsHCFxgsPARAAAADwAAAFBLAwQKAAAAAABBEEJQAAAAAAAAAAAAAAAABAAcAGxpYi9VVAkAA5otNl7jmgRrdXgLAAEEAAAAAAQAAAAA"
          "UEsDBBQACAAIAEEQQlAAAAAAAAAAAAMAAAAJABwAbGliL2EudHh0VVQJAAOaLTZemi02XnV4CwABBAAAAAAEAAAAAMvI5AIAUEsHCHp6b+0F"
          "AAAAAwAAAFBLAQIeAxQACAAIAEEQQlBcYLDwEQAAAA8AAAAJABgAAAAAAAEAAADtgQAAAABib290c3RyYXBVVAUAA5otNl51eAsAAQQAAAAA"
          "BAAAAABQSwECHgMKAAAAAABBEEJQAAAAAAAAAAAAAAAABAAYAAAAAAAAABAA7UFkAAAAbGliL1VUBQADmi02XnV4CwABBAAAAAAEAAAAAFBL"
          "AQIeAxQACAAIAEEQQlB6em/tBQAAAAMAAAAJABgAAAAAAAEAAACkgaIAAABsaWIvYS50eHRVVAUAA5otNl51eAsAAQQAAAAABAAAAABQSwUG"
          "AAAAAAMAAwDoAAAA+gAAAAAA")
          .value();
  auto extracted = extract(zip);
  ASSERT_TRUE(extracted) << extracted.error().message();
  EXPECT_EQ(content("bootstrap"), "#!/bin/sh\necho\n");
  EXPECT_EQ(status("bootstrap").st_mode & 07777, 0755U);
  EXPECT_EQ(content("lib/a.txt"), "hi\n");
  EXPECT_EQ(status("lib/a.txt").st_mode & 07777, 0644U);
  for (const char* name : {"bootstrap", "lib", "lib/a.txt"}) EXPECT_EQ(status(name).st_mtim.tv_sec, 1580608922) << name;
}

TEST_F(ZipExtractorTest, ReadsStreamedStoredEntries) {
  auto extracted =
      extract(TestZip{{.name = "a", .content = "one", .data_descriptor = true},
                      {.name = "b", .content = "two", .mode = 0100755, .method = 8, .data_descriptor = true}});
  ASSERT_TRUE(extracted) << extracted.error().message();
  EXPECT_EQ(content("a"), "one");
  EXPECT_EQ(content("b"), "two");
  EXPECT_EQ(status("b").st_mode & 07777, 0755U);
}

TEST_F(ZipExtractorTest, AcceptsBytesAfterTheZip) {
  auto extracted = extract(TestZip{{.name = "a", .content = "one"}}.bytes() + "trailing");
  ASSERT_TRUE(extracted) << extracted.error().message();
  EXPECT_EQ(content("a"), "one");
}

TEST_F(ZipExtractorTest, KeepsModesWhateverTheUmask) {
  const mode_t before = ::umask(0077);
  auto extracted = extract(TestZip{{.name = "setuid", .mode = 0106755},
                                   {.name = "open", .mode = 0100666},
                                   {.name = "closed", .mode = 0100000},
                                   {.name = "sticky/", .mode = 041777},
                                   {.name = "sticky/inner/", .mode = 042755},
                                   {.name = "shut/", .mode = 040000},
                                   {.name = "shut/inner", .content = "x", .mode = 0100400},
                                   {.name = "implied/file"}});
  ::umask(before);
  ASSERT_TRUE(extracted) << extracted.error().message();
  EXPECT_EQ(status("").st_mode & 07777, 0755U);
  EXPECT_EQ(status("setuid").st_mode & 07777, 0755U);
  EXPECT_EQ(status("open").st_mode & 07777, 0666U);
  EXPECT_EQ(status("closed").st_mode & 07777, 0U);
  EXPECT_EQ(status("sticky").st_mode & 07777, 0777U);
  EXPECT_EQ(status("sticky/inner").st_mode & 07777, 0755U);
  EXPECT_EQ(status("shut").st_mode & 07777, 0U);
  EXPECT_EQ(status("implied").st_mode & 07777, 0755U);
}

TEST_F(ZipExtractorTest, MakesFilesWithoutUnixModesReadableAndNotExecutable) {
  auto extracted =
      extract(TestZip{{.name = "file", .host = 0}, {.name = "dir/", .host = 0}, {.name = "bare", .mode = 0}});
  ASSERT_TRUE(extracted) << extracted.error().message();
  for (const char* name : {"file", "bare"}) {
    EXPECT_EQ(status(name).st_mode & (S_IFMT | 0755), S_IFREG | 0644U) << name;
  }
  EXPECT_EQ(status("dir").st_mode & (S_IFMT | 0755), S_IFDIR | 0755U);
}

TEST_F(ZipExtractorTest, KeepsNamesInAnyLocale) {
  const std::string name = "\xC3\xA9t\xC3\xA9 \xE2\x82\xAC";
  auto extracted =
      extract(TestZip{{.name = name, .content = "utf-8", .flags = 0x800}, {.name = "\xE9t\xE9", .content = "latin-1"}});
  ASSERT_TRUE(extracted) << extracted.error().message();
  EXPECT_EQ(content(name), "utf-8");
  EXPECT_EQ(content("\xE9t\xE9"), "latin-1");
}

TEST_F(ZipExtractorTest, RefusesNamesThatLeaveTheTree) {
  expect_refused({{.name = "../evil", .content = "x"}}, "\"..\"");
  expect_refused({{.name = "a/../../evil", .content = "x"}}, "\"..\"");
  expect_refused({{.name = "/evil", .content = "x"}}, "absolute");
  expect_refused({{.name = "", .content = "x"}}, "name");
  expect_refused({{.name = ".", .content = "x"}}, "root");
  expect_refused({{.name = "innocent", .content = "x", .local_name = "../evil"}}, "\"..\"");
  expect_refused({{.name = "../", .mode = 040755}}, "\"..\"");
  expect_refused({{.name = std::string(300, 'n'), .content = "x"}}, "too long");
  expect_refused({{.name = "\xFF", .content = "x", .flags = 0x800}}, "damaged");
}

// libarchive may read a backslash as a slash, before names are checked.
TEST_F(ZipExtractorTest, StaysInsideWhateverABackslashMeans) {
  for (const std::uint8_t host : {std::uint8_t{0}, std::uint8_t{3}}) {
    for (const char* name : {"..\\..\\evil", "a\\..\\..\\evil", "\\evil", "C:\\evil"}) {
      auto extracted = extract(TestZip{{.name = name, .content = "x", .host = host}});
      EXPECT_TRUE(extracted || extracted.error().code() == ErrorCode::kInvalidArgument) << name;
      expect_nothing_outside();
    }
  }
}

TEST_F(ZipExtractorTest, CutsNamesAtANul) {
  auto extracted = extract(TestZip{{.name = "a\0/../../evil"s, .content = "x"}});
  if (extracted) {
    EXPECT_EQ(content("a"), "x");
  }
  expect_nothing_outside();
}

TEST_F(ZipExtractorTest, RefusesToGoThroughLinks) {
  expect_refused({{.name = "d/", .mode = 040755},
                  {.name = "l", .content = "d", .mode = 0120777},
                  {.name = "l/file", .content = "x"}},
                 "no directory");
  expect_refused(
      {{.name = "d/", .mode = 040755}, {.name = "l", .content = "d", .mode = 0120777}, {.name = "l/", .mode = 040755}},
      "no directory");
  expect_refused({{.name = "f"}, {.name = "f/file", .content = "x"}}, "no directory");
  expect_refused({{.name = "l", .content = "/opt/x", .mode = 0120777}, {.name = "l", .content = "x"}}, "twice");
}

TEST_F(ZipExtractorTest, RefusesLinksThatLeaveTheTree) {
  for (const char* target : {"..", "../x", "/etc/passwd", "a/../../x", "/opt/../etc"}) {
    expect_refused({{.name = "l", .content = target, .mode = 0120777}}, "entry l: the link");
  }
  expect_refused({{.name = "d/e/l", .content = "../../../x", .mode = 0120777}}, "leaves the tree");
  expect_refused({{.name = "l", .content = "", .mode = 0120777}}, "");
}

TEST_F(ZipExtractorTest, RefusesTwins) {
  expect_refused({{.name = "a", .content = "1"}, {.name = "a", .content = "2"}}, "twice");
  expect_refused({{.name = "a", .content = "1"}, {.name = "./a", .content = "2"}}, "twice");
  expect_refused({{.name = "d/", .mode = 040755}, {.name = "d/", .mode = 040700}}, "twice");
  expect_refused({{.name = "d/f"}, {.name = "d", .content = "x"}}, "twice");
}

TEST_F(ZipExtractorTest, MakesNoDevices) {
  for (const std::uint32_t type : {0020000U, 0060000U, 0010000U, 0140000U}) {
    auto extracted = extract(TestZip{{.name = "special", .content = "x", .mode = type | 0666}});
    if (extracted) {
      EXPECT_TRUE(S_ISREG(status("special").st_mode)) << type;
    } else {
      EXPECT_EQ(extracted.error().code(), ErrorCode::kInvalidArgument);
    }
  }
}

TEST_F(ZipExtractorTest, RefusesWhatItCannotRead) {
  expect_refused({{.name = "secret", .content = std::string(20, 'x'), .flags = 1}}, "encrypted");
  using Methods = std::vector<std::uint16_t>;
  for (const auto method : Methods{1, 6, 9, 12, 14, 93, 95, 97, 98, 99}) {
    expect_refused({{.name = "odd", .content = "content", .method = method}}, "another method");
  }
}

TEST_F(ZipExtractorTest, RefusesLies) {
  expect_refused({{.name = "a", .content = "x", .crc = 1}}, "damaged");
  expect_refused({{.name = "a", .content = "x", .method = 8, .crc = 1}}, "damaged");
  expect_refused({{.name = "a", .content = "hello", .uncompressed = 3}}, "");
  expect_refused({{.name = "a", .content = "hello", .method = 8, .uncompressed = 3}}, "damaged");
  expect_refused({{.name = "a", .content = "hello", .method = 8, .uncompressed = 300}}, "damaged");
  expect_refused({{.name = "a", .content = "hello", .compressed = 4'000'000'000U, .uncompressed = 4'000'000'000U}}, "");
  expect_refused({{.name = "a", .content = "garbage", .method = 0, .crc = 7}, {.name = "b"}}, "damaged");
}

TEST_F(ZipExtractorTest, RefusesWhatIsNoZip) {
  for (const std::string& bytes :
       {""s, "hello"s, std::string(100'000, 'P'), "PK\x03\x04"s, "PK\x05\x06"s + std::string(18, '\0'),
        std::string("\x1f\x8b\x08\x00", 4), TestZip().bytes()}) {
    auto extracted = extract(bytes);
    ASSERT_FALSE(extracted);
    EXPECT_EQ(extracted.error().code(), ErrorCode::kInvalidArgument) << extracted.error().message();
  }
}

TEST_F(ZipExtractorTest, RefusesEveryTruncation) {
  const std::string zip =
      TestZip{{.name = "a", .content = "some content", .method = 8}, {.name = "b/c", .content = "x"}}.bytes();
  for (std::size_t size = 0; size < zip.size(); ++size) {
    auto extracted = extract(zip.substr(0, size));
    ASSERT_FALSE(extracted) << size;
    EXPECT_EQ(extracted.error().code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(extract(zip));
}

TEST_F(ZipExtractorTest, CountsRealBytes) {
  const ZipLimits limits{.unzipped_bytes_max = 100, .entries_max = 10};
  EXPECT_TRUE(extract(
      TestZip{{.name = "a", .content = std::string(60, 'x')}, {.name = "b", .content = std::string(40, 'x')}}, limits));
  auto more = extract(
      TestZip{{.name = "a", .content = std::string(60, 'x')}, {.name = "b", .content = std::string(41, 'x')}}, limits);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code(), ErrorCode::kTooLarge);
  auto links = extract(TestZip{{.name = "l", .content = std::string(101, 'x'), .mode = 0120777}}, limits);
  ASSERT_FALSE(links);
  EXPECT_EQ(links.error().code(), ErrorCode::kTooLarge);
}

TEST_F(ZipExtractorTest, StopsABombBeforeItGoesOff) {
  // 64 MiB of zeros in a few KiB, by a real deflater.
  std::string zip(1 << 20, '\0');
  std::size_t used = 0;
  std::unique_ptr<archive, int (*)(archive*)> writer(::archive_write_new(), ::archive_write_free);
  ASSERT_EQ(::archive_write_set_format_zip(writer.get()), ARCHIVE_OK);
  ASSERT_EQ(::archive_write_open_memory(writer.get(), zip.data(), zip.size(), &used), ARCHIVE_OK);
  std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(::archive_entry_new(), ::archive_entry_free);
  ::archive_entry_set_pathname(entry.get(), "bomb");
  ::archive_entry_set_filetype(entry.get(), AE_IFREG);
  ::archive_entry_set_perm(entry.get(), 0644);
  ::archive_entry_set_size(entry.get(), 64 << 20);
  ASSERT_EQ(::archive_write_header(writer.get(), entry.get()), ARCHIVE_OK);
  const std::string zeros(1 << 20, '\0');
  for (int i = 0; i < 64; ++i) ASSERT_EQ(::archive_write_data(writer.get(), zeros.data(), zeros.size()), 1 << 20);
  ASSERT_EQ(::archive_write_close(writer.get()), ARCHIVE_OK);
  ASSERT_LT(used, 200'000U);

  auto extracted = extract(std::string_view(zip).substr(0, used));

  ASSERT_FALSE(extracted);
  EXPECT_EQ(extracted.error().code(), ErrorCode::kTooLarge);
  EXPECT_LE(fs::file_size(tree() / "bomb"), kLimits.unzipped_bytes_max);
}

TEST_F(ZipExtractorTest, CountsImpliedDirectories) {
  const ZipLimits limits{.unzipped_bytes_max = 100, .entries_max = 10};
  EXPECT_TRUE(extract(TestZip{{.name = "1/2/3/4/5/6/7/8/9/file"}}, limits));
  for (const char* name : {"1/2/3/4/5/6/7/8/9/10/file", "1/2/3/4/5/6/7/8/9/10/"}) {
    auto extracted =
        extract(TestZip{{.name = name, .mode = name[std::strlen(name) - 1] == '/' ? 040755U : 0100644U}}, limits);
    ASSERT_FALSE(extracted);
    EXPECT_EQ(extracted.error().code(), ErrorCode::kTooLarge);
  }
  std::string deep;
  for (int i = 0; i < 500; ++i) deep += "d/";
  expect_refused({{.name = deep + "f"}}, "too many directories");
}

// Whatever links a zip makes, following any of them within the tree never leads out of it: the kernel is the judge.
TEST_F(ZipExtractorTest, LetsNoCombinationOfLinksLeaveTheTree) {
  std::mt19937 random(7);
  const std::vector<std::string> names{"a", "b", "c"};
  const auto path = [&] {
    std::string made = names[random() % 3];
    for (auto depth = random() % 3; depth > 0; --depth) made += '/' + names[random() % 3];
    return made;
  };
  std::size_t followed = 0;
  for (int round = 0; round < 1500; ++round) {
    TestZip zip;
    std::vector<std::string> links;
    for (int i = 0; i < 4; ++i) {
      const std::string name = path();
      if (random() % 3 == 0) {
        zip.add({.name = name + "/", .mode = 040755});
        continue;
      }
      std::string target;
      for (auto up = random() % 3; up > 0; --up) target += "../";
      target += path();
      if (random() % 4 == 0) target += "/../" + path();
      zip.add({.name = name, .content = target, .mode = 0120777});
      links.push_back(name);
    }
    if (!extract(zip)) continue;
    auto root = open_at(directory_.descriptor(), "tree", O_PATH | O_DIRECTORY).value();
    for (const auto& link : links) {
      open_how how{};
      how.flags = O_PATH | O_CLOEXEC;
      how.resolve = RESOLVE_BENEATH;
      Fd reached(static_cast<int>(::syscall(SYS_openat2, root.get(), link.c_str(), &how, sizeof(how))));
      if (!reached && errno == ENOSYS) GTEST_SKIP() << "the kernel has no openat2";
      if (reached) ++followed;
      EXPECT_TRUE(reached || errno != EXDEV) << link;
    }
  }
  EXPECT_GT(followed, 20U);
}

}  // namespace
}  // namespace ogni::catalogue
