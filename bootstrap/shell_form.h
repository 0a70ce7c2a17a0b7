// Invocations in the form that costs a shell least (docs/worker-protocol.md, "The form for bash"): text to evaluate, the
// event also in a file that is stdin, and what the handler prints in a file that is read here, not in the shell.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bootstrap/company.h"
#include "bootstrap/descriptor.h"
#include "runtime/client.h"

namespace ogni::bootstrap {

// `text` as a word of bash, in ASCII whatever the text and the locale. NUL bytes, which no word can hold, are left out.
void append_quoted(std::string& out, std::string_view text);

class ShellForm {
 public:
  // `files` are those that the worker got when it was started, the event's and that of what is printed, and stay the caller's.
  ShellForm(pid_t worker, const std::vector<Descriptor>& files);

  ~ShellForm();
  ShellForm(const ShellForm&) = delete;
  ShellForm& operator=(const ShellForm&) = delete;

  // Makes the files and the request ready. Files that a process left behind still holds are replaced. False: there can be
  // no fresh ones for this worker.
  bool prepare(const runtime::Invocation& invocation);
  // Of the last prepare(): what to send. Valid until the next one.
  std::string_view request() const { return request_; }

  // What has been printed; valid until the next call. Nothing: more than a response may be, or it cannot be read.
  std::optional<std::string_view> printed();

  // A longer event is read from its file: bash parses four times as slowly as it reads.
  static constexpr std::size_t kQuotedEventMax = 512;
  // A request has at least so many bytes: what the worker reads first.
  static constexpr std::size_t kBlockBytes = 256;

 private:
  bool renew();
  void remove_names();
  void set_variables(const runtime::Invocation& invocation);

  Company company_;
  int event_file_;
  int printed_file_;
  std::vector<Descriptor> own_;     // the files in place of the first
  std::vector<std::string> names_;  // of these files, where they are on disk
  bool shares_offset_ = true;       // of the event's file with the worker
  std::string arn_;                 // as the worker knows it
  std::string commands_;
  std::string request_;
  std::string buffer_;
};

}  // namespace ogni::bootstrap
