// Words and colours of the enums of the API.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

#include "cli/render/text.h"
#include "fairlead/v1/plan.pb.h"
#include "fairlead/v1/state.pb.h"

namespace fairlead::cli {

// "Converged", "Crash loop".
std::string ConditionName(v1::Condition condition);
Color ConditionColor(v1::Condition condition);

// "replace", "remove extra".
std::string ActionName(v1::StepAction action);
// As in diffs: "+" adds, "-" removes, "~" changes, "!" cannot, "." waits, "=" takes over.
std::string ActionMark(v1::StepAction action);
Color ActionColor(v1::StepAction action);
// It would change something on a host, now or once its gate opens.
bool IsChange(v1::StepAction action);

// Of a sync or a server, such as "converged" or "offline".
Color StateColor(absl::string_view state);

// "file:line:column"; parts that are not known are left out.
std::string PlaceOf(const v1::Problem& problem);
// "message; suggestion".
std::string MessageOf(const v1::Problem& problem);

}  // namespace fairlead::cli
