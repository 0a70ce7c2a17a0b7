// The handler in a long-lived interpreter (worker.h), which is replaced when it has died; or in one for each invocation that
// was started ahead, or forked from one that has loaded the handler (the origin).
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "bootstrap/children.h"
#include "bootstrap/shell_form.h"
#include "bootstrap/way.h"
#include "bootstrap/worker.h"

namespace ogni::bootstrap {

struct WorkerSettings {
  WorkerCommand command;
  std::vector<std::string> environment;
  std::string wrapper = {};  // exec_wrapper.h; the command begins with it
  Children::Policy children = Children::Policy::kKeep;
  // Workers that are started or forked ahead, each for one invocation. 0: one worker serves them all.
  std::size_t prefork = 0;
  bool explains = false;  // on stderr, how the workers come about
};

class WorkerWay final : public Way {
 public:
  explicit WorkerWay(WorkerSettings settings) : settings_(std::move(settings)), children_(settings_.children) {}

  std::optional<StartFailure> start() override;
  runtime::Client::Answer serve(runtime::Client& client) override;
  void clean_up() override;
  void stop() override {
    if (origin_) {
      origin_->stop(kStopMax);
    } else if (worker_) {
      worker_->stop(kStopMax);
    }
  }

 private:
  bool take_waiting();
  void begin_forking();
  void fill();
  std::string_view make_frame(const runtime::Invocation& invocation);
  // The event goes to the worker; false where this one can take none more.
  bool exchange(const runtime::Invocation& invocation, Worker::Outcome& outcome);
  std::optional<std::string_view> body_of(const FrameReader& reply);
  runtime::Client::Answer answer(runtime::Client& client);
  runtime::Client::Answer stream(runtime::Client& client);
  bool belongs_to(const FrameReader& reply, std::string_view request_id) const;
  ErrorReport failure(Worker::Outcome outcome, std::string_view request_id);

  WorkerSettings settings_;
  Children children_;
  FrameWriter writer_;
  // Started and perhaps still loading the handler; where there is an origin, forked and ready.
  std::deque<std::unique_ptr<Worker>> waiting_;
  std::unique_ptr<Worker> origin_;  // null where workers are started, not forked
  bool forks_ = true;               // as far as is known
  bool takes_nul_bytes_ = true;
  bool wants_line_feed_ = false;
  bool names_requests_ = false;
  std::optional<ShellForm> shell_;  // of a worker that asked for it
  std::unique_ptr<Worker> worker_;  // null after a failure
};

}  // namespace ogni::bootstrap
