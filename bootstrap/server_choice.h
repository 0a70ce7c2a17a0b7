// The ways that talk to a server of the function's own, from their settings.
#pragma once

#include "bootstrap/choice.h"

namespace ogni::bootstrap {

Choice choose_http(const Settings& settings);
Choice choose_fastcgi(const Settings& settings);

}  // namespace ogni::bootstrap
