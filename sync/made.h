// What runs have made, as the plan sees it: images of builds, checkouts, runs of procedures.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/string_view.h"

#include "fairlead/v1/state.pb.h"
#include "resources/spec_hash.h"
#include "sync/desired.h"
#include "sync/planner.h"

namespace fairlead::sync {

// "1.2.3"; empty when all are 0.
std::string VersionText(const v1::Version& version);
// "1.2.3 of 4f2a91c".
std::string DescribeBuild(const v1::BuildRecord& record);

// The deployment with this image in place of its build.
v1::Resource WithImage(const v1::Resource& spec, const std::string& image);

// Deployments that run the image of a build. `before` are those of `previous`, the state that
// `declared` was built from; null: none is known.
std::set<resources::ResourceId> FindImageUsers(const DesiredState& declared,
                                               const DesiredState* previous,
                                               const std::set<resources::ResourceId>& before);

// The declared state with the image in place of the build that makes it, in spec, resolved spec
// and hash; of those that wait for an image DesiredResource::waits_for says why. What is as in
// `previous`, the last answer, is shared with it (may be null). Without users `declared` itself.
//
// Which image: of a version that is given, that one. Else the newest; but without
// redeploy_on_build the one that runs, as long as nothing else of the deployment changes.
std::shared_ptr<const DesiredState> FillImages(const std::shared_ptr<const DesiredState>& declared,
                                               const std::set<resources::ResourceId>& users,
                                               const PlanInput& input,
                                               const DesiredState* previous);

}  // namespace fairlead::sync
