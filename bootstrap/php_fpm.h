// php-fpm as the FastCGI application: found on this machine or in a layer, with a configuration of its own below /tmp.
#pragma once

#include <string>
#include <vector>

#include "bootstrap/settings.h"

namespace ogni::bootstrap {

struct PhpFpm {
  std::vector<std::string> command;
  std::string address;  // for ServerAddress::parse()
};

// Writes the configuration. False: `problem` says what was looked for.
bool prepare_php_fpm(const Settings& settings, PhpFpm& fpm, std::string& problem);

}  // namespace ogni::bootstrap
