// What the dispatcher remembers of environments, versions and waiting invocations. Internal to dispatch/.
//
// Every list and timer is intrusive, so an event on the warm path allocates nothing and finds what it needs
// in O(1) or O(log n), also with 100,000 environments.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "dispatch/dispatcher.h"

namespace ogni::dispatch {

struct Version;

enum class SlotKind { kCounted, kUncounted };

struct Environment {
  Environment(EnvironmentId the_id, Version& its_version) : id(the_id), version(its_version) {}

  EnvironmentId id;
  Version& version;
  EnvironmentState state = EnvironmentState::kStarting;
  // From Deliver or RestartProgram until FinishInvocation. Without one, kResetting means that init timed out.
  std::optional<InvocationId> invocation;
  TimePoint started;
  TimePoint idle_since;
  TimePoint deadline;  // of init, of the invocation, or of the reset; meaningful while in the timers

  boost::intrusive::list_member_hook<> version_hook;   // Version::idle or Version::reset
  boost::intrusive::list_member_hook<> idle_hook;      // all idle ones, least recently used first
  boost::intrusive::list_member_hook<> unfrozen_hook;  // idle with a program that is not frozen
  bool frozen = false;
  boost::intrusive::set_member_hook<> timer_hook;

  // starts.cpp: linked while the start of its program holds a slot.
  boost::intrusive::list_member_hook<> slot_hook;
  SlotKind slot_kind{};
  bool slot_narrowed = false;  // was given while fewer were
  bool crowded = false;        // its init timed out, but because of other starts
  TimePoint slot_since;
};

// An invocation that no environment has taken.
struct Waiter {
  Waiter(InvocationId the_invocation, Version& its_version) : invocation(the_invocation), version(its_version) {}

  InvocationId invocation;
  Version& version;
  std::uint64_t arrival = 0;  // the key in the map that holds it
  TimePoint since;
  bool is_in_grace = false;
  TimePoint deadline;  // end of its grace, or of all its waiting
  int environments_lost = 0;
  boost::intrusive::set_member_hook<> timer_hook;
};

struct Version {
  using EnvironmentList = boost::intrusive::list<
      Environment,
      boost::intrusive::member_hook<Environment, boost::intrusive::list_member_hook<>, &Environment::version_hook>>;
  using Waiters = std::map<std::uint64_t, Waiter>;  // by arrival

  explicit Version(const VersionSpec& the_spec) : spec(the_spec) {}

  bool has_waiting() const { return !in_grace.empty() || !for_start.empty(); }

  VersionSpec spec;
  bool retired = false;
  std::size_t environments = 0;
  // Environments in init, or being reset because init timed out: each is good for one invocation in
  // `for_start`. For what is there beyond them starts are wanted.
  std::size_t starting = 0;
  std::size_t wanted = 0;
  std::size_t slots = 0;  // held by starts of this version
  // Environments that have answered, or are being reset after an invocation: each is good for one in
  // `in_grace`.
  std::size_t finishing = 0;
  std::optional<Duration> last_cold_start;
  Waiters in_grace;
  Waiters for_start;
  EnvironmentList idle;   // program waits in next; most recently used first
  EnvironmentList reset;  // no program; most recently used first
  boost::intrusive::list_member_hook<> starved_hook;
  boost::intrusive::list_member_hook<> wanting_hook;
};

template <typename T>
struct EarlierDeadline {
  bool operator()(const T& a, const T& b) const { return a.deadline < b.deadline; }
};

template <typename T>
using Timers =
    boost::intrusive::multiset<T, boost::intrusive::member_hook<T, boost::intrusive::set_member_hook<>, &T::timer_hook>,
                               boost::intrusive::compare<EarlierDeadline<T>>>;

using IdleList =
    boost::intrusive::list<Environment, boost::intrusive::member_hook<Environment, boost::intrusive::list_member_hook<>,
                                                                      &Environment::idle_hook>>;
using UnfrozenList =
    boost::intrusive::list<Environment, boost::intrusive::member_hook<Environment, boost::intrusive::list_member_hook<>,
                                                                      &Environment::unfrozen_hook>>;
using StarvedList = boost::intrusive::list<
    Version, boost::intrusive::member_hook<Version, boost::intrusive::list_member_hook<>, &Version::starved_hook>>;

using WantingList = boost::intrusive::list<
    Version, boost::intrusive::member_hook<Version, boost::intrusive::list_member_hook<>, &Version::wanting_hook>>;
using SlotList =
    boost::intrusive::list<Environment, boost::intrusive::member_hook<Environment, boost::intrusive::list_member_hook<>,
                                                                      &Environment::slot_hook>>;

// `time` + `length` without overflow; TimePoint::max() means never.
inline TimePoint after(TimePoint time, Duration length) {
  return length >= TimePoint::max() - time ? TimePoint::max() : time + length;
}

}  // namespace ogni::dispatch
