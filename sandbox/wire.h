// The messages between daemon, launcher and init, as bytes.
//
// One message is one SOCK_SEQPACKET datagram: a byte that names its kind, then its fields, little-endian; a text is its
// length in four bytes and its bytes. A reader takes every length and count for hostile: what does not parse exactly
// is no message. Descriptors travel beside the bytes (SCM_RIGHTS); a message says how many it has and which.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/system.h"
#include "sandbox/environment.h"
#include "sandbox/launcher.h"

namespace ogni::sandbox::wire {

inline constexpr std::size_t kRequestBytesMax = std::size_t{32} * 1024;  // daemon to launcher, and its replies
inline constexpr std::size_t kControlBytesMax =
    std::size_t{128} * 1024;                    // daemon to init: a program with its variables
inline constexpr std::size_t kLayersMax = 12;   // AWS allows 5
inline constexpr std::size_t kTextsMax = 4096;  // arguments, variables, candidates: each

// Daemon to launcher. Descriptors: root if has_root, task if has_task, runtime if has_runtime, then the layers.
struct MakeEnvironment {
  std::uint64_t id = 0;
  Strength strength = Strength::kNamespace;
  std::uint64_t memory_bytes = 0;
  std::uint64_t tmp_bytes = 0;
  std::uint64_t processor_share = 0;
  std::uint64_t processor_limit = 0;
  bool has_root = false;
  bool has_task = false;
  bool has_runtime = false;
  bool egress = false;
  std::uint32_t layers = 0;
};

// Launcher to daemon.
struct Ready {
  LauncherMeans means;
};
struct CannotStart {
  std::string message;
  bool is_lasting = false;  // else another launcher is being started, or the end follows
};
// The launcher ended, and every environment with it; another one is being started. Ready or the end follow.
struct Lost {
  std::string why;
};
// Descriptors: control, process, log, then memory.stat and the cgroup's directory if has_cgroup, then the freezer's file
// unless it is done by signals.
struct Made {
  std::uint64_t id = 0;
  bool has_cgroup = false;
  FreezeWay freeze_way = FreezeWay::kSignals;
  std::uint64_t processor_weight = 0;  // 0: there are no descriptors to set it
};
struct Refused {
  std::uint64_t id = 0;
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};
using LauncherMessage = std::variant<Ready, CannotStart, Made, Refused, Lost>;

// Daemon to init; a Program means: start it.
struct Kill {};
struct Signal {
  int number = 0;
};
struct Measure {};
struct Freeze {};
struct Thaw {};
using ControlRequest = std::variant<Program, Kill, Signal, Measure, Freeze, Thaw>;

std::string encode(const MakeEnvironment& request);
std::string encode(const LauncherMessage& message);
std::string encode(const ControlRequest& request);
std::string encode(const Program& program);  // as ControlRequest, without a copy
// An event's descriptor (Listening's socket) is the sender's to attach.
std::string encode(const Event& event);

std::optional<MakeEnvironment> decode_make_environment(std::string_view bytes);
std::optional<LauncherMessage> decode_launcher_message(std::string_view bytes);
std::optional<ControlRequest> decode_control_request(std::string_view bytes);
// Takes the socket of a Listening out of `message`.
std::optional<Event> decode_event(Message& message);

}  // namespace ogni::sandbox::wire
