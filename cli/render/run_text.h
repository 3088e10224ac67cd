// Runs and schedules for people.
#pragma once

#include <string>

#include "cli/render/text.h"
#include "fairlead/v1/service.pb.h"

namespace fairlead::cli {

// "RestartDeployment deployment/web"
std::string ExecutionTitle(const v1::RunExecution& execution);

// A table, a row for each run.
std::string RenderRuns(const v1::ListRunsResponse& list, const TextOptions& options);

// One line without line break: where the run is now.
std::string RenderRunLine(const v1::Run& run, const TextOptions& options);

// The story of one run, with its stages and executions.
std::string RenderRun(const v1::Run& run, const TextOptions& options);

// Lines of its log from number `from` on, counted over its whole life, a line each.
// The same of what RunLog tells.
std::string RenderRunLines(const v1::RunLogResponse& response, bool with_time,
                           const TextOptions& options);
std::string RenderRunLog(const v1::Run& run, uint64_t from, bool with_time,
                         const TextOptions& options);
// How many lines its log has had.
uint64_t LinesOf(const v1::Run& run);

// A table with the next times.
std::string RenderSchedules(const v1::ListSchedulesResponse& list, const TextOptions& options);

}  // namespace fairlead::cli
