# Writes INPUT's bytes as a constexpr array into the header OUTPUT; called by ogni_embed.
file(READ ${INPUT} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR size "${digits} / 2")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "#pragma once
#include <string_view>
namespace ogni::embedded {
namespace bytes {
inline constexpr unsigned char ${VARIABLE}[] = {${bytes}0};
}
inline const std::string_view ${VARIABLE}(reinterpret_cast<const char*>(bytes::${VARIABLE}), ${size});
}  // namespace ogni::embedded
")
