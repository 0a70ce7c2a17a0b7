// JSON as the events of AWS have it: checked once as a whole (RFC 8259, strictly, UTF-8 too), then read where it lies.
// Nothing is copied but strings that are asked for, so a body of 6 MB costs one pass.
#pragma once

#include <string>
#include <string_view>

namespace ogni::bootstrap {

// A value within a text that outlives it.
class Json {
 public:
  enum class Kind { kNone, kObject, kArray, kString, kNumber, kBoolean, kNull };
  // Deeper texts are refused.
  static constexpr int kDepthMax = 200;

  Json() = default;  // kNone: absent
  // kNone where the text is no JSON.
  static Json parse(std::string_view text);

  Kind kind() const;
  bool is(Kind wanted) const { return kind() == wanted; }
  explicit operator bool() const { return !raw_.empty(); }
  // As it stands in the text.
  std::string_view raw() const { return raw_; }
  bool is_true() const { return raw_ == "true"; }
  // Of a string, decoded: a surrogate without its other half becomes U+FFFD. Of anything else its text as it stands.
  std::string text() const;
  // A member of an object, the last of that name. kNone where there is none, or this is no object.
  Json operator[](std::string_view name) const;

 private:
  friend class JsonItems;
  explicit Json(std::string_view raw) : raw_(raw) {}

  std::string_view raw_;
};

// The members of an object or the elements of an array, in their order; nothing of other values.
//
//   for (JsonItems items(value); items.next();) use(items.key(), items.value());
class JsonItems {
 public:
  explicit JsonItems(Json container);

  bool next();
  // Decoded; empty in an array.
  std::string key() const { return key_.text(); }
  Json value() const { return value_; }

 private:
  Json take();

  std::string_view rest_;
  bool in_object_;
  Json key_;
  Json value_;
};

}  // namespace ogni::bootstrap
