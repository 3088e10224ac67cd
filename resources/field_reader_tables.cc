// Tables whose shape is not that of their message.
#include <google/protobuf/struct.pb.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "resources/field_defaults.h"
#include "resources/field_reader.h"
#include "resources/spelling.h"

namespace fairlead::resources {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Integers beyond 2^53 lose digits, as in JSON.
void ToStructValue(const TomlValue& value, google::protobuf::Value* out) {
  switch (value.type) {
    case TomlValue::Type::kInteger:
      out->set_number_value(static_cast<double>(value.integer));
      break;
    case TomlValue::Type::kFloat:
      out->set_number_value(value.number);
      break;
    case TomlValue::Type::kBoolean:
      out->set_bool_value(value.boolean);
      break;
    case TomlValue::Type::kArray:
      out->mutable_list_value();
      for (const TomlValue& item : value.items) {
        ToStructValue(item, out->mutable_list_value()->add_values());
      }
      break;
    case TomlValue::Type::kTable:
      out->mutable_struct_value();
      for (const TomlEntry& entry : value.entries) {
        ToStructValue(entry.value, &(*out->mutable_struct_value()->mutable_fields())[entry.key]);
      }
      break;
    default:
      out->set_string_value(value.text);
  }
}

// By the first field of the elements, a text or an enum.
bool IsKeyBefore(const Message& a, const Message& b, const FieldDescriptor* key) {
  const Reflection* reflection = a.GetReflection();
  if (key->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    return reflection->GetEnumValue(a, key) < reflection->GetEnumValue(b, key);
  }
  return reflection->GetString(a, key) < reflection->GetString(b, key);
}

void SortByKey(const Field& field, Message* out) {
  const Reflection* reflection = out->GetReflection();
  const FieldDescriptor* key = field.message->fields.front().descriptor;
  for (int i = 1; i < reflection->FieldSize(*out, field.descriptor); ++i) {
    for (int j = i; j > 0; --j) {
      if (!IsKeyBefore(reflection->GetRepeatedMessage(*out, field.descriptor, j),
                       reflection->GetRepeatedMessage(*out, field.descriptor, j - 1), key)) {
        break;
      }
      reflection->SwapElements(out, field.descriptor, j, j - 1);
    }
  }
}

}  // namespace

void FieldReader::ReadTagged(const Field& field, const TomlValue& value, Message* out) {
  const Field& first = field.message->fields.front();
  const Field* short_field = ShortFieldOf(*field.message);
  Message* tagged = out->GetReflection()->MutableMessage(out, field.descriptor);
  tagged->Clear();
  if (value.type == TomlValue::Type::kTable) {
    ReadTaggedTable(value, *field.message, field.key, tagged);
  } else if (value.type == TomlValue::Type::kString && short_field != nullptr) {
    Message* member = tagged->GetReflection()->MutableMessage(tagged, first.descriptor);
    member->CopyFrom(DefaultsOf(first.message->message, dialect_));
    ReadScalar(*short_field, value, member);
  } else {
    ReportWrongType(
        field.key, value,
        short_field == nullptr ? "a table {type, params}" : "a string or a table {type, params}");
  }
}

void FieldReader::ReadTaggedTable(const TomlValue& table, const FieldTable& members,
                                  const std::string& where, Message* tagged) {
  const TomlEntry* type = nullptr;
  const TomlEntry* params = nullptr;
  for (const TomlEntry& entry : table.entries) {
    if (entry.key == "type") {
      type = &entry;
    } else if (entry.key == "params") {
      params = &entry;
    } else {
      ReportUnknownKey(entry, absl::StrCat("\"", where, "\""),
                       DidYouMean(entry.key, {"type", "params"}));
    }
  }
  if (type == nullptr) {
    ReportMissingKey(table, "type", absl::StrCat("\"", where, "\""));
    return;
  }
  if (type->value.type != TomlValue::Type::kString) {
    ReportWrongType("type", type->value, "a string");
    return;
  }
  if (params != nullptr && params->value.type != TomlValue::Type::kTable) {
    ReportWrongType("params", params->value, "a table");
    return;
  }
  std::vector<std::string> types;
  for (const Field& member : members.fields) {
    types.push_back(member.rule->type());
    if (member.rule->type() != type->value.text) continue;
    Message* chosen = tagged->GetReflection()->MutableMessage(tagged, member.descriptor);
    chosen->CopyFrom(DefaultsOf(member.message->message, dialect_));
    // Files leave out an empty table, although the format asks for it.
    TomlValue empty;
    empty.position = table.position;
    ReadMessage(params == nullptr ? empty : params->value, *member.message,
                absl::StrCat("\"", where, ".params\""), nullptr, chosen);
    return;
  }
  // A list of dozens helps nobody.
  constexpr std::size_t kFew = 12;
  const std::string allowed = types.size() > kFew
                                  ? "a known one"
                                  : absl::StrCat("one of \"", absl::StrJoin(types, "\", \""), "\"");
  ReportBadValue(type->value,
                 absl::StrCat("type of \"", where, "\" must be ", allowed, ", found \"",
                              type->value.text, "\""),
                 DidYouMean(type->value.text, types));
}

void FieldReader::ReadMap(const Field& field, const TomlValue& value, Message* out) {
  if (value.type != TomlValue::Type::kTable) {
    ReportWrongType(field.key, value, "a table");
    return;
  }
  const Reflection* reflection = out->GetReflection();
  const std::vector<Field>& fields = field.message->fields;
  reflection->ClearField(out, field.descriptor);
  for (const TomlEntry& entry : value.entries) {
    Message* element = reflection->AddMessage(out, field.descriptor);
    element->CopyFrom(DefaultsOf(field.message->message, dialect_));
    if (entry.value.type == TomlValue::Type::kTable && fields.size() > 2) {
      ReadMessage(entry.value, *field.message, absl::StrCat("\"", field.key, ".", entry.key, "\""),
                  nullptr, element);
    } else {
      ReadField(fields[1], {fields[1].key, entry.position, entry.value}, element);
    }
    TomlValue key;
    key.type = TomlValue::Type::kString;
    key.text = entry.key;
    key.position = entry.position;
    ReadScalar(fields[0], key, element);
  }
  SortByKey(field, out);
}

void FieldReader::ReadAnyTable(const Field& field, const TomlValue& value, Message* out) {
  if (value.type != TomlValue::Type::kTable) {
    ReportWrongType(field.key, value, "a table");
    return;
  }
  google::protobuf::Value converted;
  ToStructValue(value, &converted);
  out->GetReflection()->MutableMessage(out, field.descriptor)->CopyFrom(converted.struct_value());
}

}  // namespace fairlead::resources
