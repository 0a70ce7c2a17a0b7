#include "sandbox/lasting.h"

#include <gtest/gtest.h>

#include "base/system.h"
#include "sandbox/choose_strength.h"
#include "sandbox/wire.h"

namespace ogni::sandbox {
namespace {

TEST(Lasting, IsWhatTheHostForbidsOrDoesNotHave) {
  for (const int number : {EPERM, EACCES, EROFS, ENOSYS, EOPNOTSUPP, EINVAL}) {
    EXPECT_TRUE(is_lasting(Error::from_errno("step", number))) << std::strerror(number);
  }
  EXPECT_TRUE(is_lasting({ErrorCode::kNotFound, "no such file system"}));
  EXPECT_TRUE(is_lasting(Error::from_errno("step", EPERM).within("above")));
}

TEST(Lasting, IsNothingThatMayPass) {
  for (const int number : {EAGAIN, ENOENT, ENOSPC, EMFILE, ENFILE, ENOMEM, EBUSY, EEXIST, ENODEV, ESRCH, EPIPE, EINTR,
                           ETIMEDOUT, ECONNRESET, EIO, EUSERS, EDQUOT, 0}) {
    EXPECT_FALSE(is_lasting(Error::from_errno("step", number))) << std::strerror(number);
  }
  for (const ErrorCode code :
       {ErrorCode::kUnavailable, ErrorCode::kTimedOut, ErrorCode::kLimit, ErrorCode::kInternal}) {
    EXPECT_FALSE(is_lasting({code, "a peer died"}));
  }
}

TEST(Lasting, IsKeptOnItsWayFromTheInitToTheDaemon) {
  for (const bool lasts : {false, true}) {
    Message message{.bytes = wire::encode(Event(Failed{.message = "clone3", .is_lasting = lasts})), .descriptors = {}};
    const auto event = wire::decode_event(message);
    ASSERT_TRUE(event && std::holds_alternative<Failed>(*event));
    EXPECT_EQ(is_lasting(error_of(std::get<Failed>(*event))), lasts);

    const wire::LauncherMessage said = wire::CannotStart{.message = "clone3", .is_lasting = lasts};
    const auto heard = wire::decode_launcher_message(wire::encode(said));
    ASSERT_TRUE(heard && std::holds_alternative<wire::CannotStart>(*heard));
    EXPECT_EQ(std::get<wire::CannotStart>(*heard).is_lasting, lasts);
  }
}

// A launcher that cannot even be executed says nothing of the host.
TEST(ChooseLauncher, NeverTakesLessThanNamespacesForWhatMayPass) {
  auto nothing = open_file("/dev/null", O_RDONLY);
  ASSERT_TRUE(nothing);
  Launcher::Options options;
  options.tag = "choose";
  options.program = nothing->get();

  const auto chosen = choose_launcher({.strength = std::nullopt, .had_walls = false}, options);

  ASSERT_FALSE(chosen);
  EXPECT_NE(chosen.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(chosen.error().message().find("--isolation process"), std::string::npos) << chosen.error().message();
}

}  // namespace
}  // namespace ogni::sandbox
