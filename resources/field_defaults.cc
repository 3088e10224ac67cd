#include "resources/field_defaults.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"

#include "fairlead/v1/accounts.pb.h"
#include "fairlead/v1/oidc.pb.h"
#include "fairlead/v1/secret.pb.h"
#include "resources/field_reader.h"
#include "resources/field_table.h"
#include "resources/toml_document.h"

namespace fairlead::resources {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Message;

using MessageKey = std::pair<const Descriptor*, v1::Dialect>;
using KindKey = std::pair<const Kind*, v1::Dialect>;

struct Defaults {
  std::map<MessageKey, std::unique_ptr<Message>> messages;
  std::map<KindKey, v1::Resource> resources;
};

const std::string& DefaultText(const Field& field, v1::Dialect dialect) {
  const std::string& own =
      dialect == v1::DIALECT_KOMODO ? field.rule->komodo_default() : field.rule->toml_default();
  return own.empty() ? field.rule->default_value() : own;
}

// A default that cannot be read is a mistake in a .proto, found by the first test that runs.
void SetDefault(const Field& field, v1::Dialect dialect, Message* message) {
  const std::string& text = DefaultText(field, dialect);
  if (text.empty()) return;
  const std::string document = absl::StrCat(field.key, " = ", text);
  const TomlSource source(field.descriptor->full_name(), document, dialect);
  const auto parsed = ParseToml(source.text());
  std::vector<v1::Problem> problems;
  FieldReader reader(source, dialect, "", &problems);
  if (const TomlValue* root = std::get_if<TomlValue>(&parsed)) {
    reader.ReadField(field, root->entries.at(0), message);
    if (!reader.failed()) return;
  }
  std::fprintf(stderr, "bad default of %s\n", field.descriptor->full_name().c_str());
  std::abort();
}

const Message* AddMessage(const Descriptor* descriptor, v1::Dialect dialect, Defaults* all);

// Also adds the members, of which one may be the default.
void SetTaggedDefault(const Field& field, v1::Dialect dialect, Message* message, Defaults* all) {
  AddMessage(field.message->message, dialect, all);
  for (const Field& member : field.message->fields) {
    if (DefaultText(field, dialect) != member.rule->type()) continue;
    Message* tagged = message->GetReflection()->MutableMessage(message, field.descriptor);
    tagged->GetReflection()
        ->MutableMessage(tagged, member.descriptor)
        ->CopyFrom(*AddMessage(member.message->message, dialect, all));
  }
}

const Message* AddMessage(const Descriptor* descriptor, v1::Dialect dialect, Defaults* all) {
  std::unique_ptr<Message>& slot = all->messages[{descriptor, dialect}];
  if (slot != nullptr) return slot.get();
  Message* message =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor)->New();
  slot.reset(message);
  for (const Field& field : FieldsOf(descriptor).fields) {
    if (field.rule->form() == v1::FORM_TAGGED) {
      SetTaggedDefault(field, dialect, message, all);
      continue;
    }
    SetDefault(field, dialect, message);
    if (field.message == nullptr) continue;
    const Message* nested = AddMessage(field.message->message, dialect, all);
    const bool single =
        !field.descriptor->is_repeated() && field.descriptor->containing_oneof() == nullptr;
    if (single && nested->ByteSizeLong() > 0) {
      message->GetReflection()->MutableMessage(message, field.descriptor)->CopyFrom(*nested);
    }
  }
  return message;
}

v1::Resource MakeResource(const Kind& kind, v1::Dialect dialect, const Defaults& all) {
  v1::Resource resource;
  for (const Field& field : FieldsOf(v1::Resource::descriptor()).fields) {
    if (field.AppliesTo(kind.name)) SetDefault(field, dialect, &resource);
  }
  Message* spec = resource.GetReflection()->MutableMessage(&resource, kind.field);
  spec->CopyFrom(*all.messages.at({kind.message, dialect}));
  if (kind.tagged) {
    const Field& first = FieldsOf(kind.message).fields.front();
    spec->GetReflection()
        ->MutableMessage(spec, first.descriptor)
        ->CopyFrom(*all.messages.at({first.message->message, dialect}));
  }
  return resource;
}

const Defaults& AllDefaults() {
  static const auto& defaults = *[] {
    auto* all = new Defaults();
    for (const v1::Dialect dialect : {v1::DIALECT_TOML, v1::DIALECT_KOMODO}) {
      for (const Kind& kind : Kinds()) {
        AddMessage(kind.message, dialect, all);
        all->resources.emplace(KindKey{&kind, dialect}, MakeResource(kind, dialect, *all));
      }
      AddMessage(v1::AccountsFile::descriptor(), dialect, all);
      AddMessage(v1::SecretsFile::descriptor(), dialect, all);
      AddMessage(v1::OidcFile::descriptor(), dialect, all);
    }
    return all;
  }();
  return defaults;
}

}  // namespace

const Message& DefaultsOf(const Descriptor* message, v1::Dialect dialect) {
  return *AllDefaults().messages.at({message, dialect});
}

const v1::Resource& DefaultResource(const Kind& kind, v1::Dialect dialect) {
  return AllDefaults().resources.at({&kind, dialect});
}

}  // namespace fairlead::resources
