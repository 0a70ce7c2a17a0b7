// libarchive converts names that an archive marks as UTF-8 to the thread's locale, and drops what that cannot express.
#pragma once

#include <locale.h>

namespace ogni::catalogue {

// UTF-8 for as long as it lives. The locale is made once and never changes.
class Utf8Locale {
 public:
  Utf8Locale() {
    static const locale_t utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{});
    if (utf8 != locale_t{}) before_ = ::uselocale(utf8);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;
  ~Utf8Locale() {
    if (before_ != locale_t{}) ::uselocale(before_);
  }

 private:
  locale_t before_{};
};

}  // namespace ogni::catalogue
