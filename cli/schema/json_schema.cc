#include "cli/schema/json_schema.h"

#include <string>
#include <utility>

#include <boost/json.hpp>

#include "absl/strings/str_cat.h"

#include "cli/schema/field_schema.h"
#include "fairlead/v1/options.pb.h"
#include "resources/field_defaults.h"
#include "resources/kind_table.h"

namespace fairlead::cli {
namespace {

namespace json = boost::json;

std::string DocOf(const resources::Kind& kind) {
  const std::string& doc = kind.message->options().GetExtension(v1::kind).doc();
  if (kind.not_acted_on.empty()) return doc;
  return absl::StrCat(doc, " Not acted on yet: ", kind.not_acted_on, ".");
}

// Entries of one kind: the fields beside `name`, and the table `config`.
json::object EntrySchema(const resources::Kind& kind, v1::Dialect dialect, FieldSchemas* schemas) {
  const v1::Resource& defaults = resources::DefaultResource(kind, dialect);
  json::object entry = {{"title", absl::StrCat("[[", kind.name, "]]")},
                        {"description", DocOf(kind)}};
  for (const auto& member : schemas->EmptyTable()) entry.insert(member);
  schemas->AddFields(resources::FieldsOf(v1::Resource::descriptor()), kind.name, defaults, &entry);
  json::object& name = entry["properties"].as_object()["name"].as_object();
  name["minLength"] = 1;
  name["not"] = json::object{{"pattern", "[\\u0000-\\u001f\\u007f]"}};
  const resources::FieldTable& fields = resources::FieldsOf(kind.message);
  if (kind.flat) {
    schemas->AddFields(fields, kind.name, resources::SpecOf(defaults), &entry);
  } else {
    entry["properties"].as_object()["config"] =
        kind.tagged ? schemas->Tagged(fields) : schemas->Table(fields);
  }
  return entry;
}

json::object ArrayOfEntries(const resources::Kind& kind) {
  return {{"description", DocOf(kind)},
          {"type", "array"},
          {"items", json::object{{"$ref", absl::StrCat("#/$defs/", kind.name)}}}};
}

}  // namespace

json::object ResourceFileSchema(v1::Dialect dialect) {
  FieldSchemas schemas(dialect);
  json::object properties;
  json::object definitions;
  for (const resources::Kind& kind : resources::Kinds()) {
    properties[kind.name] = ArrayOfEntries(kind);
    properties[kind.plural] = ArrayOfEntries(kind);
    definitions[kind.name] = EntrySchema(kind, dialect, &schemas);
  }
  for (const auto& [name, definition] : schemas.definitions()) definitions[name] = definition;
  json::object schema = {
      {"$schema", "https://json-schema.org/draft/2020-12/schema"},
      {"$comment", absl::StrCat("fairlead ", FAIRLEAD_VERSION, ", dialect ",
                                dialect == v1::DIALECT_TOML ? "toml" : "komodo")},
      {"title", "Fairlead resources"},
      {"description", "Resources of Fairlead, declared in TOML."}};
  for (const auto& member : schemas.EmptyTable()) schema.insert(member);
  schema["properties"] = std::move(properties);
  schema["$defs"] = std::move(definitions);
  return schema;
}

}  // namespace fairlead::cli
