#include "catalogue/zip_extractor.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <random>

#include "base/digest.h"
#include "base/system.h"
#include "base/temporary_directory.h"
#include "catalogue/merged_tree.h"
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
  expect_refused({{.name = "../", .mode = 040755}}, "\"..\"");
  expect_refused({{.name = std::string(300, 'n'), .content = "x"}}, "too long");
  expect_refused({{.name = "\xFF", .content = "x", .flags = 0x800}}, "damaged");
}

TEST_F(ZipExtractorTest, GoesByTheNamesOfTheDirectory) {
  auto extracted = extract(TestZip{{.name = "innocent", .content = "x", .local_name = "../evil"}});
  ASSERT_TRUE(extracted) << extracted.error().message();
  EXPECT_EQ(content("innocent"), "x");
  expect_nothing_outside();
}

TEST_F(ZipExtractorTest, KeepsABackslashWhateverSystemMadeTheZip) {
  for (const std::uint8_t host : {std::uint8_t{0}, std::uint8_t{3}, std::uint8_t{10}, std::uint8_t{11}}) {
    for (const std::string name : {"wwwroot\\app.css", "..\\..\\evil", "a\\..\\..\\evil", "\\evil", "C:\\evil"}) {
      for (const std::string folder : {"", "bin/"}) {
        auto extracted = extract(TestZip{{.name = folder + name, .content = "x", .host = host}});
        ASSERT_TRUE(extracted) << extracted.error().message();
        EXPECT_EQ(list_directory(open_at(directory_.descriptor(), "tree/" + folder, O_RDONLY).value().get()).value(),
                  std::vector<std::string>{name});
        EXPECT_EQ(content(folder + name), "x");
        expect_nothing_outside();
      }
    }
  }
}

TEST_F(ZipExtractorTest, KeepsTheBytesOfNames) {
  const std::string decomposed = "e\xCC\x81.py";  // é as macOS writes it
  const std::string code_page_437 = "\x82.py";    // é as MS-DOS wrote it
  auto extracted = extract(TestZip{{.name = decomposed, .content = "1", .flags = 0x800},
                                   {.name = code_page_437, .content = "2", .host = 0},
                                   {.name = "A", .content = "3"},
                                   {.name = "a", .content = "4"},
                                   {.name = " ", .content = "5"}});
  ASSERT_TRUE(extracted) << extracted.error().message();
  EXPECT_EQ(content(decomposed), "1");
  EXPECT_EQ(content(code_page_437), "2");
  EXPECT_EQ(content("A"), "3");
  EXPECT_EQ(content("a"), "4");
  EXPECT_EQ(content(" "), "5");
}

TEST_F(ZipExtractorTest, TakesTheUnicodeNameOfInfoZipIfItBelongsToTheName) {
  const auto field = [](std::string_view name, std::string_view unicode) {
    boost::crc_32_type checksum;
    checksum.process_bytes(name.data(), name.size());
    std::string made = TestZip::two(0x7075) + TestZip::two(5 + unicode.size()) + '\x01';
    made += TestZip::four(checksum.checksum());
    return made += unicode;
  };
  ASSERT_TRUE(extract(TestZip{{.name = "\x82", .content = "1", .extra = field("\x82", "\xC3\xA9")},
                              {.name = "other", .content = "2", .extra = field("\x82", "no")}}));
  EXPECT_EQ(content("\xC3\xA9"), "1");
  EXPECT_EQ(content("other"), "2");
  expect_refused({{.name = "\x82", .content = "1", .extra = field("\x82", "../x")}}, "\"..\"");
}

TEST_F(ZipExtractorTest, ReadsZip64) {
  TestZip zip{{.name = "a", .content = "one", .zip64 = true},
              {.name = "b/c", .content = std::string(100'000, 'x'), .method = 8, .zip64 = true}};
  for (const std::string& bytes : {zip.bytes(), zip.bytes64(), "#!/bin/sh\n" + zip.bytes64()}) {
    auto extracted = extract(bytes);
    ASSERT_TRUE(extracted) << extracted.error().message();
    EXPECT_EQ(content("a"), "one");
    EXPECT_EQ(content("b/c").size(), 100'000U);
  }
  const std::string huge = TestZip::two(1) + TestZip::two(24) + std::string(24, '\xFF');
  for (const std::string& extra : {huge, huge.substr(0, 20), TestZip::two(1) + TestZip::two(4) + "1234"}) {
    expect_refused({{.name = "a", .content = "one", .compressed = 0xffff'ffff, .extra = extra}}, "entry a: ");
  }
}

TEST_F(ZipExtractorTest, ReadsZipsWithOtherBytesAroundThem) {
  const TestZip zip{{.name = "a", .content = "one"}};
  for (const std::string& bytes : {"#!/bin/sh\nexec unzip \"$0\"\n" + zip.bytes(), zip.bytes("a comment"),
                                   zip.bytes(std::string(0xffff, 'c')), std::string(100'000, 'P') + zip.bytes("PK")}) {
    auto extracted = extract(bytes);
    ASSERT_TRUE(extracted) << extracted.error().message();
    EXPECT_EQ(content("a"), "one");
  }
}

TEST_F(ZipExtractorTest, ReadsMoreEntriesThanSixteenBitsCount) {
  TestZip zip;
  for (int i = 0; i < 66'000; ++i) zip.add({.name = "./", .mode = 040755});
  zip.add({.name = "last"});
  const ZipLimits limits{.unzipped_bytes_max = 1, .entries_max = 100'000};
  for (const std::string& bytes : {zip.bytes(), zip.bytes64()}) {
    auto extracted = extract(bytes, limits);
    ASSERT_TRUE(extracted) << extracted.error().message();
    EXPECT_EQ(extracted->entries, 66'001U);
    EXPECT_EQ(status("last").st_size, 0);
  }
}

TEST_F(ZipExtractorTest, RefusesANameWithANul) { expect_refused({{.name = "a\0/../../evil"s, .content = "x"}}, "NUL"); }

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

TEST_F(ZipExtractorTest, TakesLinksWhateverTheirTarget) {
  for (const std::string& target :
       {"/usr/bin/python3"s, "/tmp/none"s, "nowhere"s, ".."s, "../x"s, "/etc/passwd"s, "a/../../x"s, "/opt/../etc"s,
        "../../../x"s, "/"s, "l"s, "/proc/self/root"s, "\xFF\xE9"s, std::string(4095, 'n')}) {
    auto extracted = extract(TestZip{{.name = "d/l", .content = target, .mode = 0120777}});
    ASSERT_TRUE(extracted) << extracted.error().message();
    EXPECT_EQ(fs::read_symlink(tree() / "d/l"), target);
    expect_nothing_outside();
  }
}

TEST_F(ZipExtractorTest, RefusesLinksThatTheKernelDoesNotTake) {
  expect_refused({{.name = "d/l", .content = "", .mode = 0120777}}, "entry d/l: the link has no target");
  expect_refused({{.name = "l", .content = std::string(4096, 'n'), .mode = 0120777}}, "entry l: the link's target");
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
  for (const std::string& bytes : {""s, "hello"s, std::string(100'000, 'P'), "PK\x03\x04"s,
                                   "PK\x05\x06"s + std::string(17, '\0'), std::string("\x1f\x8b\x08\x00", 4)}) {
    auto extracted = extract(bytes);
    ASSERT_FALSE(extracted);
    EXPECT_EQ(extracted.error().code(), ErrorCode::kInvalidArgument) << extracted.error().message();
  }
  for (const std::string& bytes : {TestZip().bytes(), TestZip().bytes64(), TestZip().bytes("a comment")}) {
    EXPECT_EQ(extract(bytes).error().code(), ErrorCode::kNotFound);
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

// Links that lead out of the tree are made, merged and removed, and whatever lies where they lead stays as it is.
TEST_F(ZipExtractorTest, FollowsNoLinkWhateverAZipMakes) {
  const TemporaryDirectory outside;
  const fs::path victim = outside.path() / "victim";
  const auto look = [&] {
    std::string seen;
    for (const auto& entry : fs::recursive_directory_iterator(outside.path())) {
      struct stat status{};
      EXPECT_EQ(::lstat(entry.path().c_str(), &status), 0);
      seen += entry.path().string() + ' ' + std::to_string(status.st_mode) + ' ' + std::to_string(status.st_size) +
              ' ' + std::to_string(status.st_mtim.tv_sec) + ' ' + std::to_string(status.st_mtim.tv_nsec) + ' ' +
              std::to_string(status.st_nlink) + '\n';
    }
    return seen;
  };
  fs::create_directories(victim / "a/b");
  std::ofstream(victim / "a/file") << "the host's";
  std::ofstream(victim / "c") << "the host's";
  const std::string before = look();

  std::mt19937 random(7);
  const std::vector<std::string> names{"a", "b", "c", "file"};
  const auto path = [&] {
    std::string made = names[random() % names.size()];
    for (auto depth = random() % 3; depth > 0; --depth) made += '/' + names[random() % names.size()];
    return made;
  };
  std::size_t led_outside = 0;
  for (int round = 0; round < 250; ++round) {
    TestZip zip;
    bool leads_outside = false;
    for (int i = 0; i < 5; ++i) {
      const std::string name = path();
      const auto kind = random() % 4;
      if (kind == 0) {
        zip.add({.name = name + "/", .mode = 040000 | (random() % 2 != 0 ? 0755U : 0U)});
      } else if (kind == 1) {
        zip.add({.name = name, .content = "the zip's"});
      } else {
        leads_outside = random() % 2 != 0;
        const std::string target =
            leads_outside ? (random() % 2 != 0 ? victim.string() : victim.string() + '/' + path()) : "../" + path();
        zip.add({.name = name, .content = target, .mode = 0120777});
      }
    }
    if (!extract(zip)) continue;
    if (leads_outside) ++led_outside;
    fs::create_directory(directory_.path() / "merged");
    {
      std::vector<Fd> trees;
      trees.push_back(open_at(directory_.descriptor(), "tree", O_RDONLY | O_DIRECTORY).value());
      auto merged = open_at(directory_.descriptor(), "merged", O_RDONLY | O_DIRECTORY).value();
      auto done = merge_trees(trees, merged.get());
      EXPECT_TRUE(done) << done.error().message();
    }
    EXPECT_TRUE(remove_tree(directory_.descriptor(), "merged"));
    EXPECT_TRUE(remove_tree(directory_.descriptor(), "tree"));
    ASSERT_EQ(look(), before) << round;
  }
  EXPECT_GT(led_outside, 10U);
}

}  // namespace
}  // namespace ogni::catalogue
