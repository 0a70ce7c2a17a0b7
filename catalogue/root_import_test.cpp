#include "catalogue/root_import.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/system.h"
#include "base/temporary_directory.h"
#include "catalogue/test_tar.h"
#include "catalogue/tree.h"

namespace ogni::catalogue {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kDirectory = S_IFDIR | 0755;

class RootImportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(outside());
    std::ofstream(outside() / "secret") << "secret";
  }
  void TearDown() override { EXPECT_TRUE(remove_tree(directory_.descriptor(), "draft")); }

  Result<ImportedRoot> import(const fs::path& source) {
    EXPECT_TRUE(remove_tree(directory_.descriptor(), "draft"));
    fs::create_directory(directory_.path() / "draft");
    auto draft = open_file((directory_.path() / "draft").string(), O_RDONLY | O_DIRECTORY);
    auto opened = open_file(source.string(), O_RDONLY);
    if (!draft || !opened) return failure(ErrorCode::kInternal, "the test could not open it");
    return import_root(opened->get(), draft->get(), wish_);
  }
  Result<ImportedRoot> import_tar(const std::string& bytes) {
    std::ofstream(directory_.path() / "source.tar", std::ios::binary) << bytes;
    return import(directory_.path() / "source.tar");
  }
  Result<ImportedRoot> import_tar(const std::vector<TarEntry>& entries) { return import_tar(make_tar(entries)); }
  // Of the layers, the lowest first, as an image.
  Result<ImportedRoot> import_layers(const std::vector<std::vector<TarEntry>>& layers) {
    const fs::path place = directory_.path() / ("layout" + std::to_string(++layouts_));
    const TestLayout layout(place);
    std::vector<std::string> described;
    for (const auto& entries : layers) described.push_back(layout.layer(make_tar(entries)));
    layout.index({layout.manifest(described, own_platform().architecture)});
    return import(place);
  }

  void expect_refused(const Result<ImportedRoot>& imported, const std::string& words,
                      ErrorCode code = ErrorCode::kInvalidArgument) {
    ASSERT_FALSE(imported) << words;
    EXPECT_EQ(imported.error().code(), code) << imported.error().message();
    EXPECT_NE(imported.error().message().find(words), std::string::npos) << imported.error().message();
    expect_nothing_outside();
  }
  void expect_nothing_outside() {
    EXPECT_EQ(content_of(outside() / "secret"), "secret");
    EXPECT_EQ(std::distance(fs::directory_iterator(outside()), {}), 1);
    struct stat status{};
    ::stat((outside() / "secret").c_str(), &status);
    EXPECT_EQ(status.st_nlink, 1U) << "a hard link was made";
  }

  static std::string content_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::string content(const std::string& name) const { return content_of(tree() / name); }
  bool exists(const std::string& name) const { return fs::exists(fs::symlink_status(tree() / name)); }
  mode_t mode(const std::string& name) const {
    struct stat status{};
    EXPECT_EQ(::lstat((tree() / name).c_str(), &status), 0) << name;
    return status.st_mode;
  }
  fs::path tree() const { return directory_.path() / "draft/tree"; }
  fs::path outside() const { return directory_.path() / "outside"; }

  TemporaryDirectory directory_;
  ImportWish wish_{.limits = {.bytes_max = 1 << 20, .entries_max = 1000}, .reference = {}};
  int layouts_ = 0;
};

TEST_F(RootImportTest, UnpacksATarHoweverItIsCompressed) {
  for (const Packing packing : {Packing::kNone, Packing::kGzip, Packing::kZstd, Packing::kXz}) {
    const std::string bytes = make_tar({{.name = "./", .mode = kDirectory},
                                        {.name = "./usr/bin/tool", .content = "program", .mode = S_IFREG | 0700},
                                        {.name = "./bin", .link = "usr/bin"}},
                                       packing);
    auto imported = import_tar(bytes);
    ASSERT_TRUE(imported) << imported.error().message();
    EXPECT_EQ(content("usr/bin/tool"), "program");
    EXPECT_EQ(fs::read_symlink(tree() / "bin"), "usr/bin");
    EXPECT_EQ(imported->kind, "tar");
    EXPECT_EQ(imported->digest, "sha256:" + to_hex(sha256(bytes)));
    EXPECT_EQ(imported->content.bytes, 14U);
  }
}

TEST_F(RootImportTest, MakesEverythingReadableAndNothingPrivileged) {
  const mode_t before = ::umask(0077);
  auto imported = import_tar({{.name = "closed/", .mode = S_IFDIR | 01700},
                              {.name = "closed/secret", .content = "x", .mode = S_IFREG | 0400},
                              {.name = "setuid", .content = "x", .mode = S_IFREG | 06711},
                              {.name = "implied/file", .content = "x", .mode = S_IFREG | 0}});
  ::umask(before);
  ASSERT_TRUE(imported) << imported.error().message();
  EXPECT_EQ(mode(""), kDirectory);
  EXPECT_EQ(mode("closed"), kDirectory);
  EXPECT_EQ(mode("implied"), kDirectory);
  EXPECT_EQ(mode("closed/secret"), S_IFREG | 0644U);
  EXPECT_EQ(mode("setuid"), S_IFREG | 0755U);
  EXPECT_EQ(mode("implied/file"), S_IFREG | 0644U);
  EXPECT_EQ(fs::last_write_time(tree() / "setuid"),
            std::chrono::file_clock::from_sys(std::chrono::sys_seconds(std::chrono::seconds(1'700'000'000))));
}

TEST_F(RootImportTest, LeavesOutDevicesAndFifos) {
  auto imported = import_tar({{.name = "dev/null", .mode = S_IFCHR | 0666},
                              {.name = "dev/sda", .mode = S_IFBLK | 0666},
                              {.name = "run/pipe", .mode = S_IFIFO | 0666},
                              {.name = "file", .content = "x"}});
  ASSERT_TRUE(imported) << imported.error().message();
  EXPECT_EQ(imported->content.left_out, 3U);
  EXPECT_FALSE(exists("dev/null"));
  EXPECT_FALSE(exists("run/pipe"));
  EXPECT_TRUE(exists("file"));
}

TEST_F(RootImportTest, RefusesNamesThatLeadOutside) {
  expect_refused(import_tar({{.name = "../outside/evil", .content = "x"}}), "\"..\"");
  expect_refused(import_tar({{.name = "a/../../outside/evil", .content = "x"}}), "\"..\"");
  expect_refused(import_tar({{.name = (outside() / "evil").string(), .content = "x"}}), "absolute");
  expect_refused(import_tar({{.name = "../outside/", .mode = kDirectory}}), "\"..\"");
  expect_refused(import_tar({{.name = "../outside/l", .link = "x"}}), "\"..\"");
  expect_refused(import_tar({{.name = std::string(300, 'n'), .content = "x"}}), "too long");
  expect_refused(import_tar({{.name = ".", .content = "x"}}), "the root");
}

// A link of a root may say "/" or "..": for a function it ends in its root. So does it while the root is made.
TEST_F(RootImportTest, FollowsLinksWithinTheRootAlone) {
  for (const std::string& target : {outside().string(), std::string("../../../../../../../.."), std::string("/")}) {
    const std::string below = target == outside().string() ? "" : outside().string();
    auto imported = import_tar({{.name = "way", .link = target}, {.name = "way" + below + "/evil", .content = "x"}});
    if (imported) {
      EXPECT_TRUE(fs::is_symlink(tree() / "way"));
    } else {
      EXPECT_EQ(imported.error().code(), ErrorCode::kInvalidArgument) << imported.error().message();
    }
    expect_nothing_outside();
  }
  auto imported = import_tar({{.name = "usr/lib/", .mode = kDirectory},
                              {.name = "lib", .link = "/usr/lib"},
                              {.name = "up", .link = "../../usr"},
                              {.name = "lib/one", .content = "1"},
                              {.name = "up/lib/two", .content = "2"}});
  ASSERT_TRUE(imported) << imported.error().message();
  EXPECT_EQ(content("usr/lib/one"), "1");
  EXPECT_EQ(content("usr/lib/two"), "2");
}

TEST_F(RootImportTest, WritesThroughNoLinkInAnEntrysPlace) {
  const std::string secret = (outside() / "secret").string();
  auto imported = import_tar({{.name = "l", .link = secret}, {.name = "l", .content = "evil"}});
  ASSERT_TRUE(imported) << imported.error().message();
  EXPECT_EQ(content("l"), "evil");
  EXPECT_TRUE(S_ISREG(mode("l")));
  expect_nothing_outside();
  imported =
      import_tar({{.name = "d", .link = outside().string()}, {.name = "d/", .mode = kDirectory}, {.name = "d/f"}});
  ASSERT_TRUE(imported) << imported.error().message();
  EXPECT_TRUE(S_ISDIR(mode("d")));
  expect_nothing_outside();
}

TEST_F(RootImportTest, LinksHardOnlyWithinTheRoot) {
  expect_refused(import_tar({{.name = "h", .hard_link = "../outside/secret"}}), "outside");
  expect_refused(import_tar({{.name = "h", .hard_link = (outside() / "secret").string()}}), "outside");
  expect_refused(import_tar({{.name = "h", .hard_link = "nothing"}}), "not there");
  expect_refused(import_tar({{.name = "d/", .mode = kDirectory}, {.name = "h", .hard_link = "d"}}), "directory");
  expect_refused(import_tar({{.name = "w", .link = outside().string()}, {.name = "h", .hard_link = "w/secret"}}),
                 "not there");
  // To a link that leads outside: the link, not what it leads to.
  auto imported = import_tar({{.name = "w", .link = (outside() / "secret").string()},
                              {.name = "h", .hard_link = "w"},
                              {.name = "a", .content = "x"},
                              {.name = "b", .hard_link = "a"},
                              {.name = "a", .hard_link = "a"}});
  ASSERT_TRUE(imported) << imported.error().message();
  EXPECT_TRUE(fs::is_symlink(tree() / "h"));
  EXPECT_EQ(content("b"), "x");
  EXPECT_EQ(fs::hard_link_count(tree() / "a"), 2U);
  expect_nothing_outside();
}

TEST_F(RootImportTest, TakesTheLastOfTwins) {
  auto imported = import_tar({{.name = "a", .content = "first"},
                              {.name = "a", .content = "second"},
                              {.name = "d/", .mode = kDirectory},
                              {.name = "d/inner", .content = "x"},
                              {.name = "d", .content = "a file now"}});
  ASSERT_TRUE(imported) << imported.error().message();
  EXPECT_EQ(content("a"), "second");
  EXPECT_EQ(content("d"), "a file now");
  expect_refused(import_tar({{.name = "f", .content = "x"}, {.name = "f/below", .content = "x"}}), "no directory");
}

TEST_F(RootImportTest, KeepsNamesThatAreNoText) {
  auto imported = import_tar({{.name = "\xff\xfe", .content = "bytes"}, {.name = "caf\xc3\xa9", .content = "text"}});
  ASSERT_TRUE(imported) << imported.error().message();
  EXPECT_EQ(content("\xff\xfe"), "bytes");
  EXPECT_EQ(content("caf\xc3\xa9"), "text");
}

TEST_F(RootImportTest, StopsAtItsLimits) {
  wish_.limits = {.bytes_max = 100, .entries_max = 5};
  expect_refused(
      import_tar({{.name = "a", .content = std::string(60, 'x')}, {.name = "b", .content = std::string(60, 'x')}}),
      "more than 100 bytes", ErrorCode::kTooLarge);
  std::vector<TarEntry> many;
  for (int i = 0; i < 6; ++i) many.push_back({.name = "f" + std::to_string(i)});
  expect_refused(import_tar(many), "more than 5 entries", ErrorCode::kTooLarge);
  expect_refused(import_tar({{.name = "1/2/3/4/5/f"}}), "more than 5 entries", ErrorCode::kTooLarge);
  // The same file again and again leaves no more behind, but costs as much.
  expect_refused(import_tar(std::vector<TarEntry>(6, {.name = "f"})), "more than 5 entries", ErrorCode::kTooLarge);
  wish_.limits.bytes_max = 1 << 20;
  expect_refused(import_tar(make_tar({{.name = "bomb", .content = std::string(4 << 20, '\0')}}, Packing::kGzip)),
                 "more than 1048576 bytes", ErrorCode::kTooLarge);
}

TEST_F(RootImportTest, BoundsDepthAlsoThroughLinks) {
  wish_.limits.entries_max = 10'000;
  std::vector<TarEntry> entries;
  std::string deep = "d";
  for (int i = 1; i < 100; ++i) deep += "/d";
  for (int i = 0; i < 5; ++i) {
    entries.push_back({.name = deep + "/", .mode = kDirectory});
    const std::string link = "l" + std::to_string(i);
    entries.push_back({.name = link, .link = deep});
    deep = link + "/d";
    for (int j = 1; j < 100; ++j) deep += "/d";
  }
  expect_refused(import_tar(entries), "too many directories");
}

TEST_F(RootImportTest, RefusesWhatIsNoTar) {
  expect_refused(import_tar(std::string("PK\x03\x04 a zip, or so it seems")), "not a tar");
  expect_refused(import_tar(std::string(5000, 'x')), "tar");
  expect_refused(import_tar(std::string()), "nothing is in it");
  std::string cut = make_tar({{.name = "a", .content = std::string(100'000, 'x')}});
  cut.resize(50'000);
  expect_refused(import_tar(cut), "damaged");
  expect_refused(import_tar({{.name = "manifest.json", .content = "[]"}, {.name = "repositories"}}),
                 "Docker's old form");
}

TEST_F(RootImportTest, CopiesADirectoryWithoutItsSecrets) {
  const fs::path source = directory_.path() / "source";
  fs::create_directories(source / "etc");
  fs::create_directories(source / "closed");
  std::ofstream(source / "etc/file") << "content";
  fs::create_hard_link(source / "etc/file", source / "etc/again");
  fs::create_symlink(outside(), source / "way");
  ::mkfifo((source / "fifo").c_str(), 0666);
  std::ofstream(source / "shadow") << "secret";
  ::chmod((source / "shadow").c_str(), 0);
  ::chmod((source / "closed").c_str(), 0);
  auto imported = import(source);
  ::chmod((source / "closed").c_str(), 0700);
  ASSERT_TRUE(imported) << imported.error().message();
  EXPECT_EQ(imported->kind, "directory");
  EXPECT_EQ(content("etc/again"), "content");
  EXPECT_EQ(fs::hard_link_count(tree() / "etc/file"), 2U);
  EXPECT_TRUE(fs::is_symlink(tree() / "way"));
  EXPECT_FALSE(exists("fifo"));
  if (::geteuid() != 0) {  // root reads everything; `ogni rootfs` is not root by then
    EXPECT_FALSE(exists("shadow"));
    EXPECT_EQ(imported->content.left_out, 3U);
  }
}

// ---------------------------------------------------------------- images

TEST_F(RootImportTest, LaysLayersOverEachOther) {
  auto imported = import_layers({{{.name = "usr/lib/a", .content = "1"},
                                  {.name = "lib", .link = "usr/lib"},
                                  {.name = "gone", .content = "x"},
                                  {.name = "gone_directory/file", .content = "x"},
                                  {.name = "opaque/below", .content = "x"},
                                  {.name = "opaque/deep/below", .content = "x"},
                                  {.name = "changed", .content = "old"}},
                                 {{.name = ".wh.gone"},
                                  {.name = ".wh.gone_directory"},
                                  {.name = "opaque/above", .content = "new"},
                                  {.name = "opaque/deep/above", .content = "new"},
                                  {.name = "opaque/.wh..wh..opq"},
                                  {.name = "lib/b", .content = "2"},
                                  {.name = "changed", .content = "new"},
                                  {.name = ".wh..wh.plnk/x"},
                                  {.name = ".wh.nothing"},
                                  {.name = "no/such/.wh.thing"}}});
  ASSERT_TRUE(imported) << imported.error().message();
  EXPECT_EQ(imported->kind, "image");
  EXPECT_EQ(imported->platform, to_string(own_platform()));
  for (const char* name : {"gone", "gone_directory", "opaque/below", "opaque/deep/below", ".wh.gone", "no"}) {
    EXPECT_FALSE(exists(name)) << name;
  }
  EXPECT_EQ(content("opaque/above"), "new");
  EXPECT_EQ(content("opaque/deep/above"), "new");
  EXPECT_EQ(content("usr/lib/a"), "1");
  EXPECT_EQ(content("usr/lib/b"), "2");
  EXPECT_EQ(content("changed"), "new");
}

TEST_F(RootImportTest, AWhiteoutSparesWhatItsOwnLayerHas) {
  for (const bool before : {true, false}) {
    std::vector<TarEntry> upper = {{.name = "d/new", .content = "new"}, {.name = "f", .content = "new"}};
    const std::vector<TarEntry> whiteouts = {{.name = ".wh.d"}, {.name = ".wh.f"}, {.name = "e/.wh..wh..opq"}};
    upper.insert(before ? upper.begin() : upper.end(), whiteouts.begin(), whiteouts.end());
    auto imported = import_layers({{{.name = "d/old"}, {.name = "f", .content = "old"}, {.name = "e/old"}}, upper});
    ASSERT_TRUE(imported) << imported.error().message();
    EXPECT_EQ(content("d/new"), "new");
    EXPECT_FALSE(exists("d/old"));
    EXPECT_EQ(content("f"), "new");
    EXPECT_TRUE(exists("e"));
    EXPECT_FALSE(exists("e/old"));
  }
}

TEST_F(RootImportTest, WhiteoutsLeadNowhere) {
  for (const char* name : {".wh.", ".wh..", ".wh...", "d/.wh...", "../.wh.outside", "/.wh.tmp"}) {
    auto imported = import_layers({{{.name = "d/f", .content = "x"}}, {{.name = name}}});
    expect_refused(imported, "");
  }
  auto imported = import_layers({{{.name = "way", .link = outside().string()}, {.name = "f"}},
                                 {{.name = "way/.wh.secret"}, {.name = "way/.wh..wh..opq"}}});
  EXPECT_TRUE(imported) << imported.error().message();
  expect_nothing_outside();
}

TEST_F(RootImportTest, FilesOfAPlainTarMayBeCalledLikeWhiteouts) {
  auto imported = import_tar({{.name = "a", .content = "x"}, {.name = ".wh.a", .content = "x"}});
  ASSERT_TRUE(imported) << imported.error().message();
  EXPECT_TRUE(exists("a"));
  EXPECT_TRUE(exists(".wh.a"));
}

TEST_F(RootImportTest, ChoosesTheImageOfThePlatform) {
  const fs::path place = directory_.path() / "layout";
  const TestLayout layout(place);
  const auto platform = [](const std::string& architecture) {
    return R"(,"platform":{"os":"linux","architecture":")" + architecture + "\"}";
  };
  const auto image = [&](const std::string& architecture) {
    const std::string packed = make_tar({{.name = "arch", .content = architecture}}, Packing::kZstd);
    return layout.manifest({layout.layer(packed, "+zstd")}, architecture, platform(architecture));
  };
  // As buildx writes them: an attestation beside the images, all in an index of their own.
  const std::string attestation = layout.add("{}", "application/vnd.oci.image.manifest.v1+json",
                                             R"(,"platform":{"os":"unknown","architecture":"unknown"})");
  layout.index({layout.add(TestLayout::index_of({image("arm64"), attestation, image("amd64")}),
                           "application/vnd.oci.image.index.v1+json")});
  for (const char* architecture : {"amd64", "arm64"}) {
    wish_.platform = {.system = "linux", .architecture = architecture};
    auto imported = import(place);
    ASSERT_TRUE(imported) << imported.error().message();
    EXPECT_EQ(content("arch"), architecture);
  }
  wish_.platform.architecture = "riscv64";
  expect_refused(import(place), "no image for linux/riscv64; there are some for linux/amd64, linux/arm64",
                 ErrorCode::kNotFound);
}

TEST_F(RootImportTest, ChoosesTheImageByItsReference) {
  const fs::path place = directory_.path() / "layout";
  const TestLayout layout(place);
  std::vector<std::string> images;
  for (const std::string name : {"one", "two"}) {
    images.push_back(layout.manifest({layout.layer(make_tar({{.name = "name", .content = name}}))},
                                     own_platform().architecture,
                                     R"(,"annotations":{"org.opencontainers.image.ref.name":")" + name + "\"}"));
  }
  layout.index(images);
  expect_refused(import(place), "one, two", ErrorCode::kNotFound);
  wish_.reference = "three";
  expect_refused(import(place), "one, two", ErrorCode::kNotFound);
  wish_.reference = "two";
  auto imported = import(place);
  ASSERT_TRUE(imported) << imported.error().message();
  EXPECT_EQ(content("name"), "two");
}

TEST_F(RootImportTest, ReadsALayoutThatIsATarAndDockersTypes) {
  const fs::path place = directory_.path() / "layout";
  const TestLayout layout(place);
  const std::string layer = make_tar({{.name = "file", .content = "x"}}, Packing::kGzip);
  const std::string config = layout.add(R"({"os":"linux","architecture":")" + own_platform().architecture + "\"}",
                                        "application/vnd.docker.container.image.v1+json");
  layout.index({layout.add(R"({"config":)" + config + R"(,"layers":[)" +
                               layout.add(layer, "application/vnd.docker.image.rootfs.diff.tar.gzip") + "]}",
                           "application/vnd.docker.distribution.manifest.v2+json")});
  std::vector<TarEntry> entries;
  for (const auto& entry : fs::recursive_directory_iterator(place)) {
    if (!entry.is_regular_file()) continue;
    entries.push_back({.name = fs::relative(entry.path(), place).string(), .content = content_of(entry.path())});
  }
  auto imported = import_tar(entries);
  ASSERT_TRUE(imported) << imported.error().message();
  EXPECT_EQ(imported->kind, "image");
  EXPECT_EQ(content("file"), "x");
  EXPECT_FALSE(fs::exists(directory_.path() / "draft/layout"));
}

TEST_F(RootImportTest, RefusesBlobsThatAreNotWhatTheirDigestsSay) {
  const fs::path place = directory_.path() / "layout";
  const TestLayout layout(place);
  const std::string layer = layout.layer(make_tar({{.name = "f", .content = "x"}}));
  const std::string manifest = layout.manifest({layer}, own_platform().architecture);
  layout.index({manifest});
  ASSERT_TRUE(import(place));

  const auto with = [&](const std::string& descriptor, const std::string& bytes, const std::string& words) {
    const std::string before = content_of(layout.blob(descriptor));
    std::ofstream(layout.blob(descriptor), std::ios::binary) << bytes;
    expect_refused(import(place), words);
    std::ofstream(layout.blob(descriptor), std::ios::binary) << before;
  };
  with(layer, make_tar({{.name = "f", .content = "y"}}), "not those of its digest");
  with(layer, content_of(layout.blob(layer)) + "trailing", "not those of its digest");
  with(manifest, content_of(layout.blob(manifest)) + " ", "not those of its digest");
  fs::remove(layout.blob(layer));
  expect_refused(import(place), "lacks the blob");
  // A blob that is a way out of the layout.
  fs::create_symlink(outside() / "secret", layout.blob(layer));
  auto imported = import(place);
  EXPECT_FALSE(imported);
  fs::remove(layout.blob(layer));
  ::mkfifo(layout.blob(layer).c_str(), 0600);
  expect_refused(import(place), "no file");
}

TEST_F(RootImportTest, EndsOnIndexesInIndexes) {
  const fs::path place = directory_.path() / "layout";
  const TestLayout layout(place);
  std::string inner = layout.manifest({layout.layer(make_tar({{.name = "f"}}))}, own_platform().architecture);
  for (int i = 0; i < 10; ++i) {
    inner = layout.add(TestLayout::index_of({inner}), "application/vnd.oci.image.index.v1+json");
  }
  layout.index({inner});
  expect_refused(import(place), "too many indexes");
}

}  // namespace
}  // namespace ogni::catalogue
