// What resources do to each other: names and ports taken twice, and cycles. Internal to
// BuildDesiredState.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "sync/desired.h"

namespace fairlead::sync {

// Problems by position in the list.
using ForeignProblems = std::map<size_t, std::vector<v1::Problem>>;
using DesiredList = std::vector<std::shared_ptr<const DesiredResource>>;

// Two resources that derive the same Docker-side name on one server: an error of both, each
// naming the other. Requires: sorted by id.
void FindNameConflicts(const DesiredList& resources, ForeignProblems& problems);

// Two deployments that publish the same port of one server: an error of both, each naming the
// other.
void FindPortConflicts(const DesiredList& resources, ForeignProblems& problems);

// Cycles of `after`: an error of every member, with the path. Requires: sorted by id.
void FindAfterCycles(const DesiredList& resources, ForeignProblems& problems);

// Procedures that run each other in a circle: an error of every member, with the path. Requires:
// sorted by id.
void FindProcedureCycles(const DesiredList& resources, ForeignProblems& problems);

// The reverse of `after`, sorted.
std::shared_ptr<const std::map<resources::ResourceId, std::vector<resources::ResourceId>>>
ComputeDependents(const DesiredList& resources);

}  // namespace fairlead::sync
