// What a build or a repo becomes: the command for its host, and the record of what came of it.
// Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "controller/actions/job_terms.h"
#include "controller/loop/core.h"
#include "fairlead/v1/build.pb.h"
#include "fairlead/v1/state.pb.h"
#include "sync/desired.h"

namespace fairlead::actions {

// The version of the next build; `record` may be null. All 0: it has none.
v1::Version NextVersion(const v1::Build& build, const v1::BuildRecord* record);

// image_name, else the build's name as registries take it.
std::string ImageNameOf(const std::string& name, const v1::Build& build);

// What the image is pushed to, without logins; with no registry its name alone, which stays on the
// server that builds it.
std::vector<v1::BuildImage::Target> TargetsOf(const std::string& name, const v1::Build& build);

// Tags of an image of `version`, but for the commit's.
std::vector<std::string> TagsOf(const v1::Build& build, const v1::Version& version);

// The server to build on: of several that are connected the one with the fewest jobs, and
// `last`, which has built it before, among equals. Unavailable: none is connected.
// FailedPrecondition: it cannot be built there at all.
absl::StatusOr<std::string> ChooseServer(const std::string& builder, const std::string& last,
                                         const JobInput& input);

// Requires: valid.
absl::StatusOr<loop::HostJob> ComputeBuildJob(const sync::DesiredResource& build, bool force,
                                              const JobInput& input);
absl::StatusOr<loop::HostJob> ComputeRepoJob(const sync::DesiredResource& repo,
                                             const v1::Execution& execution, const JobInput& input);

// What is kept of a job of ComputeBuildJob that succeeded; `before` may be null.
v1::BuildRecord BuildRecordOf(const loop::RequestReport& report, const v1::BuildRecord* before,
                              const std::string& run_id, absl::Time now);
v1::RepoRecord RepoRecordOf(const loop::RequestReport& report, const std::string& resource,
                            absl::Time now);

}  // namespace fairlead::actions
