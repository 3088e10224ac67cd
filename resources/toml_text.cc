#include "resources/toml_text.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <map>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"

#include "resources/field_defaults.h"

namespace fairlead::resources {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

bool IsControl(char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)) != 0; }

// The fewest digits that read back as the same number.
template <typename T>
std::string NumberText(T number) {
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  return std::string(buffer.data(), end);
}

std::string TableText(const Message& message, const FieldTable& table, v1::Dialect dialect) {
  const Message& defaults = DefaultsOf(table.message, dialect);
  std::vector<std::string> entries;
  for (const Field& field : table.fields) {
    if (!field.rule->required() && FieldsEqual(message, defaults, field)) continue;
    entries.push_back(absl::StrCat(field.display, " = ", ValueText(message, field, dialect)));
  }
  return entries.empty() ? "{}" : absl::StrCat("{ ", absl::StrJoin(entries, ", "), " }");
}

std::string TaggedText(const Message& tagged, const Field& field, v1::Dialect dialect) {
  const Field& first = field.message->fields.front();
  // The short form is not part of the komodo format.
  if (dialect != v1::DIALECT_KOMODO && first.message->fields.size() == 1 &&
      tagged.GetReflection()->HasField(tagged, first.descriptor)) {
    return ValueText(tagged.GetReflection()->GetMessage(tagged, first.descriptor),
                     first.message->fields.front(), dialect);
  }
  const TaggedValue value = TaggedValueText(tagged, dialect);
  if (value.type.empty()) return "{}";
  return absl::StrCat("{ type = ", value.type, ", params = ", value.params, " }");
}

std::string KeyText(const std::string& key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
  });
  return bare ? key : QuoteText(key);
}

// A table with the first field of each element as key.
std::string MapText(const Message& message, const Field& field, v1::Dialect dialect) {
  const Reflection* reflection = message.GetReflection();
  const std::vector<Field>& fields = field.message->fields;
  const Message& defaults = DefaultsOf(field.message->message, dialect);
  std::vector<std::string> entries;
  for (int i = 0; i < reflection->FieldSize(message, field.descriptor); ++i) {
    const Message& element = reflection->GetRepeatedMessage(message, field.descriptor, i);
    const Reflection* of_element = element.GetReflection();
    const std::string key =
        fields[0].values.empty()
            ? of_element->GetString(element, fields[0].descriptor)
            : fields[0].TextOf(of_element->GetEnumValue(element, fields[0].descriptor));
    std::vector<std::string> rest;
    for (std::size_t j = 2; j < fields.size(); ++j) {
      if (FieldsEqual(element, defaults, fields[j])) continue;
      rest.push_back(
          absl::StrCat(fields[j].display, " = ", ValueText(element, fields[j], dialect)));
    }
    const std::string value = ValueText(element, fields[1], dialect);
    entries.push_back(absl::StrCat(KeyText(key), " = ",
                                   rest.empty()
                                       ? value
                                       : absl::StrCat("{ ", fields[1].display, " = ", value, ", ",
                                                      absl::StrJoin(rest, ", "), " }")));
  }
  return entries.empty() ? "{}" : absl::StrCat("{ ", absl::StrJoin(entries, ", "), " }");
}

std::string AnyText(const google::protobuf::Value& value);

std::string AnyTableText(const google::protobuf::Struct& table) {
  // The map has no order of its own.
  std::map<std::string, std::string> entries;
  for (const auto& [key, value] : table.fields()) entries[KeyText(key)] = AnyText(value);
  if (entries.empty()) return "{}";
  return absl::StrCat("{ ", absl::StrJoin(entries, ", ", absl::PairFormatter(" = ")), " }");
}

std::string AnyText(const google::protobuf::Value& value) {
  if (value.has_struct_value()) return AnyTableText(value.struct_value());
  if (value.has_list_value()) {
    return absl::StrCat("[",
                        absl::StrJoin(value.list_value().values(), ", ",
                                      [](std::string* out, const google::protobuf::Value& item) {
                                        absl::StrAppend(out, AnyText(item));
                                      }),
                        "]");
  }
  if (value.has_bool_value()) return value.bool_value() ? "true" : "false";
  if (value.has_number_value()) return NumberText(value.number_value());
  return QuoteText(value.string_value());
}

// Of google.protobuf's own messages.
std::string OpaqueText(const Message& message, const Field& field) {
  if (field.rule->form() == v1::FORM_ANY_TABLE) {
    google::protobuf::Struct table;
    table.CopyFrom(message);
    return AnyTableText(table);
  }
  return QuoteText(DurationText(message));
}

std::string VersionText(const Message& version, const Field& field) {
  std::vector<std::string> parts;
  for (const Field& part : field.message->fields) {
    parts.push_back(absl::StrCat(version.GetReflection()->GetInt32(version, part.descriptor)));
  }
  return QuoteText(absl::StrJoin(parts, "."));
}

std::string MessageText(const Message& nested, const Field& field, v1::Dialect dialect) {
  if (field.message == nullptr) return OpaqueText(nested, field);
  switch (field.rule->form()) {
    case v1::FORM_TAGGED:
      return TaggedText(nested, field, dialect);
    case v1::FORM_VERSION:
      return VersionText(nested, field);
    case v1::FORM_STRING_OR_TABLE_LIST: {
      const std::vector<Field>& fields = field.message->fields;
      const Message& defaults = DefaultsOf(field.message->message, dialect);
      const bool only_first =
          std::all_of(fields.begin() + 1, fields.end(),
                      [&](const Field& other) { return FieldsEqual(nested, defaults, other); });
      return only_first ? ValueText(nested, fields.front(), dialect)
                        : TableText(nested, *field.message, dialect);
    }
    default:
      return TableText(nested, *field.message, dialect);
  }
}

std::string SingleText(const Message& message, const Field& field, v1::Dialect dialect) {
  const Reflection* reflection = message.GetReflection();
  const FieldDescriptor* descriptor = field.descriptor;
  switch (descriptor->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return QuoteText(reflection->GetString(message, descriptor));
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetBool(message, descriptor) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return QuoteText(field.TextOf(reflection->GetEnumValue(message, descriptor)));
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(reflection->GetInt32(message, descriptor));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(reflection->GetInt64(message, descriptor));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(reflection->GetUInt32(message, descriptor));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(reflection->GetUInt64(message, descriptor));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return NumberText(reflection->GetFloat(message, descriptor));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return NumberText(reflection->GetDouble(message, descriptor));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return MessageText(reflection->GetMessage(message, descriptor), field, dialect);
  }
  return "";
}

// One element of a repeated field. Resources repeat texts, enums and messages only.
std::string ElementText(const Message& message, const Field& field, int index,
                        v1::Dialect dialect) {
  const Reflection* reflection = message.GetReflection();
  if (field.descriptor->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return MessageText(reflection->GetRepeatedMessage(message, field.descriptor, index), field,
                       dialect);
  }
  if (field.descriptor->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    return QuoteText(
        field.TextOf(reflection->GetRepeatedEnumValue(message, field.descriptor, index)));
  }
  return QuoteText(reflection->GetRepeatedString(message, field.descriptor, index));
}

}  // namespace

std::string QuoteText(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (IsControl(c)) {
          absl::StrAppendFormat(&out, "\\u%04X", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

std::string QuoteBlock(absl::string_view text, v1::Dialect dialect) {
  const bool printable = std::all_of(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t' || !IsControl(c); });
  if (!absl::StrContains(text, '\n') || !printable || text.back() == '"') return QuoteText(text);
  if (dialect == v1::DIALECT_KOMODO) {
    // There a block has no escapes at all.
    if (absl::StrContains(text, "\"\"\"")) return QuoteText(text);
    return absl::StrCat("\"\"\"\n", text, "\"\"\"");
  }
  const std::string escaped = absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"\"\"", "\"\"\\\""}});
  return absl::StrCat("\"\"\"\n", escaped, "\"\"\"");
}

TaggedValue TaggedValueText(const Message& tagged, v1::Dialect dialect) {
  for (const Field& member : FieldsOf(tagged.GetDescriptor()).fields) {
    if (!tagged.GetReflection()->HasField(tagged, member.descriptor)) continue;
    const Message& chosen = tagged.GetReflection()->GetMessage(tagged, member.descriptor);
    return {QuoteText(member.rule->type()), TableText(chosen, *member.message, dialect)};
  }
  return {};
}

std::string DurationText(const Message& message) {
  google::protobuf::Duration duration;
  duration.CopyFrom(message);
  const absl::Duration value =
      absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
  return value == absl::ZeroDuration() ? "0s" : absl::FormatDuration(value);
}

std::string ValueText(const Message& message, const Field& field, v1::Dialect dialect) {
  if (!field.descriptor->is_repeated()) return SingleText(message, field, dialect);
  if (field.rule->form() == v1::FORM_MAP) return MapText(message, field, dialect);
  return absl::StrCat("[", absl::StrJoin(ElementTexts(message, field, dialect), ", "), "]");
}

std::vector<std::string> ElementTexts(const Message& message, const Field& field,
                                      v1::Dialect dialect) {
  std::vector<std::string> elements;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, field.descriptor); ++i) {
    elements.push_back(ElementText(message, field, i, dialect));
  }
  return elements;
}

bool FieldsEqual(const Message& a, const Message& b, const Field& field) {
  // The differencer takes an absent value for the type's own default.
  if (field.descriptor->has_optional_keyword() &&
      a.GetReflection()->HasField(a, field.descriptor) !=
          b.GetReflection()->HasField(b, field.descriptor)) {
    return false;
  }
  google::protobuf::util::MessageDifferencer differencer;
  return differencer.CompareWithFields(a, b, {field.descriptor}, {field.descriptor});
}

}  // namespace fairlead::resources
