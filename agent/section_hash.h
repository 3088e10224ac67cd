// What of a container can be changed by hand, as keyed hashes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <boost/json/fwd.hpp>

#include "resources/spec_hash.h"

namespace fairlead::agent {

// By section: image, command, environment, healthcheck, mounts, ports, labels, networks, limits.
// Equal for a container from its creation to its end unless somebody changes it: addresses, names
// that the engine derives from the id, and what only a start fills in are left out. Own and
// compose labels do not count. `image_now` is the id that the container's image reference stands
// for now, empty when it stands for none: another one than the container's changes its image.
std::map<std::string, std::string> ComputeSectionHashes(const boost::json::object& inspect,
                                                        const std::string& image_now,
                                                        const resources::SpecHasher& hasher);

// Recorded sections that are others now, in order. Those that were not recorded (by an earlier
// version) do not count.
std::vector<std::string> ChangedSections(const std::map<std::string, std::string>& recorded,
                                         const std::map<std::string, std::string>& now);

// False when a recorded section is another now. Sections that were not recorded (by an earlier
// version) do not count.
bool IsAsRecorded(const std::map<std::string, std::string>& recorded,
                  const std::map<std::string, std::string>& now);

}  // namespace fairlead::agent
