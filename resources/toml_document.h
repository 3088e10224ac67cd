// TOML as a tree of values with positions. Keeps the parser's own types in one file.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"

#include "resources/toml_source.h"

namespace fairlead::resources {

struct TomlEntry;

struct TomlValue {
  enum class Type {
    kString,
    kInteger,
    kFloat,
    kBoolean,
    // Local date, time, or date and time; `text` holds it.
    kDate,
    kArray,
    kTable,
  };
  Type type = Type::kTable;
  TomlPosition position;
  std::string text;
  int64_t integer = 0;
  double number = 0;
  bool boolean = false;
  std::vector<TomlValue> items;
  // In order of position.
  std::vector<TomlEntry> entries;
};

struct TomlEntry {
  std::string key;
  TomlPosition position;
  TomlValue value;
};

struct TomlError {
  TomlPosition position;
  // Lower case, one line.
  std::string message;
};

// The root table, or the first error. `text` is UTF-8 and no key in it is deeper than the
// parser's stack allows (TomlSource::Check).
std::variant<TomlValue, TomlError> ParseToml(absl::string_view text);

// "a string", "an integer", ...
absl::string_view NameOf(TomlValue::Type type);

}  // namespace fairlead::resources
