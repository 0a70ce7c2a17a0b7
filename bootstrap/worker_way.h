// The handler in a long-lived interpreter (worker.h), which is replaced when it has died.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bootstrap/way.h"
#include "bootstrap/worker.h"

namespace ogni::bootstrap {

class WorkerWay final : public Way {
 public:
  WorkerWay(WorkerCommand command, std::vector<std::string> environment)
      : command_(std::move(command)), environment_(std::move(environment)) {}

  std::optional<StartFailure> start() override;
  runtime::Client::Answer serve(runtime::Client& client) override;

 private:
  std::string_view make_frame(const runtime::Invocation& invocation);
  runtime::Client::Answer answer(runtime::Client& client);
  runtime::Client::Answer stream(runtime::Client& client);
  ErrorReport failure(Worker::Outcome outcome, std::string_view request_id);

  WorkerCommand command_;
  std::vector<std::string> environment_;
  FrameWriter writer_;
  std::unique_ptr<Worker> worker_;  // null after a failure
};

}  // namespace ogni::bootstrap
