#include "resources/toml_document.h"

#include <algorithm>
#include <cctype>
#include <sstream>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

#include "resources/toml_parser.h"

namespace fairlead::resources {
namespace {

TomlPosition PositionOf(const toml::source_region& region) {
  return TomlPosition{static_cast<uint32_t>(region.begin.line),
                      static_cast<uint32_t>(region.begin.column)};
}

template <typename T>
std::string Printed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

TomlValue Convert(const toml::node& node);

void ConvertTable(const toml::table& table, TomlValue* value) {
  value->type = TomlValue::Type::kTable;
  value->entries.reserve(table.size());
  for (const auto& [key, node] : table) {
    value->entries.push_back(
        TomlEntry{std::string(key.str()), PositionOf(key.source()), Convert(node)});
  }
  std::sort(value->entries.begin(), value->entries.end(),
            [](const TomlEntry& a, const TomlEntry& b) { return a.position < b.position; });
}

void ConvertArray(const toml::array& array, TomlValue* value) {
  value->type = TomlValue::Type::kArray;
  value->items.reserve(array.size());
  for (const toml::node& node : array) value->items.push_back(Convert(node));
}

TomlValue Convert(const toml::node& node) {
  TomlValue value;
  value.position = PositionOf(node.source());
  switch (node.type()) {
    case toml::node_type::string:
      value.type = TomlValue::Type::kString;
      value.text = node.as_string()->get();
      break;
    case toml::node_type::integer:
      value.type = TomlValue::Type::kInteger;
      value.integer = node.as_integer()->get();
      break;
    case toml::node_type::floating_point:
      value.type = TomlValue::Type::kFloat;
      value.number = node.as_floating_point()->get();
      break;
    case toml::node_type::boolean:
      value.type = TomlValue::Type::kBoolean;
      value.boolean = node.as_boolean()->get();
      break;
    case toml::node_type::date:
      value.type = TomlValue::Type::kDate;
      value.text = Printed(node.as_date()->get());
      break;
    case toml::node_type::time:
      value.type = TomlValue::Type::kDate;
      value.text = Printed(node.as_time()->get());
      break;
    case toml::node_type::date_time:
      value.type = TomlValue::Type::kDate;
      value.text = Printed(node.as_date_time()->get());
      break;
    case toml::node_type::array:
      ConvertArray(*node.as_array(), &value);
      break;
    case toml::node_type::table:
    case toml::node_type::none:
      if (const toml::table* table = node.as_table()) ConvertTable(*table, &value);
      break;
  }
  return value;
}

// The parser says "Error while parsing X: why".
std::string CleanMessage(std::string_view description) {
  std::string text(description);
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "Error while parsing ")) {
    text = absl::StrCat("cannot read ", rest);
  } else if (!text.empty()) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return absl::StrReplaceAll(text, {{"\r", ""}, {"\n", " "}});
}

}  // namespace

std::variant<TomlValue, TomlError> ParseToml(absl::string_view text) {
  const toml::parse_result result =
      toml::parse(std::string_view(text.data(), text.size()), std::string_view());
  if (!result) {
    return TomlError{PositionOf(result.error().source()),
                     CleanMessage(result.error().description())};
  }
  return Convert(result.table());
}

absl::string_view NameOf(TomlValue::Type type) {
  switch (type) {
    case TomlValue::Type::kString:
      return "a string";
    case TomlValue::Type::kInteger:
      return "an integer";
    case TomlValue::Type::kFloat:
      return "a float";
    case TomlValue::Type::kBoolean:
      return "a boolean";
    case TomlValue::Type::kDate:
      return "a date or time";
    case TomlValue::Type::kArray:
      return "an array";
    case TomlValue::Type::kTable:
      return "a table";
  }
  return "";
}

}  // namespace fairlead::resources
