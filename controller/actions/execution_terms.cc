#include "controller/actions/execution_terms.h"

#include <google/protobuf/message.h>

#include <algorithm>
#include <array>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "resources/execution_rules.h"
#include "resources/field_table.h"
#include "resources/name_pattern.h"

namespace fairlead::actions {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using resources::ResourceId;
using Type = v1::Execution;

struct Row {
  Type::TypeCase type;
  Verb verb;
  // Of a batch: what it becomes for each resource.
  Type::TypeCase single = Type::TYPE_NOT_SET;
};

constexpr std::array<Row, 63> kRows = {{
    {Type::kNone, Verb::kNone},
    {Type::kSleep, Verb::kSleep},
    {Type::kDeploy, Verb::kDeploy},
    {Type::kPullDeployment, Verb::kJob},
    {Type::kStartDeployment, Verb::kStart},
    {Type::kRestartDeployment, Verb::kRestart},
    {Type::kPauseDeployment, Verb::kPause},
    {Type::kUnpauseDeployment, Verb::kUnpause},
    {Type::kStopDeployment, Verb::kStop},
    {Type::kDestroyDeployment, Verb::kDestroy},
    {Type::kDeployStack, Verb::kDeploy},
    // What has not changed is not touched by a deploy either.
    {Type::kDeployStackIfChanged, Verb::kDeploy},
    {Type::kPullStack, Verb::kJob},
    {Type::kStartStack, Verb::kStart},
    {Type::kRestartStack, Verb::kRestart},
    {Type::kPauseStack, Verb::kPause},
    {Type::kUnpauseStack, Verb::kUnpause},
    {Type::kStopStack, Verb::kStop},
    {Type::kDestroyStack, Verb::kDestroy},
    {Type::kRunStackService, Verb::kJob},
    {Type::kRunBuild, Verb::kRun},
    {Type::kCancelBuild, Verb::kCancelRuns},
    {Type::kCloneRepo, Verb::kRun},
    {Type::kPullRepo, Verb::kRun},
    {Type::kBuildRepo, Verb::kRun},
    {Type::kCancelRepoBuild, Verb::kCancelRuns},
    {Type::kRunSync, Verb::kRunSync},
    {Type::kRunProcedure, Verb::kRun},
    {Type::kCancelProcedure, Verb::kCancelRuns},
    {Type::kStartContainer, Verb::kJob},
    {Type::kRestartContainer, Verb::kJob},
    {Type::kPauseContainer, Verb::kJob},
    {Type::kUnpauseContainer, Verb::kJob},
    {Type::kStopContainer, Verb::kJob},
    {Type::kDestroyContainer, Verb::kJob},
    {Type::kStartAllContainers, Verb::kJob},
    {Type::kRestartAllContainers, Verb::kJob},
    {Type::kPauseAllContainers, Verb::kJob},
    {Type::kUnpauseAllContainers, Verb::kJob},
    {Type::kStopAllContainers, Verb::kJob},
    {Type::kPruneContainers, Verb::kJob},
    {Type::kPruneNetworks, Verb::kJob},
    {Type::kPruneImages, Verb::kJob},
    {Type::kPruneVolumes, Verb::kJob},
    {Type::kPruneDockerBuilders, Verb::kJob},
    {Type::kPruneBuildx, Verb::kJob},
    {Type::kPruneSystem, Verb::kJob},
    {Type::kDeleteNetwork, Verb::kJob},
    {Type::kDeleteImage, Verb::kJob},
    {Type::kDeleteVolume, Verb::kJob},
    {Type::kBackupCoreDatabase, Verb::kBackup},
    // Of stacks: PullStack.
    {Type::kGlobalAutoUpdate, Verb::kJob, Type::kPullDeployment},
    {Type::kBatchDeploy, Verb::kDeploy, Type::kDeploy},
    {Type::kBatchDestroyDeployment, Verb::kDestroy, Type::kDestroyDeployment},
    {Type::kBatchDeployStack, Verb::kDeploy, Type::kDeployStack},
    {Type::kBatchDeployStackIfChanged, Verb::kDeploy, Type::kDeployStackIfChanged},
    {Type::kBatchPullStack, Verb::kJob, Type::kPullStack},
    {Type::kBatchDestroyStack, Verb::kDestroy, Type::kDestroyStack},
    {Type::kBatchRunProcedure, Verb::kRun, Type::kRunProcedure},
    {Type::kBatchRunBuild, Verb::kRun, Type::kRunBuild},
    {Type::kBatchCloneRepo, Verb::kRun, Type::kCloneRepo},
    {Type::kBatchPullRepo, Verb::kRun, Type::kPullRepo},
    {Type::kBatchBuildRepo, Verb::kRun, Type::kBuildRepo},
}};

const Row* FindRow(Type::TypeCase type) {
  const auto* found =
      std::find_if(kRows.begin(), kRows.end(), [type](const Row& row) { return row.type == type; });
  return found == kRows.end() ? nullptr : found;
}

const FieldDescriptor* MemberOf(Type::TypeCase type) {
  return Type::descriptor()->FindFieldByNumber(static_cast<int>(type));
}

// The field of the parameters that names what is acted on; null when there is none.
const resources::Field* NamingField(const google::protobuf::Descriptor* parameters) {
  for (const resources::Field& field : resources::FieldsOf(parameters).fields) {
    if (field.references.size() == 1 && !field.descriptor->is_repeated()) return &field;
  }
  return nullptr;
}

ResourceId TargetOf(const v1::Execution& execution, const FieldDescriptor* member) {
  const resources::Field* const field = NamingField(member->message_type());
  if (field == nullptr) return {};
  const Message& parameters = execution.GetReflection()->GetMessage(execution, member);
  return {field->references.front(),
          parameters.GetReflection()->GetString(parameters, field->descriptor)};
}

bool HasTags(const v1::Resource& resource, const v1::BatchParams& batch) {
  return std::all_of(batch.tags().begin(), batch.tags().end(), [&resource](const auto& tag) {
    return std::find(resource.tags().begin(), resource.tags().end(), tag) != resource.tags().end();
  });
}

// Requires: its parameters are a pattern.
const v1::BatchParams& BatchOf(const v1::Execution& execution) {
  return static_cast<const v1::BatchParams&>(
      execution.GetReflection()->GetMessage(execution, MemberOf(execution.type_case())));
}

// A newer image of a tag is drift: what is pulled is replaced by the next pass.
std::vector<v1::Execution> PullsOfUpdates(const sync::DesiredState& desired) {
  std::vector<v1::Execution> executions;
  for (const auto& [id, resource] : desired.resources) {
    if (resource->spec == nullptr || resource->spec->template_()) continue;
    const v1::Resource& spec = *resource->spec;
    const bool builds = spec.has_deployment() && spec.deployment().image().has_build();
    if (spec.has_deployment() && spec.deployment().auto_update() && !builds) {
      executions.emplace_back().mutable_pull_deployment()->set_deployment(id.name);
    }
    // Which of its services there are only compose knows.
    if (spec.has_stack() && spec.stack().auto_update() &&
        spec.stack().auto_update_skip_services().empty()) {
      executions.emplace_back().mutable_pull_stack()->set_stack(id.name);
    }
  }
  return executions;
}

}  // namespace

ExecutionTerms ComputeTerms(const v1::Execution& execution) {
  ExecutionTerms terms;
  const FieldDescriptor* const member = MemberOf(execution.type_case());
  if (member == nullptr) {
    terms.verb = Verb::kNone;
    terms.type = "None";
    return terms;
  }
  for (const resources::Field& field : resources::FieldsOf(Type::descriptor()).fields) {
    if (field.descriptor == member) terms.type = field.rule->type();
  }
  const Row* const row = FindRow(execution.type_case());
  const std::optional<resources::ExecutionRefusal> refusal = resources::FindRefusal(execution);
  if (refusal.has_value()) terms.refusal = refusal->message;
  if (row != nullptr && !refusal.has_value()) terms.verb = row->verb;
  if (terms.verb == Verb::kRestart && !execution.restart_stack().services().empty()) {
    terms.verb = Verb::kRestartServices;
  }
  terms.batch = row != nullptr && row->single != Type::TYPE_NOT_SET;
  terms.target = TargetOf(execution, member);
  return terms;
}

StopWish StopWishOf(const v1::Execution& execution) {
  StopWish wish;
  const auto take = [&wish](const v1::StopDeploymentParams& params) {
    if (params.has_signal()) wish.signal = std::string(resources::TextOf(params.signal()));
    if (params.has_time()) wish.seconds = params.time();
  };
  if (execution.has_stop_deployment()) take(execution.stop_deployment());
  if (execution.has_destroy_deployment()) take(execution.destroy_deployment());
  if (execution.stop_stack().has_stop_time()) wish.seconds = execution.stop_stack().stop_time();
  if (execution.destroy_stack().has_stop_time()) {
    wish.seconds = execution.destroy_stack().stop_time();
  }
  return wish;
}

std::string DescribeExecution(const v1::Execution& execution) {
  const ExecutionTerms terms = ComputeTerms(execution);
  if (terms.batch && !execution.has_global_auto_update()) {
    return absl::StrCat(terms.type, " \"",
                        absl::StrReplaceAll(BatchOf(execution).pattern(), {{"\n", ", "}}), "\"");
  }
  if (terms.target.kind.empty()) return terms.type;
  return absl::StrCat(terms.type, " ", terms.target.ToString());
}

bool IsJob(const ExecutionTerms& terms, absl::string_view run) {
  return terms.verb == Verb::kJob || terms.verb == Verb::kRestartServices ||
         terms.verb == Verb::kPause || terms.verb == Verb::kUnpause ||
         terms.verb == Verb::kDestroy ||
         (terms.verb == Verb::kRun && terms.target.kind != "procedure" &&
          terms.target.ToString() == run);
}

std::vector<v1::Execution> ExpandBatch(const v1::Execution& batch,
                                       const sync::DesiredState& desired) {
  if (batch.has_global_auto_update()) return PullsOfUpdates(desired);
  std::vector<v1::Execution> executions;
  const Row* const row = FindRow(batch.type_case());
  const v1::BatchParams& parameters = BatchOf(batch);
  const auto pattern = resources::NamePattern::Parse(parameters.pattern());
  if (row == nullptr || !pattern.ok()) return executions;
  const FieldDescriptor* const member = MemberOf(row->single);
  const resources::Field* const field = NamingField(member->message_type());
  const std::string& kind = field->references.front();
  for (auto at = desired.resources.lower_bound(ResourceId{kind, ""});
       at != desired.resources.end() && at->first.kind == kind; ++at) {
    const auto& spec = at->second->spec;
    if (spec == nullptr || !pattern->Matches(at->first.name) || !HasTags(*spec, parameters)) {
      continue;
    }
    v1::Execution& one = executions.emplace_back();
    Message* const single = one.GetReflection()->MutableMessage(&one, member);
    single->GetReflection()->SetString(single, field->descriptor, at->first.name);
  }
  return executions;
}

}  // namespace fairlead::actions
