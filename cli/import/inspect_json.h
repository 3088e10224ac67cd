// Values of the engine's answers.
#pragma once

#include <string>
#include <vector>

#include <boost/json.hpp>
#include "absl/strings/string_view.h"

namespace fairlead::cli {

// By JSON pointer, such as "/HostConfig/NetworkMode". Null when it is not there.
const boost::json::value* At(const boost::json::value& root, absl::string_view pointer);

// Empty when it is not there or of another type.
std::string TextAt(const boost::json::value& root, absl::string_view pointer);
std::vector<std::string> TextsAt(const boost::json::value& root, absl::string_view pointer);
boost::json::object ObjectAt(const boost::json::value& root, absl::string_view pointer);
boost::json::array ArrayAt(const boost::json::value& root, absl::string_view pointer);

// Null, false, 0, "", [] and {}: the engine fills some in where nothing was asked for.
bool IsNothing(const boost::json::value* value);

// The same, where all that is nothing counts as equal.
bool MeansTheSame(const boost::json::value* a, const boost::json::value* b);

}  // namespace fairlead::cli
