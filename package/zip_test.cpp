#include "package/zip.h"

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>

#include "package/temporary_folder.h"

namespace ogni::package {
namespace {

struct Entry {
  mode_t mode = 0;
  std::string data;
  std::string link;
};

// What libarchive, reading the central directory as the service does, finds in the zip.
std::map<std::string, Entry> read_back(const std::string& bytes) {
  std::map<std::string, Entry> entries;
  std::setlocale(LC_CTYPE, "C.UTF-8");  // what libarchive shows names in
  const std::unique_ptr<::archive, int (*)(::archive*)> reader(::archive_read_new(), &::archive_read_free);
  ::archive_read_support_format_zip_seekable(reader.get());
  EXPECT_EQ(::archive_read_open_memory(reader.get(), bytes.data(), bytes.size()), ARCHIVE_OK);
  ::archive_entry* at = nullptr;
  while (::archive_read_next_header(reader.get(), &at) == ARCHIVE_OK) {
    Entry entry{.mode = ::archive_entry_mode(at), .data = {}, .link = {}};
    if (const char* link = ::archive_entry_symlink(at)) entry.link = link;
    std::array<char, 4096> buffer{};
    la_ssize_t got = 0;
    while ((got = ::archive_read_data(reader.get(), buffer.data(), buffer.size())) > 0) {
      entry.data.append(buffer.data(), static_cast<std::size_t>(got));
    }
    EXPECT_EQ(got, 0) << ::archive_error_string(reader.get());
    const char* name = ::archive_entry_pathname(at);
    entries[name != nullptr ? name : ""] = entry;
  }
  return entries;
}

std::string output_of(const std::string& command) {
  std::string text;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), &::pclose);
  std::array<char, 4096> buffer{};
  std::size_t got = 0;
  while (pipe && (got = std::fread(buffer.data(), 1, buffer.size(), pipe.get())) > 0) text.append(buffer.data(), got);
  return text;
}

TEST(Zip, KeepsNamesModesLinksAndContents) {
  const TemporaryFolder folder;
  folder.write("bootstrap", "#!/bin/sh\n", 0755);
  folder.write("lib/data.txt", std::string(100'000, 'x'), 0600);
  folder.write("lib/ünïcode.txt", "u");
  folder.write("empty", "", 04644);
  std::filesystem::create_symlink("lib/data.txt", folder.path() / "link");
  std::filesystem::create_directory(folder.path() / "hollow");

  auto zip = zip_directory(folder.string(), {});

  ASSERT_TRUE(zip) << zip.error().message();
  auto entries = read_back(zip->bytes);
  EXPECT_EQ(entries.size(), 7U);
  EXPECT_EQ(zip->entries, 7U);
  EXPECT_EQ(entries["bootstrap"].mode, static_cast<mode_t>(S_IFREG | 0755));
  EXPECT_EQ(entries["bootstrap"].data, "#!/bin/sh\n");
  EXPECT_EQ(entries["lib/data.txt"].mode, static_cast<mode_t>(S_IFREG | 0600));
  EXPECT_EQ(entries["lib/data.txt"].data, std::string(100'000, 'x'));
  EXPECT_EQ(entries["lib/ünïcode.txt"].data, "u");
  EXPECT_EQ(entries["empty"].mode, static_cast<mode_t>(S_IFREG | 0644)) << "setuid is not packed";
  EXPECT_EQ(entries["link"].link, "lib/data.txt");
  EXPECT_TRUE(S_ISDIR(entries["hollow/"].mode));
  EXPECT_EQ(zip->unzipped_bytes, 10U + 100'000U + 1U);
  EXPECT_LT(zip->bytes.size(), 10'000U) << "compressed";
}

TEST(Zip, IsTheSameWhateverTheTimesAndTheTimeZone) {
  const TemporaryFolder folder;
  folder.write("b.txt", "b");
  folder.write("a/x.txt", "x");
  ::setenv("TZ", "Asia/Tokyo", 1);
  ::tzset();
  auto before = zip_directory(folder.string(), {});
  for (const char* name : {"b.txt", "a/x.txt", "a"}) {
    std::filesystem::last_write_time(folder.path() / name,
                                     std::filesystem::file_time_type::clock::now() - std::chrono::hours(5000));
  }
  ::setenv("TZ", "America/Los_Angeles", 1);
  ::tzset();
  auto after = zip_directory(folder.string(), {});
  auto kept = zip_directory(folder.string(), {.timestamps = Timestamps::kKept});
  ::unsetenv("TZ");
  ::tzset();

  ASSERT_TRUE(before);
  ASSERT_TRUE(after);
  ASSERT_TRUE(kept);
  EXPECT_EQ(before->bytes, after->bytes);
  EXPECT_NE(after->bytes, kept->bytes);
}

TEST(Zip, IsReadByUnzipAndByPython) {
  const TemporaryFolder folder;
  folder.write("bootstrap", "run", 0755);
  folder.write("größe.txt", "g");
  std::filesystem::create_symlink("bootstrap", folder.path() / "alias");
  auto zip = zip_directory(folder.string(), {});
  ASSERT_TRUE(zip) << zip.error().message();
  const TemporaryFolder elsewhere;
  elsewhere.write("code.zip", zip->bytes);
  const std::string file = elsewhere.string() + "/code.zip";

  const std::string python = output_of(
      "/usr/bin/python3 -c \"import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; "
      "print([(i.filename.encode(), oct(i.external_attr >> 16), i.date_time[0]) for i in z.infolist()])\" '" +
      file + "'");
  const std::string tested = output_of("unzip -tqq '" + file + "' 2>&1");
  const std::string listed = output_of("unzip -Z '" + file + "' 2>&1");

  EXPECT_EQ(python,
            "[(b'alias', '0o120777', 1980), (b'bootstrap', '0o100755', 1980), "
            "(b'gr\\xc3\\xb6\\xc3\\x9fe.txt', '0o100644', 1980)]\n");
  EXPECT_EQ(tested, "");
  EXPECT_NE(listed.find("lrwxrwxrwx"), std::string::npos) << listed;
  EXPECT_NE(listed.find("-rwxr-xr-x"), std::string::npos) << listed;
}

TEST(Zip, LeavesOutWhatIsNotCode) {
  const TemporaryFolder folder;
  folder.write("app.py", "");
  folder.write(".git/config", "secret");
  folder.write("pkg/__pycache__/app.cpython-311.pyc", "");
  folder.write("function.zip", "old");
  folder.write("pkg/data.zip", "kept: below the top folder it is data");

  auto zip = zip_directory(folder.string(), {});

  ASSERT_TRUE(zip) << zip.error().message();
  auto entries = read_back(zip->bytes);
  EXPECT_EQ(entries.size(), 3U);
  EXPECT_TRUE(entries.contains("app.py"));
  EXPECT_TRUE(entries.contains("pkg/data.zip"));
  EXPECT_EQ(zip->left_out, (std::vector<std::string>{".git", "function.zip", "pkg/__pycache__"}));
}

TEST(Zip, AddsExtraFilesButNeverOverOnesThatAreThere) {
  const TemporaryFolder folder;
  folder.write("hello.sh", "handler() { :; }");
  const ExtraFile bootstrap{.path = "bootstrap", .bytes = "#!/bin/bash\n", .mode = 0755};

  auto zip = zip_directory(folder.string(), {.extra = {bootstrap}});
  ASSERT_TRUE(zip) << zip.error().message();
  auto entries = read_back(zip->bytes);
  EXPECT_EQ(entries["bootstrap"].data, "#!/bin/bash\n");
  EXPECT_EQ(entries["bootstrap"].mode, static_cast<mode_t>(S_IFREG | 0755));

  folder.write("bootstrap", "mine");
  auto refused = zip_directory(folder.string(), {.extra = {bootstrap}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
}

TEST(Zip, NamesTheFileThatCannotBePacked) {
  const TemporaryFolder folder;
  folder.write("ok", "ok");
  ASSERT_EQ(::mkfifo((folder.path() / "pipe").c_str(), 0600), 0);

  auto refused = zip_directory(folder.string(), {});

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(refused.error().message().find("pipe' is a named pipe"), std::string::npos) << refused.error().message();
}

TEST(Zip, RefusesNamesThatAreNotUtf8) {
  const TemporaryFolder folder;
  folder.write("bad\xff", "");

  auto refused = zip_directory(folder.string(), {});

  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("not UTF-8"), std::string::npos);
}

TEST(Zip, RefusesWhatIsMissingEmptyOrNoFolder) {
  const TemporaryFolder folder;
  EXPECT_EQ(zip_directory(folder.string(), {}).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(zip_directory(folder.string() + "/none", {}).error().code(), ErrorCode::kIo);
  folder.write("file", "x");
  EXPECT_EQ(zip_directory(folder.string() + "/file", {}).error().code(), ErrorCode::kInvalidArgument);
}

TEST(Zip, KeepsItsBounds) {
  const TemporaryFolder folder;
  std::string noise;
  for (unsigned i = 0, x = 1; i < 300'000; ++i) noise += static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  folder.write("noise", noise);
  folder.write("more", "x");

  EXPECT_EQ(zip_directory(folder.string(), {.zip_bytes_max = 100'000}).error().code(), ErrorCode::kTooLarge);
  EXPECT_EQ(zip_directory(folder.string(), {.unzipped_bytes_max = 300'000}).error().code(), ErrorCode::kTooLarge);
  EXPECT_EQ(zip_directory(folder.string(), {.entries_max = 1}).error().code(), ErrorCode::kTooLarge);
  EXPECT_TRUE(zip_directory(folder.string(), {.unzipped_bytes_max = 300'001, .entries_max = 2}));
}

TEST(Zip, ReportsProgressUpToTheWhole) {
  const TemporaryFolder folder;
  folder.write("a", std::string(200'000, 'a'));
  folder.write("b", "b");
  std::uint64_t last = 0;
  std::uint64_t whole = 0;
  const auto progress = [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_GT(done, last);
    last = done;
    whole = total;
  };

  ASSERT_TRUE(zip_directory(folder.string(), {.progress = progress}));

  EXPECT_EQ(last, 200'001U);
  EXPECT_EQ(whole, 200'001U);
}

}  // namespace
}  // namespace ogni::package
