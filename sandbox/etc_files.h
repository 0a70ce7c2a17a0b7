// What an environment's /etc is made of. Nothing of the host's that is not named here can be seen inside.
#pragma once

#include <array>
#include <string_view>

namespace ogni::sandbox {

// Copied from the host when the launcher starts and whenever they change, where they exist: what programs need to find
// libraries, certificates, time zone, file types, and themselves. Only what everyone may read is copied.
inline constexpr std::array<std::string_view, 27> kHostEtc = {
    "alternatives",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "ssl/certs",
    "ssl/openssl.cnf",
    "pki/tls/certs",
    "pki/ca-trust/extracted",
    "ca-certificates.conf",
    "localtime",
    "timezone",
    "mime.types",
    "magic",
    "magic.mime",
    "os-release",
    "debian_version",
    "services",
    "protocols",
    "locale.alias",
    "inputrc",
    "terminfo",
    "perl",
    "php",
    "R",
    "gnucobol",
    "fpc.cfg",
    "racket",
};

// Likewise every entry whose name begins so: language directories that carry a version in their names.
inline constexpr std::array<std::string_view, 8> kHostEtcPrefixes = {
    "python2", "python3", "java-", "ruby", "lua", "guile", "mono", "fpc-",
};

struct MadeUpFile {
  std::string_view name;
  std::string_view content;
};
inline constexpr std::array<MadeUpFile, 7> kMadeUpEtc = {{
    {"passwd",
     "root:x:0:0:root:/:/sbin/nologin\n"
     "nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
     "sbx_user1051:x:993:993::/tmp:/sbin/nologin\n"},
    {"group", "root:x:0:\nnogroup:x:65534:\nsbx_user1051:x:993:\n"},
    {"hosts", "127.0.0.1 localhost sandbox.localdomain sandbox\n"},
    {"hostname", "sandbox\n"},
    {"nsswitch.conf",
     "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n"},
    {"resolv.conf", ""},
    {"host.conf", "multi on\n"},
}};

}  // namespace ogni::sandbox
