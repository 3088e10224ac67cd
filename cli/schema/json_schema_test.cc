#include "cli/schema/json_schema.h"

#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <boost/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

#include "cli/schema/json_text.h"
#include "fairlead/v1/resource.pb.h"
#include "resources/field_table.h"
#include "resources/kind_table.h"

namespace fairlead::cli {
namespace {

namespace json = boost::json;

using ::testing::HasSubstr;

json::value Text(const std::string& text) { return json::string(text); }

// What lies at a path of members such as "$defs/Deployment/properties/image"; null when nothing.
json::value At(const json::value& value, const std::string& path) {
  const json::value* current = &value;
  for (const std::string& key : std::vector<std::string>(absl::StrSplit(path, '/'))) {
    const json::object* members = current->if_object();
    current = members == nullptr ? nullptr : members->if_contains(key);
    if (current == nullptr) return nullptr;
  }
  return *current;
}

class JsonSchemaTest : public ::testing::Test {
 protected:
  // The schema of a key without its description.
  json::value Shape(const std::string& table, const std::string& key) const {
    json::value shape = At(toml_, absl::StrCat("$defs/", table, "/properties/", key));
    if (shape.is_object()) shape.as_object().erase("description");
    return shape;
  }

  const json::value toml_ = ResourceFileSchema(v1::DIALECT_TOML);
  const json::value komodo_ = ResourceFileSchema(v1::DIALECT_KOMODO);
};

TEST_F(JsonSchemaTest, NamesTheDraftAndTheDialect) {
  EXPECT_EQ(At(toml_, "$schema"), "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(At(komodo_, "$comment"),
            Text(absl::StrCat("fairlead ", FAIRLEAD_VERSION, ", dialect komodo")));
}

TEST_F(JsonSchemaTest, EveryKindStandsUnderBothNames) {
  for (const resources::Kind& kind : resources::Kinds()) {
    const json::value entries = At(toml_, absl::StrCat("properties/", kind.name));
    EXPECT_EQ(At(entries, "items/$ref"), Text(absl::StrCat("#/$defs/", kind.name)));
    EXPECT_EQ(At(toml_, absl::StrCat("properties/", kind.plural)), entries);
  }
}

TEST_F(JsonSchemaTest, EveryFieldStandsUnderEachOfItsKeys) {
  for (const resources::Kind& kind : resources::Kinds()) {
    if (kind.flat || kind.tagged) continue;
    const std::string table = absl::StrCat(
        "$defs/", std::string(kind.message->full_name()).substr(strlen("fairlead.v1.")));
    for (const resources::Field& field : resources::FieldsOf(kind.message).fields) {
      EXPECT_FALSE(At(toml_, absl::StrCat(table, "/properties/", field.key)).is_null())
          << field.descriptor->full_name();
      for (const std::string& alias : field.rule->alias()) {
        EXPECT_FALSE(At(toml_, absl::StrCat(table, "/properties/", alias)).is_null()) << alias;
      }
    }
  }
}

TEST_F(JsonSchemaTest, FieldsBesideTheNameAreForTheirKindsOnly) {
  EXPECT_FALSE(At(toml_, "$defs/stack/properties/deploy").is_null());
  EXPECT_TRUE(At(toml_, "$defs/server/properties/deploy").is_null());
  EXPECT_TRUE(At(toml_, "$defs/server/properties/adopt").is_null());
}

TEST_F(JsonSchemaTest, FlatKindHasItsFieldsBesideTheName) {
  EXPECT_FALSE(At(toml_, "$defs/variable/properties/value").is_null());
  EXPECT_TRUE(At(toml_, "$defs/variable/properties/config").is_null());
}

TEST_F(JsonSchemaTest, UnknownKeysAreRefusedWhereTheReaderRefusesThem) {
  for (const char* table : {"additionalProperties", "$defs/stack/additionalProperties",
                            "$defs/SystemCommand/additionalProperties"}) {
    EXPECT_EQ(At(toml_, table), false) << table;
    EXPECT_TRUE(At(komodo_, table).is_null()) << table;
  }
}

TEST_F(JsonSchemaTest, NameIsRequiredAndNotEmpty) {
  EXPECT_EQ(At(toml_, "$defs/stack/required"), json::array({"name"}));
  EXPECT_EQ(At(toml_, "$defs/stack/properties/name/minLength"), 1);
}

TEST_F(JsonSchemaTest, DefaultsAreThoseOfTheDialect) {
  EXPECT_EQ(At(toml_, "$defs/Deployment/properties/network/default"), "bridge");
  EXPECT_EQ(At(komodo_, "$defs/Deployment/properties/network/default"), "host");
  EXPECT_EQ(At(toml_, "$defs/Deployment/properties/health_timeout/default"), "3m");
  EXPECT_EQ(At(toml_, "$defs/Server/properties/cpu_warning/default"), 90);
  EXPECT_EQ(At(toml_, "$defs/Deployment/properties/links/default"), json::array());
  EXPECT_TRUE(At(toml_, "$defs/stack/properties/name/default").is_null());
}

TEST_F(JsonSchemaTest, DescriptionSaysWhatTheFieldMeansAndNames) {
  EXPECT_EQ(At(toml_, "$defs/Deployment/properties/server/description"),
            "Server that runs the container. Name of a server.");
  EXPECT_EQ(At(toml_, "$defs/Deployment/properties/server_id/description"),
            "Another spelling of server.");
}

TEST_F(JsonSchemaTest, SpellingsOfOneFieldExcludeEachOther) {
  const json::value excluded = At(toml_, "$defs/Deployment/not/anyOf");
  ASSERT_TRUE(excluded.is_array());
  EXPECT_THAT(json::serialize(excluded), HasSubstr(R"({"required":["server","server_id"]})"));
}

TEST_F(JsonSchemaTest, Scalars) {
  EXPECT_EQ(Shape("Stack", "auto_pull"), json::parse(R"({"type": "boolean", "default": true})"));
  EXPECT_EQ(Shape("Stack", "project_name"), json::parse(R"({"type": "string", "default": ""})"));
  EXPECT_EQ(Shape("Server", "cpu_warning"), json::parse(R"({"type": "number", "default": 90})"));
  EXPECT_EQ(
      Shape("Server", "max_parallel"),
      json::parse(R"({"type": "integer", "minimum": 0, "maximum": 4294967295, "default": 0})"));
}

TEST_F(JsonSchemaTest, EnumHasItsTextsThenTheirOtherSpellings) {
  EXPECT_EQ(Shape("Deployment", "termination_signal"), json::parse(R"({"type": "string",
      "enum": ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "15", "1", "2", "3"],
      "default": "SIGTERM"})"));
}

TEST_F(JsonSchemaTest, StringListIsATextOrAnArray) {
  EXPECT_EQ(At(Shape("Stack", "links"), "oneOf"), json::parse(R"([
      {"title": "Array", "type": "array", "items": {"type": "string"}},
      {"title": "Text, split at line ends and commas", "type": "string"}])"));
  EXPECT_EQ(Shape("Deployment", "links"),
            json::parse(R"({"type": "array", "items": {"type": "string"}, "default": []})"));
}

TEST_F(JsonSchemaTest, LinesAreATextOrAnArrayOfPairs) {
  const json::value shapes = At(Shape("Deployment", "ports"), "oneOf");
  EXPECT_EQ(shapes.at(0), json::parse(R"({"title": "Lines of local: container",
      "type": "string"})"));
  EXPECT_EQ(shapes.at(1).at("items").at("required"), json::array({"local", "container"}));
  EXPECT_EQ(shapes.at(1).at("items").at("additionalProperties"), false);
}

TEST_F(JsonSchemaTest, DurationIsATextOrSeconds) {
  const json::value shapes = At(Shape("Deployment", "min_ready"), "oneOf");
  EXPECT_EQ(shapes.at(0).at("type"), "string");
  EXPECT_EQ(shapes.at(1), json::parse(R"({"title": "Seconds", "type": "integer", "minimum": 0})"));
}

TEST_F(JsonSchemaTest, VersionIsATextOrATable) {
  const json::value shapes = At(Shape("BuildReference", "version"), "oneOf");
  EXPECT_EQ(shapes.at(0).at("type"), "string");
  EXPECT_EQ(shapes.at(1), json::parse(R"({"$ref": "#/$defs/Version"})"));
}

TEST_F(JsonSchemaTest, TaggedIsAShortTextOrATableForEachType) {
  const json::value shapes = At(Shape("Deployment", "image"), "oneOf");
  EXPECT_EQ(shapes.at(0), json::parse(R"({"title": "Short for Image", "type": "string"})"));
  EXPECT_EQ(shapes.at(1), json::parse(R"({"title": "Image",
      "description": "An image by its reference.", "type": "object",
      "properties": {"type": {"const": "Image"}, "params": {"$ref": "#/$defs/ImageReference"}},
      "additionalProperties": false, "required": ["type"]})"));
}

TEST_F(JsonSchemaTest, TaggedNeedsParamsWhereOneOfThemIsRequired) {
  const json::value types = At(Shape("StageExecution", "execution"), "oneOf");
  EXPECT_EQ(types.at(0).at("required"), json::array({"type"}));
  EXPECT_EQ(types.at(2).at("title"), "DeployStack");
  EXPECT_EQ(types.at(2).at("required"), json::array({"type", "params"}));
}

TEST_F(JsonSchemaTest, ConfigOfATaggedKindIsOneOfItsTypes) {
  EXPECT_EQ(At(toml_, "$defs/builder/properties/config/oneOf").at(1).at("title"), "Server");
}

TEST_F(JsonSchemaTest, RequiredFieldWithSpellingsNeedsOneOfThem) {
  EXPECT_THAT(json::serialize(At(toml_, "$defs/CommitSyncParams/not")),
              HasSubstr(R"({"not":{"anyOf":[{"required":["sync"]},{"required":)"));
}

TEST_F(JsonSchemaTest, TableOrListIsEither) {
  EXPECT_EQ(At(Shape("Build", "image_registry"), "oneOf"), json::parse(R"([
      {"$ref": "#/$defs/ImageRegistry"},
      {"type": "array", "items": {"$ref": "#/$defs/ImageRegistry"}}])"));
}

TEST_F(JsonSchemaTest, MapHasTheKeysOfItsEnumOrAny) {
  const json::value all = At(toml_, "$defs/user_group/properties/all");
  EXPECT_EQ(At(all, "additionalProperties"), false);
  EXPECT_EQ(At(all, "properties/Server/oneOf").at(1),
            json::parse(R"({"$ref": "#/$defs/TypePermission"})"));
  EXPECT_EQ(At(Shape("RunStackServiceParams", "env"), "additionalProperties"),
            json::parse(R"({"type": "string"})"));
}

TEST_F(JsonSchemaTest, AnyTableIsOpen) {
  EXPECT_EQ(Shape("ActionParams", "args"), json::parse(R"({"type": "object"})"));
}

TEST_F(JsonSchemaTest, ListOfTextsOrTables) {
  EXPECT_EQ(At(Shape("Stack", "config_files"), "items/oneOf"), json::parse(R"([
      {"title": "path", "type": "string"}, {"$ref": "#/$defs/ConfigFile"}])"));
}

TEST_F(JsonSchemaTest, TableIsReferredToWithoutAnythingBesideTheReference) {
  EXPECT_EQ(At(Shape("Stack", "pre_deploy"), "anyOf"),
            json::parse(R"([{"$ref": "#/$defs/SystemCommand"}])"));
  EXPECT_EQ(At(Shape("Server", "maintenance_windows"), "items"),
            json::parse(R"({"$ref": "#/$defs/MaintenanceWindow"})"));
}

TEST(JsonTextTest, ObjectsAreIndentedAndArraysOfScalarsAreNot) {
  EXPECT_EQ(JsonText(json::parse(R"({"b": [1, "x"], "a": {}, "c": [{"d": null}]})")), R"({
  "b": [1, "x"],
  "a": {},
  "c": [
    {
      "d": null
    }
  ]
}
)");
}

}  // namespace
}  // namespace fairlead::cli
