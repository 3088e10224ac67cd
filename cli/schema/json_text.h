// JSON for people: indented, members in the order in which they were added.
#pragma once

#include <boost/json/fwd.hpp>

#include <string>

namespace fairlead::cli {

// Two spaces a level; arrays without objects on one line. Ends with a line break.
std::string JsonText(const boost::json::value& value);

}  // namespace fairlead::cli
