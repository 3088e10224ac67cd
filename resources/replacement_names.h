// The names that two containers of a deployment go by while one takes the place of the other.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fairlead::resources {

// NAME.fairlead-old ran before; NAME.fairlead-new is to run next.
inline constexpr absl::string_view kOldSuffix = ".fairlead-old";
inline constexpr absl::string_view kNewSuffix = ".fairlead-new";

std::string OldNameOf(absl::string_view name);
std::string NewNameOf(absl::string_view name);

// The name with a letter in the other case, for the container on its way to the name and for the
// one on its way from it. The engine takes each for a name of its own, but its DNS resolves all
// spellings to both containers, so that one can hand the name to the other while it always
// resolves. Requires: HasSpellings.
std::string ComingSpellingOf(absl::string_view name);
std::string GoingSpellingOf(absl::string_view name);
// Whether the name has the two letters that this takes.
bool HasSpellings(absl::string_view name);

// What a container's name says of its part in a replacement of the container `name`.
enum class ReplacementPart {
  // Nothing: it has the name, or an unrelated one.
  kNone,
  // Not in its place yet.
  kComing,
  // Gives its place up, or has done so.
  kGoing,
};
ReplacementPart PartOf(absl::string_view container_name, absl::string_view name);

}  // namespace fairlead::resources
