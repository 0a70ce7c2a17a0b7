// For tests: a Lambda API with one function in memory, enough for the commands' sequences of calls.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "cli/scripted_server.h"

namespace ogni::cli {

// Runs on the scripted server's thread; see there when a test may look at it.
struct FakeLambda {
  std::optional<boost::json::object> function;
  std::string zip;              // of the last upload, decoded
  int polls_until_settled = 2;  // how often a change is still under way when asked
  std::string failing_with;     // the state that a change ends in is Failed, for this reason
  int polls_left = 0;

  ScriptedReply operator()(const SeenRequest& request);
};

}  // namespace ogni::cli
