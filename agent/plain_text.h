// Text of programs as a message can carry it.
#pragma once

#include <string>

namespace fairlead::agent {

// Without colours and control characters but tabs; bytes that are no UTF-8 become "?".
std::string PlainText(const std::string& text);

}  // namespace fairlead::agent
