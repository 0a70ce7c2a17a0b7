// HTTP/1.1 responses, from bytes to values, without a socket.
//
// The owner of the connection asks where the next bytes shall go (space()), puts them there and says how many
// came (commit()), until the state is kDone or kFailed. Because the parser hands out the place, a body is
// received straight into its final buffer. Content-Length, chunked (trailers are checked and dropped) and
// read-until-close framing; header fields in any order and case; nothing is assumed about where the bytes are
// split. Buffers are kept from one response to the next, so a warm exchange allocates nothing.
//
// What could be read in two ways is refused: both framings at once, differing lengths, folded fields, bare
// line feeds. Without memory the state is kFailed, for good. Source: RFC 9112. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "runtime/buffer.h"

namespace ogni::runtime {

class ResponseParser {
 public:
  enum class State { kHead, kBody, kDone, kFailed };
  struct Space {
    char* data;
    std::size_t size;
  };

  // A longer status line and header than this is refused; trailers and chunk extensions together too.
  static constexpr std::size_t kHeadBytesMax = 64 * 1024;
  static constexpr std::size_t kFieldsMax = 128;
  // 1xx responses skipped before the final one.
  static constexpr int kInformationalMax = 8;

  explicit ResponseParser(std::size_t body_bytes_max);
  ResponseParser(const ResponseParser&) = delete;
  ResponseParser& operator=(const ResponseParser&) = delete;

  // Where the next bytes of the connection belong; not empty in kHead and kBody, empty otherwise.
  Space space();
  // `bytes` (at most space().size) were put there.
  State commit(std::size_t bytes);
  // The peer has closed the connection: completes a body without length, else a failure.
  State finish();

  // Forgets this response and goes on with bytes that came after it, which may complete the next at once.
  State next_response();
  // Forgets this response and begins with the bytes that came after `other`'s, which is done; they stay there.
  State begin_after(const ResponseParser& other);
  // Forgets everything: a new connection.
  void reset();
  // Before the first byte of a response to HEAD: it has no body, whatever its length says.
  void expect_no_body() { body_expected_ = false; }
  // In kBody: forgets what body() has, which the owner has passed on. The limit is then one of what is held at once.
  void forget_body() { body_.set_size(0); }

  State state() const { return state_; }
  // After the head: 200 to 599.
  int status() const { return status_; }
  // Whether the connection may carry another exchange.
  bool keep_alive() const { return keep_alive_; }
  // Whether the end of the connection was that of the body: nothing else says that it is whole.
  bool ended_by_close() const { return state_ == State::kDone && framing_ == Framing::kUntilClose; }
  // Bytes that came after the end of this response.
  std::size_t excess() const { return state_ == State::kDone ? input_end_ - input_begin_ : 0; }
  // Value of the first field of that name (any case), else empty. A NUL follows it in any case.
  // Valid until next_response() or reset().
  std::string_view header(std::string_view name) const;
  // The fields of the head in their order; `index` is below fields_count(). Valid as header() is.
  struct Field {
    std::string_view name;
    std::string_view value;
  };
  std::size_t fields_count() const { return fields_count_; }
  const Field& field(std::size_t index) const { return fields_[index]; }
  // What has arrived of the body; when it is complete, a NUL follows. Valid until next_response() or reset().
  std::string_view body() const { return body_.view(); }

 private:
  enum class Framing { kLength, kChunked, kUntilClose };
  // The part of a chunked body that the next byte belongs to.
  enum class ChunkPart {
    kSizeFirst,
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailer,
    kTrailerLf,
  };

  State fail();
  State complete();
  State advance();
  State take_head();
  bool parse_head(std::string_view head);
  bool parse_status_line(std::string_view line);
  bool parse_field(std::string_view line);
  bool choose_framing();
  bool reserve_body(std::size_t bytes);
  std::size_t body_limit() const;
  void take_data();
  State take_rest();
  bool take_chunk_byte(char byte);
  bool begin_chunk();

  std::size_t body_bytes_max_;
  State state_ = State::kHead;

  Buffer input_;                 // head, then whatever else could not go into the body directly
  std::size_t input_begin_ = 0;  // first byte not consumed
  std::size_t input_end_ = 0;
  std::size_t head_end_ = 0;  // header views lie before this
  std::size_t scanned_ = 0;   // bytes of the head already searched for its end
  Field fields_[kFieldsMax];
  std::size_t fields_count_ = 0;

  int status_ = 0;
  int informational_ = 0;
  bool keep_alive_ = false;
  bool http_1_0_ = false;
  bool body_expected_ = true;
  Framing framing_ = Framing::kLength;

  Buffer body_;
  std::uint64_t remaining_ = 0;  // of the body, or of the chunk

  ChunkPart chunk_part_ = ChunkPart::kSizeFirst;
  std::uint64_t chunk_size_ = 0;
  int chunk_digits_ = 0;
  std::size_t framing_bytes_ = 0;  // chunk extensions and trailers
  std::size_t trailer_line_bytes_ = 0;
};

// What a field's name consists of.
bool is_token(std::string_view text);
// ASCII only, as field names are.
bool equals_ignoring_case(std::string_view a, std::string_view b);

}  // namespace ogni::runtime
