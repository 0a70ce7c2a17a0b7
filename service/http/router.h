// Which handler serves a request: a table of methods and paths.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "service/http/message.h"

namespace ogni::http {

// Runs on the reactor; the request lives until the response is made. A throw answers 500.
using Handler = std::function<boost::asio::awaitable<Response>(Request&)>;

struct Route {
  Method method = Method::kGet;
  // "/2015-03-31/functions/{FunctionName}/code": a segment in braces is a label, whose value is decoded after
  // matching, so that an encoded '/' stays inside it.
  std::string path;
  std::string query;         // "find=LayerVersion": a parameter that must be there; such routes go first. May be empty.
  std::string operation;     // for messages and the log
  std::size_t body_max = 0;  // bytes; a larger body is refused before it is read
  Handler handler;
};

class Router {
 public:
  // Before the server starts. The first of two routes that match wins.
  void add(Route route);

  enum class Outcome { kFound, kUnknownPath, kWrongMethod, kBadEncoding };
  struct Match {
    Outcome outcome = Outcome::kUnknownPath;
    const Route* route = nullptr;
    std::string allowed_methods;  // "GET, HEAD, PUT" when kWrongMethod
  };
  // Fills the request's labels. A HEAD request is served by a GET route. One '/' at the end of the path is
  // ignored.
  Match find(Request& request) const;

 private:
  struct Entry {
    Route route;
    std::vector<std::string_view> segments;  // of route.path
  };
  std::deque<Entry> entries_;
  std::unordered_map<std::string_view, std::vector<const Entry*>> by_first_segment_;
  std::vector<const Entry*> with_first_label_;
};

}  // namespace ogni::http
