#include "resources/kind_table.h"

#include "absl/container/flat_hash_map.h"

#include "fairlead/v1/options.pb.h"
#include "resources/field_table.h"

namespace fairlead::resources {
namespace {

std::vector<Kind> BuildKinds() {
  std::vector<Kind> kinds;
  const google::protobuf::OneofDescriptor* spec =
      v1::Resource::descriptor()->FindOneofByName("spec");
  for (int i = 0; i < spec->field_count(); ++i) {
    const google::protobuf::FieldDescriptor* field = spec->field(i);
    const v1::KindRule& rule = field->message_type()->options().GetExtension(v1::kind);
    kinds.push_back(
        Kind{.name = rule.name(),
             .plural = rule.plural(),
             .flat = rule.flat(),
             .deploys = rule.deploys(),
             .tagged = rule.tagged(),
             .not_acted_on = rule.not_acted_on(),
             .included_by = rule.included_by().empty() ? "include_resources" : rule.included_by(),
             .field = field,
             .message = field->message_type()});
  }
  return kinds;
}

// By number of the member in the oneof; null for kinds without a server.
absl::flat_hash_map<int, const Field*> BuildServerFields() {
  absl::flat_hash_map<int, const Field*> fields;
  for (const Kind& kind : Kinds()) {
    if (!kind.deploys) continue;
    for (const Field& field : FieldsOf(kind.message).fields) {
      if (field.references == std::vector<std::string>{"server"}) {
        fields.emplace(kind.field->number(), &field);
        break;
      }
    }
  }
  return fields;
}

}  // namespace

const std::vector<Kind>& Kinds() {
  static const auto& kinds = *new std::vector<Kind>(BuildKinds());
  return kinds;
}

const Kind* FindKind(absl::string_view name) {
  static const auto& by_name = *[] {
    auto* map = new absl::flat_hash_map<std::string, const Kind*>();
    for (const Kind& kind : Kinds()) {
      map->emplace(kind.name, &kind);
      map->emplace(kind.plural, &kind);
    }
    return map;
  }();
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : found->second;
}

const Kind* KindOf(const v1::Resource& resource) {
  if (resource.spec_case() == v1::Resource::SPEC_NOT_SET) return nullptr;
  for (const Kind& kind : Kinds()) {
    if (kind.field->number() == static_cast<int>(resource.spec_case())) return &kind;
  }
  return nullptr;
}

const google::protobuf::Message& SpecOf(const v1::Resource& resource) {
  return resource.GetReflection()->GetMessage(resource, KindOf(resource)->field);
}

std::string ServerOf(const v1::Resource& resource) {
  static const auto& fields = *new absl::flat_hash_map<int, const Field*>(BuildServerFields());
  const auto found = fields.find(static_cast<int>(resource.spec_case()));
  if (found == fields.end()) return "";
  const google::protobuf::Message& spec = SpecOf(resource);
  return spec.GetReflection()->GetString(spec, found->second->descriptor);
}

}  // namespace fairlead::resources
