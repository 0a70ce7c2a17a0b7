#include "sandbox/wire.h"

#include <utility>

namespace ogni::sandbox::wire {

namespace {

constexpr std::uint64_t kProcessorsMax = 1'000'000;  // thousandths

enum class Kind : std::uint8_t {
  kNone = 0,
  kMakeEnvironment = 1,
  kReady = 16,
  kCannotStart,
  kMade,
  kRefused,
  kLost,
  kProgram = 32,
  kKill,
  kSignal,
  kMeasure,
  kFreeze,
  kThaw,
  kListening = 48,
  kStartFailed,
  kExited,
  kMeasured,
  kFailed,
};

class Writer {
 public:
  explicit Writer(Kind kind) { bytes_.push_back(static_cast<char>(kind)); }

  Writer& number(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) bytes_.push_back(static_cast<char>((value >> shift) & 0xff));
    return *this;
  }
  Writer& text(std::string_view value) {
    number(value.size());
    bytes_.append(value);
    return *this;
  }
  Writer& texts(const std::vector<std::string>& values) {
    number(values.size());
    for (const std::string& value : values) text(value);
    return *this;
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// After the first field that does not fit, every further one is empty and finished() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t byte() {
    if (rest_.empty()) return fail<std::uint8_t>();
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::uint64_t number() {
    if (rest_.size() < 8) return fail<std::uint64_t>();
    std::uint64_t value = 0;
    for (int i = 7; i >= 0; --i) {
      value = value << 8 | static_cast<std::uint8_t>(rest_[static_cast<std::size_t>(i)]);
    }
    rest_.remove_prefix(8);
    return value;
  }
  // A number that the caller's type can hold.
  std::uint64_t number_up_to(std::uint64_t most) {
    const std::uint64_t value = number();
    return value <= most ? value : fail<std::uint64_t>();
  }
  bool flag() { return number_up_to(1) == 1; }
  int signed_number() {
    const auto value = static_cast<std::int64_t>(number());
    return std::in_range<int>(value) ? static_cast<int>(value) : fail<int>();
  }
  std::string text() {
    const std::uint64_t size = number();
    if (size > rest_.size()) return fail<std::string>();
    std::string value(rest_.substr(0, size));
    rest_.remove_prefix(size);
    // Every text becomes an argument of a system call.
    return value.find('\0') == std::string::npos ? value : fail<std::string>();
  }
  std::vector<std::string> texts() {
    const std::uint64_t count = number_up_to(kTextsMax);
    std::vector<std::string> values;
    for (std::uint64_t i = 0; i < count && !failed_; ++i) values.push_back(text());
    return values;
  }
  bool finished() const { return !failed_ && rest_.empty(); }

 private:
  template <typename T>
  T fail() {
    failed_ = true;
    rest_ = {};
    return T();
  }
  std::string_view rest_;
  bool failed_ = false;
};

template <typename Variant, typename T>
std::optional<Variant> whole(const Reader& reader, T value) {
  if (!reader.finished()) return std::nullopt;
  return Variant(std::move(value));
}

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

std::uint64_t as_unsigned(int value) { return static_cast<std::uint64_t>(static_cast<std::int64_t>(value)); }

}  // namespace

std::string encode(const MakeEnvironment& request) {
  return Writer(Kind::kMakeEnvironment)
      .number(request.id)
      .number(static_cast<std::uint64_t>(request.strength))
      .number(request.memory_bytes)
      .number(request.tmp_bytes)
      .number(request.processor_share)
      .number(request.processor_limit)
      .number(request.has_root)
      .number(request.has_task)
      .number(request.has_runtime)
      .number(request.egress)
      .number(request.layers)
      .take();
}

std::optional<MakeEnvironment> decode_make_environment(std::string_view bytes) {
  Reader reader(bytes);
  if (static_cast<Kind>(reader.byte()) != Kind::kMakeEnvironment) return std::nullopt;
  MakeEnvironment request;
  request.id = reader.number();
  request.strength = static_cast<Strength>(reader.number_up_to(static_cast<std::uint64_t>(Strength::kNamespace)));
  request.memory_bytes = reader.number();
  request.tmp_bytes = reader.number();
  request.processor_share = reader.number_up_to(kProcessorsMax);
  request.processor_limit = reader.number_up_to(kProcessorsMax);
  request.has_root = reader.flag();
  request.has_task = reader.flag();
  request.has_runtime = reader.flag();
  request.egress = reader.flag();
  request.layers = static_cast<std::uint32_t>(reader.number_up_to(kLayersMax));
  if (!reader.finished()) return std::nullopt;
  return request;
}

std::string encode(const LauncherMessage& message) {
  return std::visit(
      Overloaded{
          [](const Lost& lost) { return Writer(Kind::kLost).text(lost.why).take(); },
          [](const Ready& ready) {
            return Writer(Kind::kReady)
                .text(ready.means.why_tmp_is_memory)
                .number(static_cast<std::uint64_t>(ready.means.processor_way))
                .texts(ready.means.weaker)
                .text(ready.means.why_no_way_out)
                .take();
          },
          [](const CannotStart& m) { return Writer(Kind::kCannotStart).text(m.message).number(m.is_lasting).take(); },
          [](const Made& m) {
            return Writer(Kind::kMade)
                .number(m.id)
                .number(m.has_cgroup)
                .number(static_cast<std::uint64_t>(m.freeze_way))
                .number(m.processor_weight)
                .take();
          },
          [](const Refused& m) {
            return Writer(Kind::kRefused)
                .number(m.id)
                .number(static_cast<std::uint64_t>(m.code))
                .text(m.message)
                .take();
          },
      },
      message);
}

std::optional<LauncherMessage> decode_launcher_message(std::string_view bytes) {
  Reader reader(bytes);
  switch (static_cast<Kind>(reader.byte())) {
    case Kind::kLost:
      return whole<LauncherMessage>(reader, Lost{.why = reader.text()});
    case Kind::kReady: {
      Ready ready;
      ready.means.why_tmp_is_memory = reader.text();
      ready.means.processor_way =
          static_cast<ProcessorWay>(reader.number_up_to(static_cast<std::uint64_t>(ProcessorWay::kWeight)));
      ready.means.weaker = reader.texts();
      ready.means.why_no_way_out = reader.text();
      return whole<LauncherMessage>(reader, std::move(ready));
    }
    case Kind::kCannotStart: {
      CannotStart message;
      message.message = reader.text();
      message.is_lasting = reader.flag();
      return whole<LauncherMessage>(reader, std::move(message));
    }
    case Kind::kMade: {
      Made message;
      message.id = reader.number();
      message.has_cgroup = reader.flag();
      message.freeze_way =
          static_cast<FreezeWay>(reader.number_up_to(static_cast<std::uint64_t>(FreezeWay::kVersionTwo)));
      message.processor_weight = reader.number();
      return whole<LauncherMessage>(reader, message);
    }
    case Kind::kRefused: {
      Refused message;
      message.id = reader.number();
      message.code = static_cast<ErrorCode>(reader.number_up_to(static_cast<std::uint64_t>(ErrorCode::kInternal)));
      message.message = reader.text();
      return whole<LauncherMessage>(reader, std::move(message));
    }
    default:
      return std::nullopt;
  }
}

std::string encode(const Program& program) {
  return Writer(Kind::kProgram)
      .texts(program.candidates)
      .texts(program.arguments)
      .texts(program.variables)
      .text(program.working_directory)
      .number(program.memory_bytes)
      .take();
}

std::string encode(const ControlRequest& request) {
  return std::visit(Overloaded{
                        [](const Program& program) { return encode(program); },
                        [](const Kill&) { return Writer(Kind::kKill).take(); },
                        [](const Signal& m) { return Writer(Kind::kSignal).number(as_unsigned(m.number)).take(); },
                        [](const Measure&) { return Writer(Kind::kMeasure).take(); },
                        [](const Freeze&) { return Writer(Kind::kFreeze).take(); },
                        [](const Thaw&) { return Writer(Kind::kThaw).take(); },
                    },
                    request);
}

std::optional<ControlRequest> decode_control_request(std::string_view bytes) {
  Reader reader(bytes);
  switch (static_cast<Kind>(reader.byte())) {
    case Kind::kProgram: {
      Program program;
      program.candidates = reader.texts();
      program.arguments = reader.texts();
      program.variables = reader.texts();
      program.working_directory = reader.text();
      program.memory_bytes = reader.number();
      return whole<ControlRequest>(reader, std::move(program));
    }
    case Kind::kKill:
      return whole<ControlRequest>(reader, Kill{});
    case Kind::kSignal: {
      Signal signal{.number = static_cast<int>(reader.number_up_to(64))};
      return whole<ControlRequest>(reader, signal);
    }
    case Kind::kMeasure:
      return whole<ControlRequest>(reader, Measure{});
    case Kind::kFreeze:
      return whole<ControlRequest>(reader, Freeze{});
    case Kind::kThaw:
      return whole<ControlRequest>(reader, Thaw{});
    default:
      return std::nullopt;
  }
}

std::string encode(const Event& event) {
  return std::visit(
      Overloaded{
          [](const Listening& e) { return Writer(Kind::kListening).number(e.port).take(); },
          [](const StartFailed& e) {
            return Writer(Kind::kStartFailed)
                .number(static_cast<std::uint64_t>(e.step))
                .text(e.path)
                .number(as_unsigned(e.error))
                .take();
          },
          [](const Exited& e) {
            return Writer(Kind::kExited)
                .number(as_unsigned(e.wait_status))
                .number(e.max_rss_bytes)
                .number(e.out_of_memory)
                .take();
          },
          [](const Measured& e) { return Writer(Kind::kMeasured).number(e.pss_bytes).number(e.max_rss_bytes).take(); },
          [](const Failed& e) { return Writer(Kind::kFailed).text(e.message).number(e.is_lasting).take(); },
      },
      event);
}

std::optional<Event> decode_event(Message& message) {
  Reader reader(message.bytes);
  switch (static_cast<Kind>(reader.byte())) {
    case Kind::kListening: {
      Listening event;
      event.port = static_cast<std::uint16_t>(reader.number_up_to(65535));
      if (message.descriptors.size() != 1) return std::nullopt;
      event.socket = std::move(message.descriptors.front());
      return whole<Event>(reader, std::move(event));
    }
    case Kind::kStartFailed: {
      StartFailed event;
      event.step =
          static_cast<StartFailed::Step>(reader.number_up_to(static_cast<std::uint64_t>(StartFailed::Step::kOther)));
      event.path = reader.text();
      event.error = reader.signed_number();
      return whole<Event>(reader, std::move(event));
    }
    case Kind::kExited: {
      Exited event;
      event.wait_status = reader.signed_number();
      event.max_rss_bytes = reader.number();
      event.out_of_memory = reader.flag();
      return whole<Event>(reader, event);
    }
    case Kind::kMeasured: {
      Measured event;
      event.pss_bytes = reader.number();
      event.max_rss_bytes = reader.number();
      return whole<Event>(reader, event);
    }
    case Kind::kFailed: {
      Failed event;
      event.message = reader.text();
      event.is_lasting = reader.flag();
      return whole<Event>(reader, std::move(event));
    }
    default:
      return std::nullopt;
  }
}

}  // namespace ogni::sandbox::wire
