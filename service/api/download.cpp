// GET of a zip by a link that GetFunction or GetLayerVersion gave.
#include <sys/stat.h>
#include <unistd.h>

#include "service/api/api.h"

namespace ogni::service {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kPieceBytes = 256 * 1024;

struct OpenZip {
  Fd file;
  std::uint64_t bytes = 0;
};

Result<OpenZip> open_zip(const catalogue::CodeStore& store, const std::string& sha256) {
  Result<Fd> file = store.open_zip(sha256);
  if (!file) return failure(std::move(file.error()));
  struct stat status{};
  if (::fstat(file->get(), &status) != 0) return failure(Error::from_errno("size of a zip"));
  return OpenZip{.file = std::move(*file), .bytes = static_cast<std::uint64_t>(status.st_size)};
}

Result<std::string> read_piece(int file, std::uint64_t offset) {
  std::string piece(kPieceBytes, '\0');
  const ssize_t size = ::pread(file, piece.data(), piece.size(), static_cast<off_t>(offset));
  if (size < 0) return failure(Error::from_errno("read a zip"));
  piece.resize(static_cast<std::size_t>(size));
  return piece;
}

asio::awaitable<void> send_zip(std::shared_ptr<OpenZip> zip, Workers& workers, http::BodyWriter& writer) {
  std::uint64_t sent = 0;
  while (sent < zip->bytes) {
    const auto piece = co_await workers.on_pool([zip, sent] { return read_piece(zip->file.get(), sent); });
    if (!piece || piece->empty() || !co_await writer.write(*piece)) co_return;
    sent += piece->size();
  }
}

}  // namespace

asio::awaitable<Api::Answer> Api::download_code(http::Request& request) {
  const std::string& sha256 = request.label("Sha256");
  const std::string expires = request.query_value("expires").value_or("");
  const std::string token = request.query_value("token").value_or("");
  if (!links_.is_valid(sha256, expires, token, std::chrono::system_clock::now())) {
    co_return refuse(ErrorType::kAccessDenied, "The link is not valid, or no longer.");
  }
  auto opened =
      co_await parts_.workers.on_pool([&store = parts_.code_store, sha256] { return open_zip(store, sha256); });
  if (!opened && opened.error().code() == ErrorCode::kNotFound) {
    co_return refuse(ErrorType::kResourceNotFound, "The code is no longer there.");
  }
  if (!opened) co_return refuse(internal_error(opened.error(), "give a zip back"));
  const auto zip = std::make_shared<OpenZip>(std::move(*opened));
  http::Response response(200);
  response.add_header("Content-Type", "application/zip");
  response.stream_bytes = zip->bytes;
  response.stream = [zip, &workers = parts_.workers](http::BodyWriter& writer) {
    return send_zip(zip, workers, writer);
  };
  co_return response;
}

}  // namespace ogni::service
