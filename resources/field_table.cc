#include "resources/field_table.h"

#include <algorithm>
#include <map>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

#include "fairlead/v1/accounts.pb.h"
#include "fairlead/v1/oidc.pb.h"
#include "fairlead/v1/resource.pb.h"
#include "fairlead/v1/secret.pb.h"

namespace fairlead::resources {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

using Tables = std::map<const Descriptor*, std::unique_ptr<FieldTable>>;

bool HasFields(const FieldDescriptor* field) {
  return field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         !absl::StartsWith(field->message_type()->full_name(), "google.protobuf.");
}

std::vector<std::string> SplitKinds(const std::string& text) {
  return absl::StrSplit(text, '|', absl::SkipEmpty());
}

std::vector<EnumText> EnumTexts(const google::protobuf::EnumDescriptor* type) {
  std::vector<EnumText> texts;
  for (int i = 0; i < type->value_count(); ++i) {
    const google::protobuf::EnumValueOptions& options = type->value(i)->options();
    if (!options.HasExtension(v1::value)) continue;
    const v1::EnumRule& rule = options.GetExtension(v1::value);
    texts.push_back(EnumText{.number = type->value(i)->number(),
                             .text = rule.text(),
                             .aliases = {rule.alias().begin(), rule.alias().end()},
                             .rule = &rule});
  }
  return texts;
}

Field MakeField(const FieldDescriptor* descriptor, std::size_t index) {
  Field field;
  field.descriptor = descriptor;
  field.rule = &descriptor->options().GetExtension(v1::field);
  field.index = index;
  field.key = field.rule->key().empty() ? std::string(descriptor->name()) : field.rule->key();
  field.only_kinds = SplitKinds(field.rule->only_kinds());
  field.references = SplitKinds(field.rule->reference());
  // "server" for "server_id".
  const bool short_alias = field.rule->alias_size() > 0 &&
                           (absl::EndsWith(field.key, "_id") || absl::EndsWith(field.key, "_ids"));
  field.display = short_alias ? field.rule->alias(0) : field.key;
  if (descriptor->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    field.values = EnumTexts(descriptor->enum_type());
  }
  return field;
}

const FieldTable* AddTable(const Descriptor* message, Tables* tables) {
  std::unique_ptr<FieldTable>& slot = (*tables)[message];
  if (slot != nullptr) return slot.get();
  slot = std::make_unique<FieldTable>();
  FieldTable* table = slot.get();
  table->message = message;
  const bool is_resource = message == v1::Resource::descriptor();
  for (int i = 0; i < message->field_count(); ++i) {
    const FieldDescriptor* descriptor = message->field(i);
    const FieldTable* nested =
        HasFields(descriptor) ? AddTable(descriptor->message_type(), tables) : nullptr;
    if (is_resource && descriptor->containing_oneof() != nullptr) continue;
    Field field = MakeField(descriptor, table->fields.size());
    field.message = nested;
    table->by_key.emplace(field.key, field.index);
    for (const std::string& alias : field.rule->alias()) table->by_key.emplace(alias, field.index);
    table->fields.push_back(std::move(field));
  }
  return table;
}

const Tables& AllTables() {
  static const auto& tables = *[] {
    auto* all = new Tables();
    AddTable(v1::Resource::descriptor(), all);
    AddTable(v1::AccountsFile::descriptor(), all);
    AddTable(v1::SecretsFile::descriptor(), all);
    AddTable(v1::OidcFile::descriptor(), all);
    return all;
  }();
  return tables;
}

}  // namespace

bool Field::AppliesTo(absl::string_view kind) const {
  return only_kinds.empty() || std::any_of(only_kinds.begin(), only_kinds.end(),
                                           [&](const std::string& only) { return kind == only; });
}

const std::string& Field::TextOf(int number) const {
  static const auto& empty = *new std::string();
  const EnumText* value = ValueOf(number);
  return value == nullptr ? empty : value->text;
}

const EnumText* Field::ValueOf(int number) const {
  for (const EnumText& value : values) {
    if (value.number == number) return &value;
  }
  return nullptr;
}

const Field* FieldTable::Find(absl::string_view key) const {
  const auto found = by_key.find(key);
  return found == by_key.end() ? nullptr : &fields[found->second];
}

const FieldTable& FieldsOf(const Descriptor* message) { return *AllTables().at(message); }

const Field* ShortFieldOf(const FieldTable& members) {
  const FieldTable& first = *members.fields.front().message;
  const bool text = first.fields.size() == 1 && !first.fields[0].descriptor->is_repeated() &&
                    first.fields[0].descriptor->cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  return text ? first.fields.data() : nullptr;
}

absl::string_view TextOfEnum(const google::protobuf::EnumDescriptor* type, int number) {
  const google::protobuf::EnumValueDescriptor* value = type->FindValueByNumber(number);
  if (value == nullptr) return {};
  return value->options().GetExtension(v1::value).text();
}

bool IsSecret(const Message& parent, const Field& field) {
  if (field.rule->secret()) return true;
  if (field.key != "value") return false;
  const FieldDescriptor* mark = parent.GetDescriptor()->FindFieldByName("is_secret");
  return mark != nullptr && mark->cpp_type() == FieldDescriptor::CPPTYPE_BOOL &&
         parent.GetReflection()->GetBool(parent, mark);
}

namespace {

const FieldTable& TableWithSpec(const Message& message, const FieldDescriptor** spec) {
  const FieldTable& table = FieldsOf(message.GetDescriptor());
  *spec = nullptr;
  if (table.message == v1::Resource::descriptor()) {
    *spec = message.GetReflection()->GetOneofFieldDescriptor(
        message, table.message->FindOneofByName("spec"));
  }
  return table;
}

void VisitField(const Message& message, const Field& field, const TextVisitor& visit) {
  const Reflection* reflection = message.GetReflection();
  const FieldDescriptor* descriptor = field.descriptor;
  if (descriptor->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    if (!descriptor->is_repeated()) {
      visit(message, field, reflection->GetString(message, descriptor));
      return;
    }
    for (int i = 0; i < reflection->FieldSize(message, descriptor); ++i) {
      visit(message, field, reflection->GetRepeatedString(message, descriptor, i));
    }
    return;
  }
  if (field.message == nullptr) return;
  if (!descriptor->is_repeated()) {
    if (!reflection->HasField(message, descriptor)) return;
    VisitTexts(reflection->GetMessage(message, descriptor), visit);
    return;
  }
  for (int i = 0; i < reflection->FieldSize(message, descriptor); ++i) {
    VisitTexts(reflection->GetRepeatedMessage(message, descriptor, i), visit);
  }
}

void RewriteField(Message* message, const Field& field, const TextRewriter& rewrite) {
  const Reflection* reflection = message->GetReflection();
  const FieldDescriptor* descriptor = field.descriptor;
  if (descriptor->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    if (!descriptor->is_repeated()) {
      const std::string before = reflection->GetString(*message, descriptor);
      std::string after = rewrite(*message, field, before);
      if (after != before) reflection->SetString(message, descriptor, std::move(after));
      return;
    }
    for (int i = 0; i < reflection->FieldSize(*message, descriptor); ++i) {
      const std::string before = reflection->GetRepeatedString(*message, descriptor, i);
      reflection->SetRepeatedString(message, descriptor, i, rewrite(*message, field, before));
    }
    return;
  }
  if (field.message == nullptr) return;
  if (!descriptor->is_repeated()) {
    if (!reflection->HasField(*message, descriptor)) return;
    RewriteTexts(reflection->MutableMessage(message, descriptor), rewrite);
    return;
  }
  for (int i = 0; i < reflection->FieldSize(*message, descriptor); ++i) {
    RewriteTexts(reflection->MutableRepeatedMessage(message, descriptor, i), rewrite);
  }
}

}  // namespace

void VisitTexts(const Message& message, const TextVisitor& visit) {
  const FieldDescriptor* spec = nullptr;
  for (const Field& field : TableWithSpec(message, &spec).fields) {
    VisitField(message, field, visit);
  }
  if (spec != nullptr) VisitTexts(message.GetReflection()->GetMessage(message, spec), visit);
}

void RewriteTexts(Message* message, const TextRewriter& rewrite) {
  const FieldDescriptor* spec = nullptr;
  for (const Field& field : TableWithSpec(*message, &spec).fields) {
    RewriteField(message, field, rewrite);
  }
  if (spec != nullptr) {
    RewriteTexts(message->GetReflection()->MutableMessage(message, spec), rewrite);
  }
}

}  // namespace fairlead::resources
