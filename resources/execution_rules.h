// What of the executions of procedures is not carried out, and why.
#pragma once

#include <optional>
#include <string>

#include "fairlead/v1/execution.pb.h"

namespace fairlead::resources {

struct ExecutionRefusal {
  // A clause: "CommitSync is not carried out: git is the only source of what is declared".
  std::string message;
  // What to do instead; may be empty.
  std::string instead;
};

// The first reason why this version does not carry out the execution as it is written: its type,
// or a parameter. Nothing: it does.
std::optional<ExecutionRefusal> FindRefusal(const v1::Execution& execution);

}  // namespace fairlead::resources
