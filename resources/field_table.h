// What the field options say, looked up once per message type.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/generated_enum_reflection.h>
#include <google/protobuf/message.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

#include "fairlead/v1/options.pb.h"

namespace fairlead::resources {

struct FieldTable;

// How TOML spells one value of an enum.
struct EnumText {
  int number = 0;
  std::string text;
  std::vector<std::string> aliases;
  const v1::EnumRule* rule = nullptr;
};

// One field of a resource's messages.
struct Field {
  const google::protobuf::FieldDescriptor* descriptor = nullptr;
  const v1::FieldRule* rule = nullptr;
  // Place in FieldTable::fields.
  std::size_t index = 0;
  // Key in TOML.
  std::string key;
  // Key shown to people and written: the short alias of a reference, else `key`.
  std::string display;
  // Kinds whose entries accept it; empty means all.
  std::vector<std::string> only_kinds;
  // Kinds that it may name.
  std::vector<std::string> references;
  // Of an enum: its values, in order.
  std::vector<EnumText> values;
  // Of a message (other than google.protobuf's own, which are single values): its fields.
  const FieldTable* message = nullptr;

  bool AppliesTo(absl::string_view kind) const;
  // Text of an enum value; empty when it has none.
  const std::string& TextOf(int number) const;
  // The enum value of that number; null when it has no text.
  const EnumText* ValueOf(int number) const;
};

// The fields of one message in order of declaration. For Resource without the members of the
// oneof `spec`. Immutable, lives for ever.
struct FieldTable {
  const google::protobuf::Descriptor* message = nullptr;
  std::vector<Field> fields;
  // By key and alias.
  absl::flat_hash_map<std::string, std::size_t> by_key;

  const Field* Find(absl::string_view key) const;
};

// Requires: Resource, AccountsFile, SecretsFile, OidcFile, or a message that one of them reaches.
// Thread-safe.
const FieldTable& FieldsOf(const google::protobuf::Descriptor* message);

// Of a tagged message: the field that a plain text stands for, which is the only one of its first
// member; null when there is none.
const Field* ShortFieldOf(const FieldTable& members);

// The value must not be printed: a field marked `secret`, or the `value` of a message whose
// `is_secret` is set.
bool IsSecret(const google::protobuf::Message& parent, const Field& field);

// How TOML spells a value of an enum with EnumRule options: "unless-stopped". Empty for a number
// that has no value.
absl::string_view TextOfEnum(const google::protobuf::EnumDescriptor* type, int number);
template <typename Enum>
absl::string_view TextOf(Enum value) {
  return TextOfEnum(google::protobuf::GetEnumDescriptor<Enum>(), static_cast<int>(value));
}

// Calls `visit` for each text of the message and of those within it, in field order. The parent
// is the message that holds the field.
using TextVisitor = std::function<void(const google::protobuf::Message& parent, const Field& field,
                                       const std::string& text)>;
void VisitTexts(const google::protobuf::Message& message, const TextVisitor& visit);

// Replaces each text by what `rewrite` returns.
using TextRewriter = std::function<std::string(const google::protobuf::Message& parent,
                                               const Field& field, const std::string& text)>;
void RewriteTexts(google::protobuf::Message* message, const TextRewriter& rewrite);

}  // namespace fairlead::resources
