#include "ogni/events/dynamodb.hpp"

#include "runtime/events/codec.h"

namespace ogni::events {

namespace {

std::vector<std::string> read_base64_list(json::Value& from, const Place& place) {
  std::vector<std::string> texts;
  const json::Array* items = from.array();
  if (items == nullptr) wrong_kind(place, "an array", from);
  for (const json::Value& item : *items)
    texts.push_back(read_base64(item, Place{&place, {}, texts.size(), Place::Kind::kItem}));
  return texts;
}

// The attribute `name` holds `from`; false if there is no such type.
bool read_typed(std::string_view name, json::Value& from, AttributeValue& to, const Place& place) {
  const auto as = [&](auto value) {
    read(from, value, place);
    return value;
  };
  if (name == "S") {
    to.value = as(std::string());
  } else if (name == "N") {
    to.value = DynamoDbNumber{as(std::string())};
  } else if (name == "B") {
    to.value = DynamoDbBinary{read_base64(from, place)};
  } else if (name == "BOOL") {
    to.value = as(bool());
  } else if (name == "NULL") {
    if (!as(bool())) wrong(place, "true is expected");
    to.value = std::monostate();
  } else if (name == "SS") {
    to.value = DynamoDbStringSet{as(std::vector<std::string>())};
  } else if (name == "NS") {
    to.value = DynamoDbNumberSet{as(std::vector<std::string>())};
  } else if (name == "BS") {
    to.value = DynamoDbBinarySet{read_base64_list(from, place)};
  } else if (name == "L") {
    to.value = as(AttributeList());
  } else if (name == "M") {
    to.value = as(AttributeMap());
  } else {
    return false;
  }
  return true;
}

struct AttributeWriter {
  std::string& out;

  template <class T>
  void put(std::string_view name, const T& value) const {
    out += '{';
    append_json(out, name);
    out += ':';
    write(out, value);
    out += '}';
  }
  void operator()(std::monostate) const { put("NULL", true); }
  void operator()(const std::string& text) const { put("S", text); }
  void operator()(const DynamoDbNumber& number) const { put("N", number.text); }
  void operator()(const DynamoDbBinary& binary) const { put("B", base64_encode(binary.bytes)); }
  void operator()(bool boolean) const { put("BOOL", boolean); }
  void operator()(const DynamoDbStringSet& set) const { put("SS", set.values); }
  void operator()(const DynamoDbNumberSet& set) const { put("NS", set.values); }
  void operator()(const DynamoDbBinarySet& set) const {
    std::vector<std::string> texts;
    for (const std::string& bytes : set.values) texts.push_back(base64_encode(bytes));
    put("BS", texts);
  }
  void operator()(const AttributeList& list) const { put("L", list); }
  void operator()(const AttributeMap& map) const { put("M", map); }
  void operator()(const json::Object& unknown) const { append_json(out, json::Value(unknown)); }
};

}  // namespace

void read_attribute(json::Value& from, AttributeValue& to, const Place& place) {
  json::Object* members = from.object();
  if (members == nullptr) wrong_kind(place, "an object", from);
  if (members->size() == 1) {
    json::Member& only = members->members().front();
    if (read_typed(only.name, only.value, to, Place{&place, only.name, 0, Place::Kind::kMember})) return;
  }
  to.value = std::move(*members);
}

void write_attribute(std::string& out, const AttributeValue& value) { std::visit(AttributeWriter{out}, value.value); }

template <>
struct Fields<DynamoDbChange> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("Keys", self.keys);
    visit("NewImage", self.new_image);
    visit("OldImage", self.old_image);
    visit("SequenceNumber", self.sequence_number);
    visit("StreamViewType", self.stream_view_type);
    visit("SizeBytes", self.size_bytes);
    visit("ApproximateCreationDateTime", self.approximate_creation_date_time);
    visit.rest(self.other);
  }
};

template <>
struct Fields<DynamoDbRecord> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit("eventID", self.event_id);
    visit("eventName", self.event_name);
    visit("eventSource", self.event_source);
    visit("eventVersion", self.event_version);
    visit("eventSourceARN", self.event_source_arn);
    visit("awsRegion", self.aws_region);
    visit("dynamodb", self.dynamodb);
    visit("userIdentity", self.user_identity);
    visit.rest(self.other);
  }
};

template <>
struct Fields<DynamoDbEvent> {
  template <class Visitor, class Self>
  static void list(Visitor& visit, Self& self) {
    visit.always("Records", self.records);
    visit.rest(self.other);
  }
};

template DynamoDbEvent parse<DynamoDbEvent>(std::string_view);
template std::string to_json(const DynamoDbEvent&);

}  // namespace ogni::events
