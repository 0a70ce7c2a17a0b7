#include "cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/text.h"

namespace ogni::cli {
namespace {

// Columns that a string takes, near enough: one for each code point.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_line(std::string_view text) {
  print(text);
  std::fputc('\n', stdout);
}

void note(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fputc('\n', stderr);
}

std::string for_terminal(std::string_view text) {
  const bool is_text = is_utf8(text);
  std::string safe;
  safe.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are control characters as well: in UTF-8, C2 80 to C2 9F.
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f || (byte >= 0x80 && !is_text)) {
      safe += fmt::format("\\x{:02x}", byte);
    } else if (byte == 0xc2 && next >= 0x80 && next <= 0x9f) {
      safe += fmt::format("\\x{:02x}", next);
      ++i;
    } else {
      safe += text[i];
    }
  }
  return safe;
}

std::string for_stdout(std::string_view text) {
  return is_terminal(STDOUT_FILENO) ? for_terminal(text) : std::string(text);
}

std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t right_aligned) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width_of(row[i]), ' ');
      const bool is_right = i + right_aligned >= widths.size();
      if (i > 0) line += "  ";
      line += is_right ? padding + row[i] : row[i] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  if (bytes < 999'950) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

ProgressLine::ProgressLine(std::string doing) : doing_(std::move(doing)), is_enabled_(is_terminal(STDERR_FILENO)) {}

ProgressLine::~ProgressLine() {
  if (shown_percent_ >= 0) std::fputs("\r\x1b[K", stderr);
}

void ProgressLine::show(std::uint64_t done, std::uint64_t total) {
  if (!is_enabled_ || total < kWorthShowingBytes) return;
  const int percent = static_cast<int>(done * 100 / total);
  if (percent == shown_percent_) return;
  shown_percent_ = percent;
  fmt::print(stderr, "\r\x1b[K{} {} of {} ({} %)", doing_, human_bytes(done), human_bytes(total), percent);
  std::fflush(stderr);
}

}  // namespace ogni::cli
