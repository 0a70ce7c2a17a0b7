// A program per invocation: event on stdin, context in its environment, result on stdout. Its exit status and the end of
// its stderr, which is logged while it runs, make the error. Nothing is kept between invocations.
//
// stdin is a file in memory, so an event of any size waits for nobody; stdout and stderr are pipes. A child that outlives
// the program does not hold the answer up.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bootstrap/children.h"
#include "bootstrap/way.h"

namespace ogni::bootstrap {

struct ExecCommand {
  std::vector<std::string> arguments;  // the first is the path of the program
  std::string content_type;            // of the result
  Children::Policy children = Children::Policy::kKill;
};

class ExecWay final : public Way {
 public:
  // `environment` ("NAME=value") is what every call sees, beside the variables of the invocation.
  ExecWay(ExecCommand command, std::vector<std::string> environment)
      : command_(std::move(command)),
        environment_(std::move(environment)),
        own_variables_(environment_.size()),
        children_(command_.children) {}

  std::optional<StartFailure> start() override { return std::nullopt; }
  runtime::Client::Answer serve(runtime::Client& client) override;
  void clean_up() override { children_.clean({}); }

 private:
  void set_context(const runtime::Invocation& invocation);

  ExecCommand command_;
  std::vector<std::string> environment_;  // its own first, then what belongs to the invocation
  std::size_t own_variables_;
  Children children_;
  std::string result_;
};

// What the caller gets of a program that failed; `errors` is the end of its stderr. A last line "Type: message" whose
// first word begins with a capital letter names the type; the lines before it are the stack trace.
ErrorReport program_report(std::string_view errors, int wait_status, std::string_view request_id);

}  // namespace ogni::bootstrap
