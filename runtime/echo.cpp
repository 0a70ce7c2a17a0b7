// The smallest function in C++: answers every event with itself. Tests and benchmarks build it.
#include <ogni/runtime.hpp>

int main() {
  return ogni::run([](const ogni::Event& event, const ogni::Context&) {
    return ogni::Response::borrowed(event.body, std::string(event.content_type));
  });
}
