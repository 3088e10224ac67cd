// What of a container can be changed by hand, as keyed hashes.
#pragma once

#include <map>
#include <string>

#include <boost/json/fwd.hpp>

#include "resources/spec_hash.h"

namespace fairlead::agent {

// By section: image, command, environment, healthcheck, mounts, ports, labels, networks, limits.
// Equal for a container from its creation to its end unless somebody changes it: addresses, names
// that the engine derives from the id, and what only a start fills in are left out. Own and
// compose labels do not count.
std::map<std::string, std::string> ComputeSectionHashes(const boost::json::object& inspect,
                                                        const resources::SpecHasher& hasher);

// False when a recorded section is another now. Sections that were not recorded (by an earlier
// version) do not count.
bool IsAsRecorded(const std::map<std::string, std::string>& recorded,
                  const std::map<std::string, std::string>& now);

}  // namespace fairlead::agent
