// The log of our own programs (not of functions): spdlog, to stderr. Never logs a payload, an environment
// variable's value, a credential or a header.
#pragma once

#include <spdlog/spdlog.h>
