// SIGTERM, by which the platform announces the end of an environment.
#pragma once

#include <cstddef>

#include "runtime/client.h"

namespace ogni::runtime {

// From now on SIGTERM interrupts these clients. `clients` and what it points to live until release_sigterm(). One set of
// clients in a process at a time, as there is one disposition. False: they are others' already, or the kernel refuses.
[[nodiscard]] bool catch_sigterm(Client* const* clients, std::size_t count);
// Gives SIGTERM its former meaning, if it is `clients` that it interrupts. Afterwards they are not used any more.
void release_sigterm(Client* const* clients);

}  // namespace ogni::runtime
