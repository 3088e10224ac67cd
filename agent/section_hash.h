// What of a container can be changed by hand, as keyed hashes.
#pragma once

#include <map>
#include <string>

#include <boost/json/fwd.hpp>

#include "resources/spec_hash.h"

namespace fairlead::agent {

// By section: image, command, environment, mounts, ports, labels, networks, limits. Equal for
// a container from its creation to its end unless somebody changes it: addresses, names that the
// engine derives from the id, and what only a start fills in are left out. Own and compose
// labels do not count.
std::map<std::string, std::string> ComputeSectionHashes(const boost::json::object& inspect,
                                                        const resources::SpecHasher& hasher);

}  // namespace fairlead::agent
