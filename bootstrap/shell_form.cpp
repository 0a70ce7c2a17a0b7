#include "bootstrap/shell_form.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <iterator>

#include "bootstrap/frame.h"

namespace ogni::bootstrap {
namespace {

bool is_plain(char c) { return (c >= ' ' && c <= '~') || c == '\n' || c == '\t'; }

void append_number(std::string& out, std::size_t number) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

// From the start of the file, which ends there afterwards.
bool replace_content(int file, std::string_view bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::pwrite(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return ::ftruncate(file, static_cast<off_t>(bytes.size())) == 0;
}

std::string temporary_directory() {
  const char* named = std::getenv("TMPDIR");
  return named == nullptr ? "/tmp" : named;
}

std::optional<std::size_t> size_of(int file) {
  struct stat status = {};
  if (::fstat(file, &status) != 0) return std::nullopt;
  return static_cast<std::size_t>(status.st_size);
}

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  if (std::all_of(text.begin(), text.end(), is_plain)) {
    out.push_back('\'');
    for (const char c : text) c == '\'' ? out.append("'\\''") : out.append(1, c);
    out.push_back('\'');
    return;
  }
  out.append("$'");
  for (const char c : text) {
    if (c == '\0') continue;
    if (is_plain(c) && c != '\'' && c != '\\') {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('\\');
    for (int shift = 6; shift >= 0; shift -= 3) out.push_back(static_cast<char>('0' + ((byte >> shift) & 7)));
  }
  out.push_back('\'');
}

ShellForm::ShellForm(pid_t worker, const std::vector<Descriptor>& files)
    : company_(worker), event_file_(files.at(0).get()), printed_file_(files.at(1).get()) {
  // What is printed by two programs at once is not written over, and nothing but the size is to be set back.
  ::fcntl(printed_file_, F_SETFL, O_APPEND);
}

ShellForm::~ShellForm() { remove_names(); }

void ShellForm::remove_names() {
  for (const std::string& path : names_) ::unlink(path.c_str());
  names_.clear();
}

// A file in memory has a name where the worker may look at this process, else one on disk has one until it is open.
bool ShellForm::renew() {
  const bool has_path = has_own_numbers() && ::prctl(PR_GET_DUMPABLE) == 1;
  std::vector<Descriptor> fresh;
  commands_.append("_ogni_renew");
  for (int i = 0; i < 2; ++i) {
    std::string path = temporary_directory() + "/ogni-XXXXXX";
    fresh.push_back(has_path ? memory_file("ogni-memory", {}) : lift(::mkostemp(path.data(), O_CLOEXEC)));
    if (!fresh.back()) return false;
    if (has_path) {
      path = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fresh.back().get());
    } else {
      names_.push_back(path);
    }
    commands_.push_back(' ');
    append_quoted(commands_, path);
  }
  commands_.push_back('\n');
  own_ = std::move(fresh);
  event_file_ = own_[0].get();
  printed_file_ = own_[1].get();
  shares_offset_ = false;
  return true;
}

bool ShellForm::prepare(const runtime::Invocation& invocation) {
  commands_.clear();
  remove_names();
  if (company_.has_joined() && !renew()) return false;
  const auto printed = size_of(printed_file_);
  if (!printed || (*printed > 0 && ::ftruncate(printed_file_, 0) != 0)) return false;
  if (!replace_content(event_file_, invocation.event)) return false;
  if (shares_offset_ && ::lseek(event_file_, 0, SEEK_SET) != 0) return false;
  set_variables(invocation);

  request_.clear();
  if (commands_.size() > kBlockBytes) {
    request_.append("_ogni_more ");
    append_number(request_, commands_.size());
    request_.push_back('\n');
    request_.resize(kBlockBytes, ' ');
  }
  request_.append(commands_);
  if (request_.size() < kBlockBytes) request_.resize(kBlockBytes, ' ');
  return true;
}

void ShellForm::set_variables(const runtime::Invocation& invocation) {
  if (invocation.invoked_function_arn != arn_) {
    arn_ = invocation.invoked_function_arn;
    commands_.append("_ogni_arn=");
    append_quoted(commands_, arn_);
    commands_.push_back('\n');
  }
  const bool is_long = invocation.event.size() > kQuotedEventMax;
  if (is_long) {
    commands_.append("_ogni_read ");
    append_number(commands_, invocation.event.size());
    commands_.push_back('\n');
  }
  commands_.append("_ogni_set ");
  append_quoted(commands_, invocation.request_id);
  commands_.push_back(' ');
  append_number(commands_, static_cast<std::size_t>(std::max<std::int64_t>(invocation.deadline_ms, 0)));
  commands_.push_back(' ');
  is_long ? void(commands_.append("\"$_ogni_event\"")) : append_quoted(commands_, invocation.event);
  const std::string_view rest[] = {invocation.trace_id, invocation.client_context, invocation.cognito_identity,
                                   invocation.tenant_id};
  if (std::all_of(std::begin(rest), std::end(rest), [](std::string_view value) { return value.empty(); })) return;
  for (const std::string_view value : rest) {
    commands_.push_back(' ');
    append_quoted(commands_, value);
  }
}

std::optional<std::string_view> ShellForm::printed() {
  const auto size = size_of(printed_file_);
  if (!size || *size > FrameReader::kBodyBytesMax) return std::nullopt;
  if (buffer_.size() < *size) buffer_.resize(*size);
  std::size_t done = 0;
  while (done < *size) {
    const ssize_t count = ::pread(printed_file_, buffer_.data() + done, *size - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return std::nullopt;
    if (count == 0) break;  // shortened meanwhile by whom it belongs to
    done += static_cast<std::size_t>(count);
  }
  return std::string_view(buffer_).substr(0, done);
}

}  // namespace ogni::bootstrap
