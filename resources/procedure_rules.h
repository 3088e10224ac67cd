// What a procedure must be beyond its fields.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "fairlead/v1/common.pb.h"
#include "fairlead/v1/procedure.pb.h"
#include "resources/reference.h"
#include "resources/resource_id.h"

namespace fairlead::resources {

struct ProcedureFault {
  v1::Severity severity = v1::SEVERITY_ERROR;
  std::string code;
  std::string message;
  std::string suggestion;
};

// Patterns that cannot be read are errors; what a run cannot do yet is a warning that names it.
std::vector<ProcedureFault> FindProcedureFaults(const v1::Procedure& procedure);

// The procedures among `names` that a run of this one runs itself, by name or pattern; disabled
// stages and executions run nothing.
std::vector<ResourceId> ProceduresRunBy(const v1::Procedure& procedure,
                                        const std::vector<std::string>& names);

// "web -> db -> web" of a circle of procedures that run each other.
std::string DescribeCycle(const std::vector<ResourceId>& cycle);

}  // namespace fairlead::resources
