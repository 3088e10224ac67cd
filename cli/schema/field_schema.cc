#include "cli/schema/field_schema.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "resources/field_defaults.h"
#include "resources/field_text.h"
#include "resources/line_form.h"
#include "resources/toml_document.h"

namespace fairlead::cli {
namespace {

namespace json = boost::json;

using google::protobuf::FieldDescriptor;
using resources::TomlValue;

constexpr char kDurationPattern[] = R"(^\+?(0|(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|ms|s|m|h))+)$)";
constexpr char kVersionPattern[] = R"(^[0-9]+(\.[0-9]+(\.[0-9]+(\..*)?)?)?$)";

json::object TypeOf(const char* type) { return {{"type", type}}; }

json::object ArrayOf(json::object items) {
  return {{"type", "array"}, {"items", std::move(items)}};
}

json::object OneOf(json::array shapes) { return {{"oneOf", std::move(shapes)}}; }

// `shape` with a title before its other members.
json::object Titled(const std::string& title, const json::object& shape) {
  json::object titled = {{"title", title}};
  for (const auto& member : shape) titled.insert(member);
  return titled;
}

json::value JsonOf(const TomlValue& value) {
  switch (value.type) {
    case TomlValue::Type::kInteger:
      return value.integer;
    case TomlValue::Type::kFloat:
      return value.number;
    case TomlValue::Type::kBoolean:
      return value.boolean;
    case TomlValue::Type::kArray: {
      json::array items;
      for (const TomlValue& item : value.items) items.push_back(JsonOf(item));
      return items;
    }
    case TomlValue::Type::kTable: {
      json::object members;
      for (const resources::TomlEntry& entry : value.entries) {
        members[entry.key] = JsonOf(entry.value);
      }
      return members;
    }
    default:
      return json::string(value.text);
  }
}

// The value that a TOML text stands for; nothing for no text.
std::optional<json::value> JsonOfToml(const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto parsed = resources::ParseToml(absl::StrCat("value = ", text));
  const auto* root = std::get_if<TomlValue>(&parsed);
  if (root == nullptr) return std::nullopt;
  return JsonOf(root->entries.at(0).value);
}

template <typename T>
json::object IntegerSchema() {
  return {{"type", "integer"},
          {"minimum", std::numeric_limits<T>::min()},
          {"maximum", std::numeric_limits<T>::max()}};
}

json::object EnumSchema(const resources::Field& field) {
  json::array texts;
  for (const resources::EnumText& value : field.values) texts.emplace_back(value.text);
  for (const resources::EnumText& value : field.values) {
    for (const std::string& alias : value.aliases) texts.emplace_back(alias);
  }
  return {{"type", "string"}, {"enum", std::move(texts)}};
}

json::object ScalarSchema(const resources::Field& field) {
  switch (field.descriptor->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return TypeOf("boolean");
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumSchema(field);
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return TypeOf("number");
    case FieldDescriptor::CPPTYPE_INT32:
      return IntegerSchema<int32_t>();
    case FieldDescriptor::CPPTYPE_UINT32:
      return IntegerSchema<uint32_t>();
    case FieldDescriptor::CPPTYPE_INT64:
      return IntegerSchema<int64_t>();
    case FieldDescriptor::CPPTYPE_UINT64:
      // TOML has no larger integers.
      return {{"type", "integer"}, {"minimum", 0}};
    default:
      return TypeOf("string");
  }
}

json::object DurationSchema() {
  return OneOf({Titled("Text such as \"90s\" or \"1h30m\"",
                       {{"type", "string"}, {"pattern", kDurationPattern}}),
                Titled("Seconds", {{"type", "integer"}, {"minimum", 0}})});
}

// Required keys of a table, each given by one of its spellings, and spellings that exclude each
// other, as one list of what must not be.
json::array& MustNot(json::object* table) {
  json::value& rule = (*table)["not"];
  if (rule.is_null()) rule = json::object{{"anyOf", json::array()}};
  return rule.as_object()["anyOf"].as_array();
}

json::object Given(std::vector<std::string> keys) {
  return {{"required", json::array(keys.begin(), keys.end())}};
}

void ExcludeSpellings(const std::vector<std::string>& keys, json::object* table) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    for (std::size_t j = i + 1; j < keys.size(); ++j) {
      MustNot(table).push_back(Given({keys[i], keys[j]}));
    }
  }
}

void RequireOneOf(const std::vector<std::string>& keys, json::object* table) {
  if (keys.size() == 1) {
    json::value& required = (*table)["required"];
    if (required.is_null()) required = json::array();
    required.as_array().emplace_back(keys.front());
    return;
  }
  json::array any;
  for (const std::string& key : keys) any.push_back(Given({key}));
  MustNot(table).push_back(json::object{{"not", json::object{{"anyOf", std::move(any)}}}});
}

// The key that people see first.
std::vector<std::string> KeysOf(const resources::Field& field) {
  std::vector<std::string> keys = {field.display};
  if (field.key != field.display) keys.push_back(field.key);
  for (const std::string& alias : field.rule->alias()) {
    if (alias != field.display) keys.push_back(alias);
  }
  return keys;
}

std::string DescriptionOf(const resources::Field& field) {
  std::string text = resources::MeaningOf(field);
  std::string reference = resources::ReferenceTextOf(field);
  if (reference.empty()) return text;
  reference.front() = absl::ascii_toupper(static_cast<unsigned char>(reference.front()));
  return absl::StrCat(text, text.empty() ? "" : " ", reference, ".");
}

std::string DefinitionName(const resources::FieldTable& fields) {
  return std::string(absl::StripPrefix(fields.message->full_name(), "fairlead.v1."));
}

}  // namespace

json::object FieldSchemas::EmptyTable() const {
  json::object table = {{"type", "object"}, {"properties", json::object()}};
  if (dialect_ == v1::DIALECT_TOML) table["additionalProperties"] = false;
  return table;
}

json::object FieldSchemas::Field(const resources::Field& field,
                                 const google::protobuf::Message& defaults) {
  json::object schema;
  const std::string description = DescriptionOf(field);
  if (!description.empty()) schema["description"] = description;
  for (const auto& member : Shape(field)) schema.insert(member);
  // Beside a reference nothing may stand.
  if (schema.contains("$ref")) {
    const json::value reference = schema["$ref"];
    schema.erase("$ref");
    schema["anyOf"] = json::array{json::object{{"$ref", reference}}};
  }
  if (field.rule->check() == v1::CHECK_TIME_ZONE) schema["examples"] = json::array{"Europe/Berlin"};
  if (field.rule->check() == v1::CHECK_SCHEDULE) {
    schema["examples"] = json::array{"Every day at 03:00", "0 0 3 * * *"};
  }
  const auto value = JsonOfToml(resources::DefaultTextOf(field, defaults, dialect_));
  if (value) schema["default"] = *value;
  return schema;
}

void FieldSchemas::AddFields(const resources::FieldTable& fields, const std::string& kind,
                             const google::protobuf::Message& defaults, json::object* table) {
  for (const resources::Field& field : fields.fields) {
    if (!field.AppliesTo(kind)) continue;
    const std::vector<std::string> keys = KeysOf(field);
    const json::object schema = Field(field, defaults);
    json::object& properties = (*table)["properties"].as_object();
    for (const std::string& key : keys) {
      json::object own = schema;
      if (key != field.display) {
        own["description"] = absl::StrCat("Another spelling of ", field.display, ".");
      }
      properties[key] = std::move(own);
    }
    if (field.rule->required()) RequireOneOf(keys, table);
    ExcludeSpellings(keys, table);
  }
}

json::object FieldSchemas::Table(const resources::FieldTable& fields) {
  const std::string name = DefinitionName(fields);
  // The place is taken first: a table may hold tables of its own kind.
  if (const auto [slot, is_new] = definitions_.try_emplace(name); is_new) {
    json::object table = EmptyTable();
    AddFields(fields, "", resources::DefaultsOf(fields.message, dialect_), &table);
    slot->second = std::move(table);
  }
  return {{"$ref", absl::StrCat("#/$defs/", name)}};
}

json::object FieldSchemas::Shape(const resources::Field& field) {
  switch (field.rule->form()) {
    case v1::FORM_STRING_LIST:
      return OneOf({Titled("Array", ArrayOf(TypeOf("string"))),
                    Titled("Text, split at line ends and commas", TypeOf("string"))});
    case v1::FORM_ARRAY_ONLY:
      return ArrayOf(TypeOf("string"));
    case v1::FORM_ENV_LIST:
    case v1::FORM_LABELS_LIST:
    case v1::FORM_CONVERSION_LIST:
    case v1::FORM_TERM_LABEL_LIST:
      return Pairs(field);
    case v1::FORM_VERSION:
      return OneOf(
          {Titled("Text such as \"1.2.3\"", {{"type", "string"}, {"pattern", kVersionPattern}}),
           Table(*field.message)});
    case v1::FORM_TAGGED:
      return TaggedOrShort(field);
    case v1::FORM_MAP:
      return Map(field);
    case v1::FORM_ANY_TABLE:
      return TypeOf("object");
    case v1::FORM_TABLE_OR_LIST:
      return OneOf({Table(*field.message), ArrayOf(Table(*field.message))});
    case v1::FORM_STRING_OR_TABLE_LIST:
      return ArrayOf(OneOf(
          {Titled(field.message->fields.front().key, ScalarSchema(field.message->fields.front())),
           Table(*field.message)}));
    case v1::FORM_DURATION:
      return DurationSchema();
    default:
      break;
  }
  json::object shape = field.message != nullptr ? Table(*field.message) : ScalarSchema(field);
  return field.descriptor->is_repeated() ? ArrayOf(std::move(shape)) : shape;
}

json::object FieldSchemas::Pairs(const resources::Field& field) const {
  const resources::LineForm& form = *resources::FindLineForm(field.rule->form());
  const std::string first(form.first);
  const std::string second(form.second);
  // An array is kept as lines, in which these would change the meaning.
  const json::object text = {{"type", "string"}, {"not", json::object{{"pattern", "\n| #"}}}};
  json::object pair = EmptyTable();
  pair["properties"] = json::object{{first, text}, {second, text}};
  pair["required"] = json::array{first, second};
  return OneOf(
      {Titled(absl::StrCat("Lines of ", first, form.separator, second), TypeOf("string")),
       Titled(absl::StrCat("Array of {", first, ", ", second, "}"), ArrayOf(std::move(pair)))});
}

json::object FieldSchemas::TaggedOrShort(const resources::Field& field) {
  json::object tagged = Tagged(*field.message);
  const resources::Field* short_field = resources::ShortFieldOf(*field.message);
  if (short_field == nullptr) return tagged;
  json::array& shapes = tagged["oneOf"].as_array();
  const std::string title = absl::StrCat("Short for ", field.message->fields.front().rule->type());
  shapes.insert(shapes.begin(), Titled(title, ScalarSchema(*short_field)));
  return tagged;
}

json::object FieldSchemas::Tagged(const resources::FieldTable& members) {
  json::array shapes;
  for (const resources::Field& member : members.fields) shapes.push_back(TaggedMember(member));
  return OneOf(std::move(shapes));
}

json::object FieldSchemas::TaggedMember(const resources::Field& member) {
  json::object table = {{"title", member.rule->type()},
                        {"description", resources::MeaningOf(member)}};
  for (const auto& part : EmptyTable()) table.insert(part);
  table["properties"] = json::object{{"type", json::object{{"const", member.rule->type()}}},
                                     {"params", Table(*member.message)}};
  table["required"] = json::array{"type"};
  // Without `params` nothing is given.
  const std::vector<resources::Field>& fields = member.message->fields;
  if (std::any_of(fields.begin(), fields.end(),
                  [](const resources::Field& field) { return field.rule->required(); })) {
    table["required"].as_array().emplace_back("params");
  }
  return table;
}

json::object FieldSchemas::Map(const resources::Field& field) {
  const std::vector<resources::Field>& fields = field.message->fields;
  json::object value = Shape(fields[1]);
  if (fields.size() > 2) value = OneOf({Titled(fields[1].key, value), Table(*field.message)});
  json::object map = EmptyTable();
  if (fields[0].values.empty()) {
    map["additionalProperties"] = value;
    return map;
  }
  for (const resources::EnumText& key : fields[0].values) {
    map["properties"].as_object()[key.text] = value;
  }
  map["additionalProperties"] = false;
  return map;
}

}  // namespace fairlead::cli
