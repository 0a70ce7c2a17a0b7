// What the commands print. Results go to stdout, everything else to stderr; text from elsewhere is made harmless first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ogni::cli {

bool is_terminal(int fd);

void print(std::string_view text);       // to stdout, as it is
void print_line(std::string_view text);  // with a line break
void note(std::string_view line);        // to stderr, with a line break

// Text of unknown origin for a terminal: control characters but line break and tab are shown as \xNN, so that it cannot
// move the cursor or set the title, and so are all bytes beyond ASCII if it is not UTF-8.
std::string for_terminal(std::string_view text);

// `text` where stdout is no terminal, for_terminal(text) where it is.
std::string for_stdout(std::string_view text);

// Rows under a heading, columns aligned. `right_aligned` counts columns from the right end that hold numbers.
std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t right_aligned = 0);

std::string human_bytes(std::uint64_t bytes);  // "512 B", "1.2 kB", "3.4 MB"

// One line on stderr that is rewritten while something long goes on, and wiped at the end; nothing where stderr is no
// terminal or the whole is small.
class ProgressLine {
 public:
  static constexpr std::uint64_t kWorthShowingBytes = 1 << 20;

  explicit ProgressLine(std::string doing);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(std::uint64_t done, std::uint64_t total);

 private:
  std::string doing_;
  bool is_enabled_;
  int shown_percent_ = -1;
};

}  // namespace ogni::cli
