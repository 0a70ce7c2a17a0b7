#include "bootstrap/frame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

namespace ogni::bootstrap {
namespace {

using State = FrameReader::State;

void feed(FrameReader& reader, std::string_view bytes) {
  while (!bytes.empty()) {
    const FrameReader::Space space = reader.space();
    const std::size_t count = std::min(space.size, bytes.size());
    if (count == 0) return;
    std::memcpy(space.data, bytes.data(), count);
    reader.commit(count);
    bytes.remove_prefix(count);
  }
}

std::string frame(std::string_view kind, std::string_view name, std::string_view value, std::string_view body) {
  FrameWriter writer;
  writer.field(name, value);
  return std::string(writer.finish(kind, body.size())).append(body);
}

TEST(Frame, IsReadAsItWasWrittenSplitAtEveryByte) {
  const std::string body("result 0 2\n\0\xff{}", 15);
  const std::string bytes = frame("result", "content_type", "text/plain; a=b", body);
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    FrameReader reader;
    feed(reader, std::string_view(bytes).substr(0, split));
    EXPECT_EQ(reader.state(), split == bytes.size() ? State::kDone : State::kIncomplete);
    feed(reader, std::string_view(bytes).substr(split));
    ASSERT_EQ(reader.state(), State::kDone);
    EXPECT_EQ(reader.kind(), "result");
    EXPECT_EQ(reader.field("content_type"), "text/plain; a=b");
    EXPECT_EQ(reader.field("content"), "");
    EXPECT_EQ(reader.body(), body);
  }
}

TEST(Frame, OfAStreamMayBeFollowedAtOnceSplitAtEveryByte) {
  const std::string bytes = frame("stream", "content_type", "text/html", "end 0 0\n") + frame("chunk", "", "", "") +
                            frame("chunk", "n", "v", "second") + frame("end", "", "", "last");
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    FrameReader reader;
    std::string seen;
    // Takes one piece and counts the frames that it completes.
    const auto take = [&](std::string_view piece) {
      while (true) {
        const FrameReader::Space space = reader.space();
        const std::size_t count = std::min(space.size, piece.size());
        if (count > 0) std::memcpy(space.data, piece.data(), count);
        reader.commit(count);
        piece.remove_prefix(count);
        while (reader.state() == State::kDone && reader.kind() != "end") {
          seen.append(reader.kind()).append(":").append(reader.body()).append("|");
          reader.next();
        }
        if (piece.empty() || reader.state() != State::kIncomplete) return;
      }
    };
    take(std::string_view(bytes).substr(0, split));
    take(std::string_view(bytes).substr(split));
    ASSERT_EQ(reader.state(), State::kDone) << split;
    EXPECT_EQ(seen, "stream:end 0 0\n|chunk:|chunk:second|") << split;
    EXPECT_EQ(reader.kind(), "end");
    EXPECT_EQ(reader.body(), "last");
  }
  FrameReader reader;
  feed(reader, frame("stream", "", "", "x") + frame("end", "", "", "") + frame("end", "", "", ""));
  EXPECT_EQ(reader.next(), State::kFailed) << "nothing follows the end";
}

TEST(Frame, KeepsAFieldOnItsLine) {
  FrameWriter writer;
  writer.field("a", "1\nb=2\r\n");
  writer.field("empty", "");
  EXPECT_EQ(writer.finish("invoke", 7), "invoke 10 7\na=1 b=2  \n");
  writer.clear();
  EXPECT_EQ(writer.finish("invoke", 0), "invoke 0 0\n");
}

TEST(Frame, ReadsLargeBodiesOneAfterTheOther) {
  FrameReader reader;
  for (const std::size_t bytes : {std::size_t{6} << 20, std::size_t{0}, std::size_t{65536}, std::size_t{6} << 20}) {
    const std::string body(bytes, 'x');
    feed(reader, frame("result", "n", "v", body));
    ASSERT_EQ(reader.state(), State::kDone);
    EXPECT_TRUE(reader.body() == body);
    EXPECT_EQ(reader.field("n"), "v");
    reader.reset();
  }
}

TEST(Frame, RefusesWhatIsNone) {
  for (const std::string bytes :
       {"\n", "result\n", "result 0\n", " 0 0\n", "result 0 x\n", "result -1 0\n", "result 0 1 \n", "result  0 0\n",
        "result 65537 0\n", "result 0 268435457\n", "result 99999999999999999999 0\n", "ready 0 0\nready 0 0\n"}) {
    FrameReader reader;
    feed(reader, bytes);
    EXPECT_EQ(reader.state(), State::kFailed) << bytes;
  }
  FrameReader endless;
  feed(endless, std::string(1000, 'a'));
  EXPECT_EQ(endless.state(), State::kFailed);
}

}  // namespace
}  // namespace ogni::bootstrap
