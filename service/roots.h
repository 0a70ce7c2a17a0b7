// Which files a function's root file system is made of: the host's /usr, or one that `ogni rootfs import` has stored, or a
// directory that the service was started with.
//
// A function asks by its tag ogni:rootfs, with a name of the store; whoever may call the API can name no directory of the
// host. Without the tag it gets what the service was started with, and with the name "host" the host's.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "catalogue/root_store.h"

namespace ogni::service {

inline constexpr std::string_view kRootTag = "ogni:rootfs";

// In use, and there, as long as it lives.
struct Root {
  std::string name;
  Fd lock;  // none of a plain directory
  Fd tree;  // O_PATH
};
using RootPointer = std::shared_ptr<const Root>;  // null: the host's files

// Belongs to the reactor's thread, which it asks for a few system calls; those of a store are of the disk's cache.
class Roots {
 public:
  struct Options {
    std::string name;            // of the usual one; empty: the host's
    Fd directory;                // instead of a name
    bool has_namespaces = true;  // else there is none but the host's
  };
  // `store` outlives it.
  Roots(const catalogue::RootStore& store, Options options) : store_(store), options_(std::move(options)) {}

  // Errors: kNotFound for a name that nothing was imported under, kUnavailable without namespaces; in words for whoever
  // calls the function or deploys it.
  [[nodiscard]] Result<RootPointer> find(const std::map<std::string, std::string>& tags);

  // Of a managed runtime, as the function sees it; empty where `root` is the host's. Errors: kNotFound, in words.
  [[nodiscard]] static Result<std::string> interpreter(const RootPointer& root, const std::string& runtime);

 private:
  Result<RootPointer> named(const std::string& name);

  const catalogue::RootStore& store_;
  Options options_;
  RootPointer directory_;
  std::map<std::string, std::weak_ptr<const Root>> held_;  // by name, shared among environments
};

}  // namespace ogni::service
