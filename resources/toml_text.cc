#include "resources/toml_text.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
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
  const Reflection* reflection = tagged.GetReflection();
  for (const Field& member : field.message->fields) {
    if (!reflection->HasField(tagged, member.descriptor)) continue;
    const Message& chosen = reflection->GetMessage(tagged, member.descriptor);
    // The short form is not part of the komodo format.
    if (dialect != v1::DIALECT_KOMODO && member.index == 0 && member.message->fields.size() == 1) {
      return ValueText(chosen, member.message->fields.front(), dialect);
    }
    return absl::StrCat("{ type = ", QuoteText(member.message->tag),
                        ", params = ", TableText(chosen, *member.message, dialect), " }");
  }
  return "{}";
}

std::string VersionText(const Message& version, const Field& field) {
  std::vector<std::string> parts;
  for (const Field& part : field.message->fields) {
    parts.push_back(absl::StrCat(version.GetReflection()->GetInt32(version, part.descriptor)));
  }
  return QuoteText(absl::StrJoin(parts, "."));
}

std::string MessageText(const Message& nested, const Field& field, v1::Dialect dialect) {
  if (field.message == nullptr) return QuoteText(DurationText(nested));
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

// One element of a repeated field. Resources repeat texts and messages only.
std::string ElementText(const Message& message, const Field& field, int index,
                        v1::Dialect dialect) {
  const Reflection* reflection = message.GetReflection();
  if (field.descriptor->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    return MessageText(reflection->GetRepeatedMessage(message, field.descriptor, index), field,
                       dialect);
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

std::string DurationText(const Message& message) {
  google::protobuf::Duration duration;
  duration.CopyFrom(message);
  const absl::Duration value =
      absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
  return value == absl::ZeroDuration() ? "0s" : absl::FormatDuration(value);
}

std::string ValueText(const Message& message, const Field& field, v1::Dialect dialect) {
  if (!field.descriptor->is_repeated()) return SingleText(message, field, dialect);
  std::vector<std::string> elements;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, field.descriptor); ++i) {
    elements.push_back(ElementText(message, field, i, dialect));
  }
  return absl::StrCat("[", absl::StrJoin(elements, ", "), "]");
}

bool FieldsEqual(const Message& a, const Message& b, const Field& field) {
  google::protobuf::util::MessageDifferencer differencer;
  return differencer.CompareWithFields(a, b, {field.descriptor}, {field.descriptor});
}

}  // namespace fairlead::resources
