// Reads resource files.
#pragma once

#include <google/protobuf/message.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "fairlead/v1/common.pb.h"
#include "fairlead/v1/resource.pb.h"
#include "fairlead/v1/resource_sync.pb.h"
#include "resources/interpolation.h"
#include "resources/resource_id.h"

namespace fairlead::resources {

struct SourcePosition {
  std::string file;
  // Counted from 1; 0 means unknown.
  uint32_t line = 0;
  uint32_t column = 0;
};

// One table of a file.
struct Declaration {
  ResourceId id;
  SourcePosition position;
  // Complete: the dialect's defaults are filled in. Null when a problem spoils the resource.
  std::shared_ptr<const v1::Resource> spec;
  // Warnings and errors of this resource. Any error means `spec` is null.
  std::vector<v1::Problem> problems;
};

// What one file says. Immutable once read; cached by blob id.
struct ParsedFile {
  std::string path;
  std::vector<Declaration> declarations;
  // Problems of the file as a whole: syntax errors, unknown tables, a foreign file's notice.
  std::vector<v1::Problem> problems;
  // Problems that were found and are not among those above: a thousand of a file are described, and
  // the first error of each resource.
  std::size_t hidden_problems = 0;
  // It could not be read as a whole (syntax error, not UTF-8, too large).
  bool spoilt = false;
  // It holds no Fairlead table: ignored.
  bool foreign = false;
  // It holds top-level tables that are neither known nor foreign-only; nothing of its sync is
  // pruned meanwhile.
  bool has_unknown_table = false;
  // Of a file of secrets. One that could not be decrypted says why.
  Variables variables;
  // Why a file of secrets whose names are encrypted as well could not be decrypted; else empty.
  std::string sealed;
};

// Bytes of the largest file that is read.
inline constexpr std::size_t kLargestFile = 10u << 20;

// What is said of a file beyond kLargestFile.
v1::Problem TooLargeProblem(absl::string_view path);

// Reads `content` of `path` (used in positions only). Never fails: problems are values. All
// problems are found, except that a syntax error hides the rest of its file.
ParsedFile ReadToml(absl::string_view path, absl::string_view content, v1::Dialect dialect);

// Reads a file of settings whose tables are the fields of `settings`, such as v1::AccountsFile.
// What is wrong with it; secrets are not quoted.
std::vector<v1::Problem> ReadTomlSettings(absl::string_view path, absl::string_view content,
                                          google::protobuf::Message* settings);

}  // namespace fairlead::resources
