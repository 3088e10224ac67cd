// Names of files for things whose own names may hold any character.
#pragma once

#include <string>

namespace fairlead::agent {

// 32 hex characters, always the same for one text.
std::string FileNameOf(const std::string& text);

}  // namespace fairlead::agent
