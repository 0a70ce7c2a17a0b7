// The answer and the next poll in one call.
//
// The poll is out once the answer's acknowledgement has come; what came behind that stays in its parser until next(),
// so that the event which is being answered is intact for as long as the answer may have to be sent again.
#include <sys/socket.h>

#include "protocol/runtime_api.h"
#include "runtime/client.h"

namespace ogni::runtime {

Client::Answer Client::respond_and_poll(std::string_view body, std::string_view content_type) {
  if (!may_poll_along()) return respond(body, content_type);
  return answer({"/response", content_type, body}, Quiet::kNo, Then::kPoll);
}

Client::Answer Client::fail_and_poll(std::string_view type, std::string_view body, std::string_view xray_cause) {
  if (!may_poll_along()) return fail(type, body, xray_cause);
  return answer({"/error", type, body, xray_cause}, Quiet::kNo, Then::kPoll);
}

// False: no poll is out, or its connection was lost.
bool Client::finish_poll() {
  if (!polled_) return false;
  polled_ = false;
  const int socket = connection_.socket();
  const bool waits = interrupt_.begin_wait(socket);
  if (!waits) ::shutdown(socket, SHUT_RD);  // what has arrived is still delivered
  events_.begin_after(answers_);
  bool received = connection_.receive(events_, Connection::Wait::kForever);
  if (waits) interrupt_.end_wait(socket);
  if (is_interrupted() && events_.ended_by_close()) received = false;  // it was we who closed: there may be more of it
  if (!received || is_interrupted() || !events_.keep_alive() || events_.excess() > 0) connection_.close();
  return received;
}

}  // namespace ogni::runtime
