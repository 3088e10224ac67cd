// Options of containers that are laid over the create request as they are.
#pragma once

#include <string>
#include <vector>

#include <google/protobuf/struct.pb.h>
#include <boost/json/fwd.hpp>

namespace fairlead::agent {

// As the engine reads it: whole numbers without a point.
boost::json::object ToJson(const google::protobuf::Struct& overlay);

// Objects are merged, arrays are appended to one that is there, everything else replaces. A null
// changes nothing.
void LayOver(const boost::json::object& overlay, boost::json::object& body);

// Members of `overlay`, a part of a create request, that a container made otherwise does not have,
// such as "HostConfig.CapAdd". Mounts and ports are left out.
std::vector<std::string> OverlayDifferences(const boost::json::object& overlay,
                                            const boost::json::object& inspect);

}  // namespace fairlead::agent
