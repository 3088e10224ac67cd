// The values that fields accept, as JSON Schema.
#pragma once

#include <map>
#include <string>

#include <boost/json.hpp>

#include "fairlead/v1/resource_sync.pb.h"
#include "resources/field_table.h"

namespace fairlead::cli {

// Makes the schemas of fields, and of the tables that they hold. Those tables become definitions,
// each once. Confined to one thread.
class FieldSchemas {
 public:
  explicit FieldSchemas(v1::Dialect dialect) : dialect_(dialect) {}

  // What may stand behind `key =`, with its description, and its value in `defaults`.
  boost::json::object Field(const resources::Field& field,
                            const google::protobuf::Message& defaults);

  // Adds the fields to `table`, each under all its keys, that apply to the kind.
  void AddFields(const resources::FieldTable& fields, const std::string& kind,
                 const google::protobuf::Message& defaults, boost::json::object* table);

  // A {type, params} table of one of the members.
  boost::json::object Tagged(const resources::FieldTable& members);

  // {"$ref": ...} to the definition of a table.
  boost::json::object Table(const resources::FieldTable& fields);

  // An object schema without members.
  boost::json::object EmptyTable() const;

  // Definitions so far, by name.
  const std::map<std::string, boost::json::object>& definitions() const { return definitions_; }

 private:
  boost::json::object Shape(const resources::Field& field);
  boost::json::object TaggedOrShort(const resources::Field& field);
  boost::json::object Map(const resources::Field& field);
  boost::json::object TaggedMember(const resources::Field& member);
  boost::json::object Pairs(const resources::Field& field) const;

  const v1::Dialect dialect_;
  std::map<std::string, boost::json::object> definitions_;
};

}  // namespace fairlead::cli
