#include "bootstrap/company.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bootstrap/children.h"

namespace ogni::bootstrap {
namespace {

// Starts processes as it is told: 'c' a child, 'o' an orphan, 'e' one that ends at once and is waited for.
class Parent {
 public:
  Parent() {
    EXPECT_TRUE(commands_.open() && replies_.open());
    process_ = ::fork();
    if (process_ == 0) work();
  }
  ~Parent() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }

  pid_t process() const { return process_; }

  // The number of the new process; the one between it and the parent has ended.
  pid_t tell(char command) {
    EXPECT_EQ(::write(commands_.writing.get(), &command, 1), 1);
    const pid_t started = hear();
    if (command == 'o') hear();
    return started;
  }

 private:
  pid_t hear() {
    pid_t process = 0;
    EXPECT_EQ(::read(replies_.reading.get(), &process, sizeof process), static_cast<ssize_t>(sizeof process));
    return process;
  }

  void start_and_tell() const {
    const pid_t child = ::fork();
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
    if (::write(replies_.writing.get(), &child, sizeof child) < 0) ::_exit(1);
  }

  [[noreturn]] void work() const {
    char command = 0;
    while (::read(commands_.reading.get(), &command, 1) == 1) {
      if (command == 'c') {
        start_and_tell();
        continue;
      }
      const pid_t between = ::fork();
      if (between == 0) {
        if (command == 'o') start_and_tell();
        ::_exit(0);
      }
      ::waitpid(between, nullptr, 0);
      if (::write(replies_.writing.get(), &between, sizeof between) < 0) ::_exit(1);
    }
    ::_exit(0);
  }

  Pipe commands_;
  Pipe replies_;
  pid_t process_ = -1;
};

TEST(Company, IsAnyProcessThatOutlastsItsCallAndIsNoticedOnce) {
  if (::access("/proc/thread-self/children", R_OK) != 0) GTEST_SKIP() << "this kernel does not list children";
  const Children reaper(Children::Policy::kKeep);
  Parent parent;
  Company company(parent.process());
  EXPECT_FALSE(company.has_joined());
  const pid_t child = parent.tell('c');
  EXPECT_TRUE(company.has_joined());
  EXPECT_FALSE(company.has_joined());
  const pid_t orphan = parent.tell('o');
  EXPECT_TRUE(company.has_joined());
  EXPECT_FALSE(company.has_joined());
  ::kill(orphan, SIGKILL);
  EXPECT_EQ(::waitpid(orphan, nullptr, 0), orphan);
  EXPECT_FALSE(company.has_joined());
  parent.tell('e');
  EXPECT_FALSE(company.has_joined());
  ::kill(child, SIGKILL);
}

}  // namespace
}  // namespace ogni::bootstrap
