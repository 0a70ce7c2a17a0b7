#include "service/http/parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "base/text.h"

namespace ogni::http {
namespace {

namespace beast = boost::beast;

constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::size_t kHeadLinesMax = RequestParser::kFieldsMax + 2;  // the request line and the empty line

Method to_method(beast::http::verb verb) {
  switch (verb) {
    case beast::http::verb::get:
      return Method::kGet;
    case beast::http::verb::head:
      return Method::kHead;
    case beast::http::verb::post:
      return Method::kPost;
    case beast::http::verb::put:
      return Method::kPut;
    case beast::http::verb::delete_:
      return Method::kDelete;
    case beast::http::verb::patch:
      return Method::kPatch;
    case beast::http::verb::options:
      return Method::kOptions;
    default:
      return Method::kOther;
  }
}

// Parses one request. Fields go straight into the Request; bodies of known length never come here.
class OneRequest final : public beast::http::basic_parser<true> {
 public:
  OneRequest(std::size_t head_bytes_max, Request& request) : request_(&request) {
    header_limit(static_cast<std::uint32_t>(head_bytes_max));
    body_limit(boost::none);
    eager(false);
  }

  void collect_into(std::string& body, std::size_t bytes_max) {
    body_ = &body;
    body_bytes_max_ = bytes_max;
  }
  std::size_t take_chunks_begun() { return std::exchange(chunks_begun_, 0); }
  bool is_too_large() const { return too_large_; }
  std::string_view trailer(std::string_view name) const {
    for (const auto& [known, value] : trailers_) {
      if (equals_ignoring_case(known, name)) return value;
    }
    return {};
  }
  int version() const { return version_; }  // 10 or 11
  bool unknown_coding() const { return unknown_coding_; }
  bool expects_continue() const { return expects_continue_; }

 private:
  using error_code = beast::error_code;
  using string_view = beast::string_view;

  void on_request_impl(beast::http::verb verb, string_view, string_view target, int version, error_code&) override {
    version_ = version;
    request_->set_head(to_method(verb), std::string_view(target.data(), target.size()));
  }
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(beast::http::field field, string_view name, string_view value, error_code& ec) override {
    if (++fields_ > RequestParser::kFieldsMax) {
      ec = beast::http::error::header_limit;
      return;
    }
    const std::string_view text(value.data(), value.size());
    if (is_header_done()) {
      trailers_.emplace_back(std::string_view(name.data(), name.size()), text);
      return;
    }
    if (field == beast::http::field::transfer_encoding && !equals_ignoring_case(text, "chunked")) {
      unknown_coding_ = true;
    }
    if (field == beast::http::field::expect && equals_ignoring_case(text, "100-continue")) expects_continue_ = true;
    request_->add_header(std::string_view(name.data(), name.size()), text);
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(string_view, error_code& ec) override {
    ec = beast::http::error::unexpected_body;
    return 0;
  }
  void on_chunk_header_impl(std::uint64_t size, string_view, error_code&) override {
    ++chunks_begun_;
    expect(size);
  }
  std::size_t on_chunk_body_impl(std::uint64_t, string_view bytes, error_code&) override {
    expect(bytes.size());
    if (!too_large_) body_->append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_finish_impl(error_code&) override {}
  void expect(std::uint64_t more) {
    too_large_ = too_large_ || more > body_bytes_max_ - std::min(body_bytes_max_, body_->size());
  }

  Request* request_;
  std::string* body_ = nullptr;
  std::size_t body_bytes_max_ = 0;
  std::size_t chunks_begun_ = 0;
  std::size_t fields_ = 0;
  std::vector<std::pair<std::string, std::string>> trailers_;
  int version_ = 11;
  bool unknown_coding_ = false;
  bool expects_continue_ = false;
  bool too_large_ = false;
};

}  // namespace

class RequestParser::Impl {
 public:
  explicit Impl(std::size_t bytes_max) : head_bytes_max(bytes_max) {}

  // Searches what has come since the last search, as far as the lines of a head may go. Returns where the end of the
  // head begins, or npos.
  std::size_t find_head_end(std::string_view text) {
    while (searched < text.size() && head_lines <= kHeadLinesMax) {
      const std::size_t line_end = text.find('\n', searched);
      if (line_end == std::string_view::npos) {
        searched = text.size();
        break;
      }
      ++head_lines;
      searched = line_end + 1;
      if (text.substr(0, searched).ends_with(kHeadEnd)) return searched - kHeadEnd.size();
    }
    return std::string_view::npos;
  }

  std::size_t head_bytes_max;
  std::size_t searched = 0;
  std::size_t head_lines = 0;
  std::optional<OneRequest> request;
};

RequestParser::RequestParser(std::size_t head_bytes_max) : impl_(std::make_unique<Impl>(head_bytes_max)) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;

void RequestParser::reset() {
  impl_->searched = 0;
  impl_->head_lines = 0;
  impl_->request.reset();
}

std::size_t RequestParser::head_lines() const { return impl_->head_lines; }

Result<RequestParser::Head> RequestParser::parse_head(std::string_view bytes, Request& request) {
  // Empty lines before a request are skipped, as RFC 9112 2.2 asks.
  std::size_t skipped = 0;
  while (bytes.size() - skipped >= 2 && bytes[skipped] == '\r' && bytes[skipped + 1] == '\n') skipped += 2;
  if (skipped > 64) return failure(ErrorCode::kInvalidArgument, "too many empty lines");
  const std::string_view text = bytes.substr(skipped);
  if (text.empty()) return Head{};
  const char first = text.front();
  if (!(first >= 'A' && first <= 'Z') && !(first >= 'a' && first <= 'z') && text != "\r") {
    return failure(ErrorCode::kInvalidArgument, "not HTTP");
  }
  // Beast takes field after field as they come; giving it whole heads only keeps the Request whole as well.
  const std::size_t end = impl_->find_head_end(text);
  if (impl_->head_lines > kHeadLinesMax) return failure(ErrorCode::kTooLarge, "too many header fields");
  if ((end == std::string_view::npos ? text.size() : end + kHeadEnd.size()) > impl_->head_bytes_max) {
    return failure(ErrorCode::kTooLarge, "the head of the request is too large");
  }
  if (end == std::string_view::npos) return Head{};

  OneRequest& parser = impl_->request.emplace(impl_->head_bytes_max, request);
  std::string_view rest = text.substr(0, end + kHeadEnd.size());
  while (!parser.is_header_done()) {
    beast::error_code error;
    const std::size_t taken = parser.put(boost::asio::buffer(rest.data(), rest.size()), error);
    if (error == beast::http::error::header_limit) return failure(ErrorCode::kTooLarge, "too many header fields");
    if (error) return failure(ErrorCode::kInvalidArgument, error.message());
    if (taken == 0) return failure(ErrorCode::kInvalidArgument, "the head of the request is incomplete");
    rest.remove_prefix(taken);
  }
  if (parser.unknown_coding()) return failure(ErrorCode::kInvalidArgument, "unknown transfer coding");
  if (parser.upgrade()) return failure(ErrorCode::kInvalidArgument, "no protocol to upgrade to");
  if (!rest.empty())
    return failure(ErrorCode::kInvalidArgument, "the head of the request does not end where it should");

  Head head{.bytes = skipped + end + kHeadEnd.size(),
            .keep_alive = parser.keep_alive(),
            .is_http_1_0 = parser.version() < 11,
            .expects_continue = parser.expects_continue() && parser.version() >= 11};
  if (parser.chunked()) {
    head.body = Body::kChunked;
  } else if (const auto length = parser.content_length(); length && *length > 0) {
    head.body = Body::kLength;
    head.body_bytes = *length;
  }
  return head;
}

Result<RequestParser::Chunks> RequestParser::parse_chunks(std::string_view bytes, std::string& body,
                                                          std::size_t body_bytes_max) {
  OneRequest& parser = *impl_->request;
  parser.collect_into(body, body_bytes_max);
  Chunks chunks;
  // Every chunked body ends in "0\r\n\r\n", so five bytes always come; Beast asserts that it sees them together.
  constexpr std::size_t kLastChunkBytes = 5;
  while (!parser.is_done() && bytes.size() - chunks.bytes >= kLastChunkBytes) {
    beast::error_code error;
    const std::string_view rest = bytes.substr(chunks.bytes);
    const std::size_t taken = parser.put(boost::asio::buffer(rest.data(), rest.size()), error);
    chunks.bytes += taken;
    if (error == beast::http::error::need_more) break;
    if (error) return failure(ErrorCode::kInvalidArgument, error.message());
    if (taken == 0) break;
  }
  chunks.begun = parser.take_chunks_begun();
  chunks.complete = parser.is_done();
  chunks.too_large = parser.is_too_large();
  return chunks;
}

std::string_view RequestParser::trailer(std::string_view name) const {
  return impl_->request ? impl_->request->trailer(name) : std::string_view();
}

}  // namespace ogni::http
