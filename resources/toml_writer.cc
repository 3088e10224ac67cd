#include "resources/toml_writer.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "resources/field_defaults.h"
#include "resources/field_table.h"
#include "resources/kind_table.h"
#include "resources/toml_text.h"

namespace fairlead::resources {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::util::MessageDifferencer;

bool IsSingle(const Field& field, FieldDescriptor::CppType type) {
  return field.descriptor->cpp_type() == type && !field.descriptor->is_repeated();
}

// Fields of the kind itself whose elements hold much are written as [[tables]] of their own.
bool IsTableArray(const Field& field, const Kind& kind) {
  constexpr std::size_t kFew = 3;
  if (field.descriptor->containing_type() != kind.message) return false;
  if (field.message == nullptr || !field.descriptor->is_repeated()) return false;
  if (field.rule->form() != v1::FORM_PLAIN) return false;
  const std::vector<Field>& inner = field.message->fields;
  return inner.size() > kFew || std::any_of(inner.begin(), inner.end(), [](const Field& of) {
           return of.message != nullptr && of.descriptor->is_repeated();
         });
}

// Arrays of tables with one element on a line.
std::string ArrayText(const Message& message, const Field& field, v1::Dialect dialect) {
  std::string out = "[\n";
  for (const std::string& element : ElementTexts(message, field, dialect)) {
    absl::StrAppend(&out, "  ", element, ",\n");
  }
  return absl::StrCat(out, "]");
}

// `key = value` lines of the fields that differ from `defaults`, without arrays of [[tables]].
void WriteFields(const Message& message, const Message& defaults, const Kind& kind,
                 v1::Dialect dialect, std::string* out) {
  for (const Field& field : FieldsOf(message.GetDescriptor()).fields) {
    if (!field.AppliesTo(kind.name) || IsTableArray(field, kind)) continue;
    if (!field.rule->required() && FieldsEqual(message, defaults, field)) continue;
    // TOML cannot say that a value is absent: absence means the default.
    if (IsSingle(field, FieldDescriptor::CPPTYPE_MESSAGE) &&
        !message.GetReflection()->HasField(message, field.descriptor)) {
      continue;
    }
    absl::StrAppend(out, field.display, " = ");
    if (IsSingle(field, FieldDescriptor::CPPTYPE_STRING)) {
      absl::StrAppend(
          out, QuoteBlock(message.GetReflection()->GetString(message, field.descriptor), dialect));
    } else if (field.message != nullptr && field.descriptor->is_repeated() &&
               (field.rule->form() == v1::FORM_PLAIN ||
                field.rule->form() == v1::FORM_TABLE_OR_LIST) &&
               message.GetReflection()->FieldSize(message, field.descriptor) > 1) {
      absl::StrAppend(out, ArrayText(message, field, dialect));
    } else {
      absl::StrAppend(out, ValueText(message, field, dialect));
    }
    absl::StrAppend(out, "\n");
  }
}

// The arrays of [[tables]]: they must come after all keys of their table.
void WriteTableArrays(const Message& message, const Kind& kind, v1::Dialect dialect,
                      std::string* out) {
  for (const Field& field : FieldsOf(message.GetDescriptor()).fields) {
    if (!IsTableArray(field, kind)) continue;
    const Message& defaults = DefaultsOf(field.message->message, dialect);
    for (int i = 0; i < message.GetReflection()->FieldSize(message, field.descriptor); ++i) {
      absl::StrAppend(out, "[[", kind.name, kind.flat ? "." : ".config.", field.display, "]]\n");
      WriteFields(message.GetReflection()->GetRepeatedMessage(message, field.descriptor, i),
                  defaults, kind, dialect, out);
    }
  }
}

}  // namespace

std::string WriteToml(const v1::Resource& resource, v1::Dialect dialect) {
  const Kind* kind = KindOf(resource);
  if (kind == nullptr) return "";
  const v1::Resource& defaults = DefaultResource(*kind, dialect);
  std::string out = absl::StrCat("[[", kind->name, "]]\n");
  WriteFields(resource, defaults, *kind, dialect, &out);
  std::string config;
  std::string tables;
  if (!kind->tagged) {
    WriteFields(SpecOf(resource), SpecOf(defaults), *kind, dialect, &config);
    WriteTableArrays(SpecOf(resource), *kind, dialect, &tables);
  } else if (!MessageDifferencer::Equals(SpecOf(resource), SpecOf(defaults))) {
    const TaggedValue value = TaggedValueText(SpecOf(resource), dialect);
    config = absl::StrCat("type = ", value.type, "\nparams = ", value.params, "\n");
  }
  if (!kind->flat && !config.empty()) absl::StrAppend(&out, "[", kind->name, ".config]\n");
  return absl::StrCat(out, config, tables);
}

std::string WriteTomlWithoutSecrets(const v1::Resource& resource, v1::Dialect dialect) {
  v1::Resource open = resource;
  std::set<std::string> keys;
  RewriteTexts(&open, [&](const Message& parent, const Field& field, const std::string& text) {
    if (text.empty() || !IsSecret(parent, field)) return text;
    keys.insert(field.display);
    return std::string();
  });
  std::string out = WriteToml(open, dialect);
  if (!keys.empty()) {
    absl::StrAppend(&out, "# Secret, so left out: ", absl::StrJoin(keys, ", "),
                    ". Set before use.\n");
  }
  return out;
}

v1::Resource Redact(const v1::Resource& resource) {
  v1::Resource redacted = resource;
  RewriteTexts(&redacted, [](const Message& parent, const Field& field, const std::string& text) {
    return text.empty() || !IsSecret(parent, field) ? text : std::string("***");
  });
  return redacted;
}

}  // namespace fairlead::resources
