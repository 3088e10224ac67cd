// What an execution of a procedure means here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "fairlead/v1/execution.pb.h"
#include "resources/resource_id.h"
#include "sync/desired.h"

namespace fairlead::actions {

enum class Verb {
  kNone,
  kSleep,
  kDeploy,
  kStart,
  kRestart,
  kStop,
  kPause,
  kUnpause,
  // Stops, and removes the containers.
  kDestroy,
  kRunSync,
  // A procedure, build or repo, as a run of its own; in that run of a build or repo the work
  // itself.
  kRun,
  kCancelRuns,
  // One command to one host.
  kJob,
  // Restarts some services of a stack, which is one command, and is then judged as a restart.
  kRestartServices,
  // A copy of the controller's own database.
  kBackup,
  // This version does not carry it out.
  kNotActedOn,
};

struct ExecutionTerms {
  Verb verb = Verb::kNotActedOn;
  // As files write it, such as "RestartDeployment".
  std::string type;
  // What it acts on; without a kind: nothing.
  resources::ResourceId target;
  // It stands for one execution of each resource that its pattern means.
  bool batch = false;
  // Why it is not carried out; empty: it is.
  std::string refusal;
};

ExecutionTerms ComputeTerms(const v1::Execution& execution);

// How an execution wants containers to be stopped; empty: as is declared of them.
struct StopWish {
  std::string signal;
  std::optional<int32_t> seconds;
};
StopWish StopWishOf(const v1::Execution& execution);

// For people: `BatchDeploy "web-*"`, `RestartDeployment deployment/web`.
std::string DescribeExecution(const v1::Execution& execution);

// It is carried out by a command to a host (job_terms.h); `run` is what it is an execution of.
bool IsJob(const ExecutionTerms& terms, absl::string_view run);

// The executions that a batch stands for, in order of name. Requires: batch.
std::vector<v1::Execution> ExpandBatch(const v1::Execution& batch,
                                       const sync::DesiredState& desired);

}  // namespace fairlead::actions
