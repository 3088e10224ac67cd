// Names of time zones.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fairlead::resources {

// The zone of an IANA name such as "Europe/Berlin", from the system's database. InvalidArgument
// for an unknown one, with what may have been meant. The machine's own "localtime" and paths are
// unknown, so that a name means the same everywhere.
absl::StatusOr<absl::TimeZone> FindTimeZone(absl::string_view name);

// What to do about an unknown zone: `did you mean "Europe/Berlin"?`.
std::string SuggestTimeZone(absl::string_view name);

}  // namespace fairlead::resources
