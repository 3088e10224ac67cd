// The text forms of fields: any text is read or refused, and what was read survives writing.
#include <google/protobuf/message.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"

#include "base/testing/require.h"
#include "resources/container_spec.h"
#include "resources/field_defaults.h"
#include "resources/field_reader.h"
#include "resources/field_table.h"
#include "resources/key_values.h"
#include "resources/kind_table.h"
#include "resources/shell_words.h"
#include "resources/toml_document.h"
#include "resources/toml_text.h"

namespace fairlead::resources {
namespace {

using base::Require;
using google::protobuf::Message;

// A field that takes a text in a form of its own.
struct TextField {
  const Message* defaults = nullptr;
  const Field* field = nullptr;
};

void AddFields(const FieldTable& table, std::set<const FieldTable*>* seen,
               std::vector<TextField>* out) {
  if (!seen->insert(&table).second) return;
  for (const Field& field : table.fields) {
    if (field.rule->form() != v1::FORM_PLAIN) {
      out->push_back({&DefaultsOf(table.message, v1::DIALECT_TOML), &field});
    }
    if (field.message != nullptr) AddFields(*field.message, seen, out);
  }
}

const std::vector<TextField>& TextFields() {
  static const auto& fields = *[] {
    auto* all = new std::vector<TextField>();
    std::set<const FieldTable*> seen;
    for (const Kind& kind : Kinds()) AddFields(FieldsOf(kind.message), &seen, all);
    return all;
  }();
  return fields;
}

std::unique_ptr<Message> ReadValue(const TextField& field, const TomlEntry& entry,
                                   const TomlSource& source) {
  std::unique_ptr<Message> message(field.defaults->New());
  message->CopyFrom(*field.defaults);
  std::vector<v1::Problem> problems;
  FieldReader reader(source, v1::DIALECT_TOML, "", &problems);
  reader.ReadField(*field.field, entry, message.get());
  return reader.failed() ? nullptr : std::move(message);
}

void CheckField(const TextField& field, absl::string_view text) {
  const TomlSource nowhere("a.toml", "", v1::DIALECT_TOML);
  TomlEntry entry;
  entry.key = field.field->key;
  entry.value.type = TomlValue::Type::kString;
  entry.value.text = std::string(text);
  const std::unique_ptr<Message> message = ReadValue(field, entry, nowhere);
  if (message == nullptr) return;
  const std::string document =
      absl::StrCat(entry.key, " = ", ValueText(*message, *field.field, v1::DIALECT_TOML));
  const TomlSource source("b.toml", document, v1::DIALECT_TOML);
  const auto parsed = ParseToml(source.text());
  const auto* root = std::get_if<TomlValue>(&parsed);
  Require(root != nullptr && root->entries.size() == 1, "a written value parses", document);
  const std::unique_ptr<Message> again = ReadValue(field, root->entries.front(), source);
  Require(again != nullptr, "a written value reads", document);
  Require(FieldsEqual(*message, *again, *field.field), "a written value reads back equal",
          document);
}

void CheckShellWords(absl::string_view text) {
  const auto words = SplitShellWords(text);
  if (!words.ok()) return;
  std::vector<std::string> quoted;
  for (const std::string& word : *words) {
    quoted.push_back(absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'"));
  }
  const auto again = SplitShellWords(absl::StrJoin(quoted, " "));
  Require(again.ok() && *again == *words, "quoted words split into themselves", text);
}

void CheckContainer(absl::string_view text) {
  v1::Resource resource;
  resource.set_name(std::string(text));
  v1::Deployment& deployment = *resource.mutable_deployment();
  deployment.mutable_image()->mutable_image()->set_image("a");
  deployment.set_custom_name("a");
  for (const char* key : {"ports", "volumes", "environment", "labels", "command"}) {
    const auto* field = deployment.GetDescriptor()->FindFieldByName(key);
    deployment.GetReflection()->SetString(&deployment, field, std::string(text));
    const auto spec = ContainerSpecOf(resource);
    Require(spec.ok() || !spec.status().message().empty(), "a refusal says why", text);
    deployment.GetReflection()->ClearField(&deployment, field);
  }
  deployment.clear_custom_name();
  const auto spec = ContainerSpecOf(resource);
  Require(spec.ok() == !FindNameFault(resource).has_value(),
          "a resource without fault in its name is a container", text);
}

void CheckForms(absl::string_view text) {
  // Text of fields is UTF-8: the file has been checked before.
  if (TomlSource("a.toml", text, v1::DIALECT_TOML).Check()) return;
  for (const TextField& field : TextFields()) CheckField(field, text);
  Require(ParseKeyValues(text).ok() == !FindLineWithoutSeparator(text).has_value(),
          "lines are refused where they are found bad", text);
  CheckShellWords(text);
  CheckContainer(text);
}

}  // namespace
}  // namespace fairlead::resources

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, std::size_t size) {
  fairlead::resources::CheckForms(absl::string_view(reinterpret_cast<const char*>(bytes), size));
  return 0;
}
