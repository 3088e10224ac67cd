// Random resources for property tests, made from the descriptors: a new field is covered at once.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/struct.pb.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>

#include "fairlead/v1/resource.pb.h"
#include "fairlead/v1/resource_sync.pb.h"
#include "resources/field_table.h"
#include "resources/kind_table.h"

namespace fairlead::resources {

// Makes resources in the form in which the reader leaves them, with texts that are hard to write.
// The same seed gives the same resources.
class ResourceGenerator {
 public:
  explicit ResourceGenerator(uint64_t seed) : random_(seed) {}

  v1::Resource Next(const Kind& kind, v1::Dialect dialect);

  // Fields that have been given a value so far.
  const std::set<const google::protobuf::FieldDescriptor*>& filled() const { return filled_; }

 private:
  std::size_t Below(std::size_t limit) { return random_() % limit; }
  bool Chance() { return Below(3) == 0; }
  std::string Piece();
  // Without line ends and tabs.
  std::string LineText();
  std::string AnyText();
  std::string TextFor(const Field& field, const google::protobuf::Message& message);

  void FillMessage(const FieldTable& table, google::protobuf::Message* message);
  void Fill(const Field& field, google::protobuf::Message* message);
  void FillRepeated(const Field& field, google::protobuf::Message* message);
  void FillMap(const Field& field, google::protobuf::Message* message);
  void FillNested(const Field& field, google::protobuf::Message* nested);
  void FillTagged(const FieldTable& members, google::protobuf::Message* tagged);
  void FillStruct(int depth, google::protobuf::Struct* table);
  void FillValue(int depth, google::protobuf::Value* value);

  std::mt19937_64 random_;
  v1::Dialect dialect_ = v1::DIALECT_TOML;
  std::set<const google::protobuf::FieldDescriptor*> filled_;
  // Of a tagged message: which member comes next.
  std::map<const FieldTable*, std::size_t> turn_;
};

}  // namespace fairlead::resources
