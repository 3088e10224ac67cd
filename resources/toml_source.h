// The text of a resource file: what must hold before it is parsed, and where things are in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "fairlead/v1/common.pb.h"
#include "fairlead/v1/resource_sync.pb.h"
#include "resources/toml_reader.h"

namespace fairlead::resources {

// A place as the parser counts it: line and column from 1, the column in characters of the
// text it was given.
struct TomlPosition {
  uint32_t line = 0;
  uint32_t column = 0;

  auto operator<=>(const TomlPosition&) const = default;
};

// One file. The komodo dialect takes backslashes between """ literally: there the text for the
// parser differs from the file, and positions are mapped back. Confined to one thread; `path` and
// `content` outlive it.
class TomlSource {
 public:
  TomlSource(absl::string_view path, absl::string_view content, v1::Dialect dialect);

  // What forbids parsing: too large, not UTF-8, a conflict marker, keys too deep.
  std::optional<v1::Problem> Check() const;

  // The text for the parser.
  absl::string_view text() const { return doubled_.empty() ? content_ : rewritten_; }

  // A place in the file, the column in bytes.
  SourcePosition Map(TomlPosition position) const;

  // The line without its end; empty when there is none.
  absl::string_view Line(uint32_t line) const;

  // Line `index` (from 0) of the string that begins at `start`, which holds `text`; `start`
  // itself when that cannot be told.
  SourcePosition LineOfString(TomlPosition start, std::size_t index, absl::string_view text) const;

  // A problem at a place of the file, with its source line.
  v1::Problem MakeProblem(v1::Severity severity, absl::string_view code,
                          const SourcePosition& position, absl::string_view message) const;

 private:
  SourcePosition PositionAt(std::size_t offset) const;
  std::optional<v1::Problem> CheckConflictMarker() const;
  std::optional<v1::Problem> CheckDepth() const;
  void DoubleBackslashes();

  const std::string path_;
  const absl::string_view content_;
  // Offsets of line starts.
  std::vector<uint32_t> lines_;
  // Offsets of backslashes that stand twice in rewritten_, in order.
  std::vector<std::size_t> doubled_;
  std::string rewritten_;
  // Columns of one line that Map has come by, so that a long line is not walked again for each
  // of its problems.
  struct Mark {
    uint32_t column = 1;
    std::size_t offset = 0;
  };
  mutable uint32_t marks_line_ = 0;
  mutable std::vector<Mark> marks_;
};

}  // namespace fairlead::resources
