// One field as a row of a Markdown table.
#pragma once

#include <google/protobuf/message.h>

#include <set>
#include <string>

#include "resources/field_table.h"

namespace fairlead::resources {

// Cells in Markdown, with '|' escaped. A '+' behind the keys marks additions to Komodo's format.
struct FieldRow {
  std::string keys;
  std::string type;
  std::string default_value;
  // What a change does to containers that run: "recreates", "in place" or nothing.
  std::string change;
  std::string meaning;
};

// The defaults are of the message that holds the field, in either dialect.
FieldRow RowOf(const Field& field, const google::protobuf::Message& toml_defaults,
               const google::protobuf::Message& komodo_defaults);

// A sentence as Markdown: [[NAME]] is no link.
std::string Prose(const std::string& text);

// "[SystemCommand](#systemcommand)".
std::string TableLink(const FieldTable& table);

// Name of a table in the page: that of its message.
std::string TableName(const FieldTable& table);

}  // namespace fairlead::resources
