// A plan for people.
#pragma once

#include <string>

#include "cli/render/text.h"
#include "fairlead/v1/plan.pb.h"

namespace fairlead::cli {

struct PlanTextOptions {
  // The plan is of what is in effect, so that it can be run: the text says how.
  bool runnable = true;
};

// What will happen, before it happens.
std::string RenderPlan(const v1::Plan& plan, const PlanTextOptions& plan_options,
                       const TextOptions& options);

// A step would change something on a host, now or once its gate opens.
bool HasChanges(const v1::Plan& plan);
// A file or resource of it cannot be read.
bool HasErrors(const v1::Plan& plan);

}  // namespace fairlead::cli
