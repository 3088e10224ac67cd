#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "sync/testing/world_text.h"
#include "sync/vitals.h"

namespace fairlead::sync {
namespace {

// "STEP_ACTION_REMOVE_EXTRA" as "remove-extra".
std::string Short(const std::string& name, absl::string_view prefix) {
  std::string text = absl::AsciiStrToLower(name.substr(prefix.size()));
  for (char& c : text) {
    if (c == '_') c = '-';
  }
  return text;
}

std::string TimeText(absl::Time time, absl::Time now) {
  const absl::Duration distance = time - now;
  return absl::StrCat(distance < absl::ZeroDuration() ? "" : "+", absl::FormatDuration(distance));
}

void WriteStep(const v1::Step& step, absl::Time now, std::string* out) {
  absl::StrAppend(out, Short(v1::StepAction_Name(step.action()), "STEP_ACTION_"), " ",
                  step.resource());
  if (!step.server().empty()) absl::StrAppend(out, " on ", step.server());
  absl::StrAppend(out, " (rule ", step.rule(), step.heal() ? ", heal" : "", ")\n");
  if (!step.reason().empty()) absl::StrAppend(out, "  reason  ", step.reason(), "\n");
  for (const v1::FieldChange& change : step.changes()) {
    absl::StrAppend(out, "  change  ", change.path(), ": ", change.before(), " -> ", change.after(),
                    "\n");
  }
  if (step.has_gate()) {
    absl::StrAppend(out, "  gate    ", Short(v1::Gate::Kind_Name(step.gate().kind()), "KIND_"),
                    ": ", step.gate().reason());
    if (step.gate().on_size() > 0) {
      absl::StrAppend(out, " [", absl::StrJoin(step.gate().on(), " "), "]");
    }
    if (step.gate().has_until()) {
      absl::StrAppend(out, " until ", TimeText(FromProto(step.gate().until()), now));
    }
    absl::StrAppend(out, "\n");
  }
  if (!step.impact().sentence().empty()) {
    absl::StrAppend(out, "  impact  ", step.impact().sentence(), "\n");
  }
  if (step.container_ids_size() > 0) {
    absl::StrAppend(out, "  about   ", absl::StrJoin(step.container_ids(), " "), "\n");
  }
}

void WriteDecision(const PlanInput& input, const PlanResult& result, const Decision& decision,
                   std::string* out) {
  const v1::ResourceStatus status = ComputeStatus(input, result, decision.id);
  absl::StrAppend(out, decision.id.ToString(), ": ",
                  Short(v1::Condition_Name(decision.condition), "CONDITION_"));
  if (decision.satisfied) absl::StrAppend(out, ", satisfied");
  if (decision.uses_good_spec) absl::StrAppend(out, ", good spec");
  if (decision.unverified) absl::StrAppend(out, ", unverified");
  if (decision.record_inventory) absl::StrAppend(out, ", to be recorded");
  if (!decision.has_step() && !status.reason().empty()) {
    absl::StrAppend(out, "; ", status.reason());
  }
  absl::StrAppend(out, "\n");
}

}  // namespace

std::string WritePlan(const PlanInput& input, const PlanResult& result) {
  const v1::Plan& plan = result.plan;
  std::string out = absl::StrCat(plan.steps_size(), " steps, ", plan.unchanged(), " unchanged, ",
                                 plan.invalid(), " invalid\n");
  for (const v1::Step& step : plan.steps()) WriteStep(step, input.now, &out);
  absl::StrAppend(&out, "--\n");
  for (const auto& [id, decision] : result.decisions) {
    WriteDecision(input, result, *decision, &out);
  }
  for (const NeededRun& need : result.needed_runs) {
    absl::StrAppend(&out, "needed: ", need.resource, " by ", need.by, "\n");
  }
  for (const v1::FailedSpec& failure : result.new_failures) {
    absl::StrAppend(&out, "failed: ", failure.resource(), ": ", failure.reason(), "\n");
  }
  for (const v1::PlanSync& sync : plan.syncs()) {
    for (const v1::Problem& problem : sync.problems()) {
      absl::StrAppend(&out, "problem: ", problem.file(), ":", problem.line(), " ",
                      Short(v1::Severity_Name(problem.severity()), "SEVERITY_"), ": ",
                      problem.message(), " [", problem.code(), "]\n");
    }
  }
  if (result.wake_at != absl::InfiniteFuture()) {
    absl::StrAppend(&out, "wake: ", TimeText(result.wake_at, input.now), "\n");
  }
  return out;
}

namespace {

std::string Bytes(const google::protobuf::Message& message) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

}  // namespace

std::string Fingerprint(const PlanResult& result) {
  std::string out = Bytes(result.plan);
  for (const auto& [id, decision] : result.decisions) {
    absl::StrAppend(&out, "\n", id.ToString(), "|", decision->id.ToString(), "|", decision->rule,
                    "|", decision->action, "|", decision->condition, "|", decision->reason, "|",
                    decision->server);
    absl::StrAppend(&out, "|", decision->target_hash, "|", decision->live_hash, "|", decision->heal,
                    decision->uses_good_spec, decision->unverified, decision->satisfied,
                    decision->open_step, decision->degraded, decision->record_inventory, "|",
                    decision->from_server);
    absl::StrAppend(&out, "|", absl::FormatTime(decision->wake_at), "|",
                    absl::StrJoin(decision->container_ids, ","), "|", Bytes(decision->gate));
    if (decision->new_failure != nullptr) absl::StrAppend(&out, Bytes(*decision->new_failure));
  }
  for (const NeededRun& need : result.needed_runs) {
    absl::StrAppend(&out, "\n", need.resource, " for ", need.by);
  }
  for (const auto& [id, index] : result.step_index) {
    absl::StrAppend(&out, "\n", id.ToString(), "@", index);
  }
  for (const v1::FailedSpec& failure : result.new_failures) {
    absl::StrAppend(&out, "\n", Bytes(failure));
  }
  return absl::StrCat(out, "\n", absl::FormatTime(result.wake_at));
}

}  // namespace fairlead::sync
