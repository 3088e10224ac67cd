// Field-by-field differences of two declarations, by meaning.
#pragma once

#include <vector>

#include "fairlead/v1/plan.pb.h"
#include "fairlead/v1/resource.pb.h"

namespace fairlead::resources {

// Changes from `before` to `after`, in field order; lists of key-values by key
// ("environment.LOG"). Secret values read "***". Both are as declared, not interpolated, of the
// same kind.
std::vector<v1::FieldChange> ComputeChanges(const v1::Resource& before, const v1::Resource& after);

}  // namespace fairlead::resources
