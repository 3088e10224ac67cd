#include "resources/toml_writer.h"

#include <set>

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

bool IsSingle(const Field& field, FieldDescriptor::CppType type) {
  return field.descriptor->cpp_type() == type && !field.descriptor->is_repeated();
}

// `key = value` lines of the fields that differ from `defaults`.
void WriteFields(const Message& message, const Message& defaults, const Kind& kind,
                 v1::Dialect dialect, std::string* out) {
  for (const Field& field : FieldsOf(message.GetDescriptor()).fields) {
    if (!field.AppliesTo(kind.name)) continue;
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
    } else {
      absl::StrAppend(out, ValueText(message, field, dialect));
    }
    absl::StrAppend(out, "\n");
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
  WriteFields(SpecOf(resource), SpecOf(defaults), *kind, dialect, &config);
  if (config.empty()) return out;
  if (!kind->flat) absl::StrAppend(&out, "[", kind->name, ".config]\n");
  return absl::StrCat(out, config);
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
