// From TOML values to the fields of a message.
#pragma once

#include <google/protobuf/message.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "fairlead/v1/common.pb.h"
#include "fairlead/v1/resource_sync.pb.h"
#include "resources/field_table.h"
#include "resources/toml_document.h"
#include "resources/toml_source.h"

namespace fairlead::resources {

// Which keys of one table have been seen, by the field they mean.
using SeenKeys = std::vector<const TomlEntry*>;

// Reads the fields of one resource and collects what is wrong. What is wrong with one field does
// not keep the others from being read. Confined to one thread; `source` and `problems` outlive it.
class FieldReader {
 public:
  // `resource` is "stack/web", or empty. At most `most` problems are described; of those after,
  // only the count is kept.
  FieldReader(const TomlSource& source, v1::Dialect dialect, std::string resource,
              std::vector<v1::Problem>* problems, std::size_t most = 1000)
      : source_(source),
        dialect_(dialect),
        resource_(std::move(resource)),
        problems_(problems),
        most_(most) {}

  // Suggests what to do about an unknown key; empty falls back on the keys of the table.
  using Hint = std::function<std::string(const std::string& key)>;

  // Reads a table into a message that holds defaults. `where` names the table in messages.
  void ReadMessage(const TomlValue& table, const FieldTable& fields, const std::string& where,
                   const Hint& hint, google::protobuf::Message* out);

  void ReadField(const Field& field, const TomlEntry& entry, google::protobuf::Message* out);

  // Reads {type, params} into the one oneof of `tagged`. `where` names the table in messages.
  void ReadTaggedTable(const TomlValue& table, const FieldTable& members, const std::string& where,
                       google::protobuf::Message* tagged);

  // False, with a problem, when the field has been given under this or another key.
  bool MarkSeen(const Field& field, const TomlEntry& entry, SeenKeys* seen);

  void ReportUnknownKey(const TomlEntry& entry, const std::string& where,
                        const std::string& suggestion);
  // An error in every dialect, without the line.
  void ReportSecret(const TomlEntry& entry, const std::string& where,
                    const std::string& suggestion);
  void ReportWrongType(const std::string& key, const TomlValue& value, absl::string_view expected,
                       const std::string& suggestion = "");
  // Nothing is said where an unknown key of the table has been taken for a misspelling of `key`.
  void ReportMissingKey(const TomlValue& table, const std::string& key, const std::string& where);
  // An error at a place in the file.
  void ReportError(absl::string_view code, const SourcePosition& position,
                   const std::string& message, const std::string& suggestion = "");

  // An error has been reported.
  bool failed() const { return failed_; }
  // Problems are only counted from here on: no suggestion is needed.
  bool full() const { return described_ >= most_; }
  // Problems that were not described.
  std::size_t hidden() const { return hidden_; }
  v1::Dialect dialect() const { return dialect_; }
  const TomlSource& source() const { return source_; }

 private:
  void ReadPlain(const Field& field, const TomlValue& value, google::protobuf::Message* out);
  void ReadScalar(const Field& field, const TomlValue& value, google::protobuf::Message* out);
  void ReadText(const Field& field, const TomlValue& value, google::protobuf::Message* out);
  void ReadInteger(const Field& field, const TomlValue& value, google::protobuf::Message* out);
  void ReadFloat(const Field& field, const TomlValue& value, google::protobuf::Message* out);
  void ReadEnum(const Field& field, const TomlValue& value, google::protobuf::Message* out);
  void ReadNested(const Field& field, const TomlValue& value, google::protobuf::Message* out);
  void ReadElements(const Field& field, const TomlValue& value, google::protobuf::Message* out);
  void ReadStringList(const Field& field, const TomlValue& value, google::protobuf::Message* out);
  void ReadFileContents(const Field& field, const TomlValue& value, google::protobuf::Message* out);
  void ReadLines(const Field& field, const TomlValue& value, google::protobuf::Message* out);
  // The text lines of an array of {first, second} tables; false after a problem.
  bool ReadPairs(const Field& field, const TomlValue& value, std::string* text);
  bool ReadPairMember(const Field& field, const TomlValue& pair, absl::string_view key,
                      std::string* text);
  // {key = value}: an element of the repeated message for each key.
  void ReadMap(const Field& field, const TomlValue& value, google::protobuf::Message* out);
  void ReadAnyTable(const Field& field, const TomlValue& value, google::protobuf::Message* out);
  void ReadVersion(const Field& field, const TomlValue& value, google::protobuf::Message* out);
  void ReadTagged(const Field& field, const TomlValue& value, google::protobuf::Message* out);
  void ReadDuration(const Field& field, const TomlValue& value, google::protobuf::Message* out);

  // What the options ask of texts that the table gives; `message` holds what has been read.
  void CheckValues(const FieldTable& fields, const SeenKeys& seen,
                   const google::protobuf::Message& message);
  void CheckSchedule(const Field& field, const TomlValue& value, bool cron);
  void CheckTimeZone(const Field& field, const TomlValue& value);
  // The byte `offset` of a string value; its begin where the file spells the text otherwise.
  SourcePosition PositionInText(const TomlValue& value, std::size_t offset) const;

  void ReportMissing(const TomlValue& table, const FieldTable& fields, const SeenKeys& seen,
                     const std::string& where);
  void ReportBadValue(const TomlValue& value, const std::string& message,
                      const std::string& suggestion = "");
  void Report(v1::Severity severity, absl::string_view code, const SourcePosition& position,
              const std::string& message, const std::string& suggestion);

  const TomlSource& source_;
  const v1::Dialect dialect_;
  const std::string resource_;
  std::vector<v1::Problem>* problems_;
  const std::size_t most_;
  std::size_t described_ = 0;
  std::size_t hidden_ = 0;
  // The field being read is secret: its source line is not shown.
  bool secret_ = false;
  bool failed_ = false;
};

}  // namespace fairlead::resources
