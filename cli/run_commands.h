// Runs where a command takes them in place of a resource.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "cli/commands.h"
#include "cli/session.h"

namespace fairlead::cli {

// The id of `run/ID` or `run ID`; nothing for anything else.
std::optional<std::string> RunIdOf(const ResourceArguments& arguments);

absl::StatusOr<int> CancelRun(Session& session, const std::string& id,
                              const ExecuteOptions& options);
absl::StatusOr<int> PrintRunLog(Session& session, const std::string& id,
                                const LogsOptions& options);
absl::StatusOr<int> DescribeRun(Session& session, const std::string& id, OutputFormat output);

// `fairlead get schedule`.
absl::StatusOr<int> PrintSchedules(Session& session, const std::string& resource,
                                   OutputFormat output);

}  // namespace fairlead::cli
