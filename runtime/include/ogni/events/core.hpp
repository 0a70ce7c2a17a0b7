// What all typed events share.
#pragma once

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "ogni/json.hpp"
#include "ogni/runtime.hpp"

namespace ogni::events {

// Headers, query parameters, stage variables: one value each.
using Texts = std::map<std::string, std::string, std::less<>>;
// The same with several values each.
using TextLists = std::map<std::string, std::vector<std::string>, std::less<>>;

// An event that is not what its type says. The exception's text names the place and what was found there:
// "Records[0].body: a string is expected, not a number".
class EventError : public std::runtime_error {
 public:
  EventError(const std::string& path, const std::string& what);
  // "Records[0].body"; empty for the event as a whole.
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The event in `text`. A member that is missing or null leaves its default; one that is not known is kept in
// `other`; one of the wrong kind throws EventError, as does text that is not JSON.
// For every struct of <ogni/events.hpp>.
template <class Event>
Event parse(std::string_view text);

// The JSON of an event or a response. What `other` holds is written too: an event that was parsed comes out with
// the same members, the null and empty ones among them.
template <class Event>
std::string to_json(const Event& event);

// The value of the header `name`, in whatever case; nullptr if there is none.
const std::string* find_header(const Texts& headers, std::string_view name);

// `text` with %XX decoded and '+' as a space: keys of S3 objects, form fields.
std::string url_decode(std::string_view text);

namespace detail {

template <class Function>
struct Parameter : Parameter<decltype(&Function::operator())> {};
template <class Result, class Event, class... Rest>
struct Parameter<Result (*)(Event, Rest...)> {
  using type = std::remove_cvref_t<Event>;
};
template <class Object, class Result, class Event, class... Rest>
struct Parameter<Result (Object::*)(Event, Rest...) const> {
  using type = std::remove_cvref_t<Event>;
};
template <class Object, class Result, class Event, class... Rest>
struct Parameter<Result (Object::*)(Event, Rest...)> {
  using type = std::remove_cvref_t<Event>;
};
template <class Result, class Event, class... Rest>
struct Parameter<Result (*)(Event, Rest...) noexcept> {
  using type = std::remove_cvref_t<Event>;
};
template <class Object, class Result, class Event, class... Rest>
struct Parameter<Result (Object::*)(Event, Rest...) const noexcept> {
  using type = std::remove_cvref_t<Event>;
};
template <class Object, class Result, class Event, class... Rest>
struct Parameter<Result (Object::*)(Event, Rest...) noexcept> {
  using type = std::remove_cvref_t<Event>;
};

}  // namespace detail

// Makes a handler of a function with typed parameters, of one of these forms:
//
//   Response f(const Event&, const ogni::Context&)    Response f(const Event&)
//
// where Response is a struct of this library, an ogni::Response, a std::string of JSON, or void. An event of another shape
// is answered with an error of type "ogni::events::EventError"; `f` is not called then.
//
// The typed event lives until the response has been sent, so an ogni::Response may borrow from it, or a producer refer to
// it. Locals of `f` do not: what a producer needs of them, it captures by value.
template <class Function>
Handler handler(Function f) {
  using Event = typename detail::Parameter<Function>::type;
  return [f = std::move(f)](const ogni::Event& raw, const Context& context) mutable -> Response {
    const auto event = std::make_shared<const Event>(parse<Event>(raw.body));
    const auto call = [&]() -> decltype(auto) {
      if constexpr (std::is_invocable_v<Function&, const Event&, const Context&>) {
        return f(*event, context);
      } else {
        return f(*event);
      }
    };
    using Result = std::remove_cvref_t<decltype(call())>;
    if constexpr (std::is_void_v<Result>) {
      call();
      return Response::success("null");
    } else if constexpr (std::is_same_v<Result, Response>) {
      Response response = call();
      response.keep(event);
      return response;
    } else if constexpr (std::is_same_v<Result, std::string>) {
      return Response::success(call());
    } else {
      return Response::success(to_json(call()));
    }
  };
}

}  // namespace ogni::events
