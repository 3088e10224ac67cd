#include "controller/loop/step_action.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "controller/loop/action_terms.h"
#include "resources/container_spec.h"
#include "resources/field_table.h"
#include "resources/host_script.h"
#include "resources/interpolation.h"
#include "resources/key_values.h"
#include "resources/kind_table.h"
#include "resources/stack_rules.h"

namespace fairlead::loop {
namespace {

// The declared spec of the target and its interpolated form.
struct Target {
  v1::Resource declared;
  v1::Resource resolved;
  std::vector<std::string> secrets;
  sync::StackFiles files;
};

absl::StatusOr<Target> TargetOf(const sync::PlanInput& input, const sync::Decision& decision) {
  const auto desired = input.desired->resources.find(decision.id);
  if (!decision.uses_good_spec && desired != input.desired->resources.end() &&
      desired->second->resolved != nullptr) {
    return Target{*desired->second->spec, *desired->second->resolved, desired->second->secrets,
                  desired->second->files};
  }
  const auto entry = input.inventory.find(decision.id.ToString());
  if (entry == input.inventory.end()) {
    return absl::FailedPreconditionError("there is no spec to apply");
  }
  const sync::StandIn stand_in = sync::StandInOf(*entry->second, decision.target_hash);
  if (stand_in.spec == nullptr) return absl::FailedPreconditionError("there is no spec to apply");
  const v1::Resource& spec = *stand_in.spec;
  resources::Interpolated filled =
      resources::Interpolate(spec, input.desired->variables, v1::DIALECT_TOML);
  for (const v1::Problem& problem : filled.problems) {
    if (problem.severity() == v1::SEVERITY_ERROR) {
      return absl::InvalidArgumentError(problem.message());
    }
  }
  auto files =
      std::make_shared<std::vector<v1::StackFile>>(stand_in.files->begin(), stand_in.files->end());
  return Target{spec, std::move(filled.resource), std::move(filled.secrets), std::move(files)};
}

absl::Status FillContainer(const sync::Decision& decision, const Target& target,
                           v1::Action& action) {
  ASSIGN_OR_RETURN(v1::ContainerSpec spec, resources::ContainerSpecOf(target.resolved),
                   decision.id.ToString());
  if (spec.image().empty()) {
    return absl::FailedPreconditionError("the image of its build is not known");
  }
  v1::ApplyContainer& apply = *action.mutable_apply_container();
  *apply.mutable_spec() = std::move(spec);
  apply.set_pull(target.resolved.deployment().pull());
  apply.set_leave_stopped(decision.wanted_state == v1::WANTED_STATE_STOPPED);
  apply.set_start_first(target.resolved.deployment().strategy() == v1::STRATEGY_START_FIRST);
  return absl::OkStatus();
}

void FillHook(const v1::SystemCommand& declared, v1::HostCommand* command) {
  command->set_directory(declared.path());
  command->set_script(resources::ScriptOf(declared));
}

v1::ApplyStack::WatchedFile::Effect EffectOf(v1::ConfigFile::Requires asked) {
  switch (asked) {
    case v1::ConfigFile::REQUIRES_RESTART:
      return v1::ApplyStack::WatchedFile::EFFECT_RESTART;
    case v1::ConfigFile::REQUIRES_REDEPLOY:
      return v1::ApplyStack::WatchedFile::EFFECT_REDEPLOY;
    default:
      return v1::ApplyStack::WatchedFile::EFFECT_NONE;
  }
}

// How compose is called.
absl::Status FillTools(const v1::Stack& stack, v1::ApplyStack& apply) {
  apply.set_build(stack.run_build());
  ASSIGN_OR_RETURN(const auto arguments, resources::WordsOf(stack.build_extra_args()),
                   "build_extra_args");
  apply.mutable_build_extra_args()->Assign(arguments.begin(), arguments.end());
  if (stack.compose_cmd_wrapper().empty()) return absl::OkStatus();
  apply.set_wrapper(stack.compose_cmd_wrapper());
  *apply.mutable_wrap() = stack.compose_cmd_wrapper_include();
  if (apply.wrap().empty()) apply.add_wrap("up");
  return absl::OkStatus();
}

absl::Status FillStack(const sync::Decision& decision, const Target& target,
                       v1::ApplyStack& apply) {
  const v1::Stack& stack = target.resolved.stack();
  apply.set_project(resources::DockerNameOf(target.resolved));
  std::vector<std::string> compose_files(stack.file_paths().begin(), stack.file_paths().end());
  if (compose_files.empty()) compose_files.emplace_back("compose.yaml");
  if (stack.files_on_host()) {
    apply.set_host_directory(stack.run_directory());
  } else if (target.files != nullptr && !target.files->empty()) {
    for (const v1::StackFile& file : *target.files) *apply.add_files() = file;
  } else if (!stack.file_contents().empty()) {
    v1::StackFile& file = *apply.add_files();
    file.set_path(compose_files.front());
    file.set_content(stack.file_contents());
  } else {
    return absl::FailedPreconditionError("the stack has no files");
  }
  for (std::string& path : compose_files) apply.add_compose_files(std::move(path));
  for (const auto& file : stack.additional_env_files()) apply.add_env_files(file.path());
  ASSIGN_OR_RETURN(*apply.mutable_environment(), resources::ToEnvironmentFile(stack.environment()),
                   decision.id.ToString());
  apply.set_env_file_path(stack.env_file_path());
  ASSIGN_OR_RETURN(const auto extra_args, resources::WordsOf(stack.extra_args()), "extra_args");
  apply.mutable_extra_args()->Assign(extra_args.begin(), extra_args.end());
  *apply.mutable_ignore_services() = stack.ignore_services();
  apply.set_pull(stack.auto_pull() ? v1::PULL_POLICY_ALWAYS : stack.pull());
  apply.set_destroy_first(stack.destroy_before_deploy());
  apply.set_leave_stopped(decision.wanted_state == v1::WANTED_STATE_STOPPED);
  if (stack.has_pre_deploy()) FillHook(stack.pre_deploy(), apply.mutable_pre_deploy());
  if (stack.has_post_deploy()) FillHook(stack.post_deploy(), apply.mutable_post_deploy());
  for (const v1::ConfigFile& file : stack.config_files()) {
    v1::ApplyStack::WatchedFile& watched = *apply.add_watched_files();
    watched.set_path(file.path());
    *watched.mutable_services() = file.services();
    watched.set_effect(EffectOf(file.required_action()));
  }
  return FillTools(stack, apply);
}

void FillRemove(const sync::PlanInput& input, const v1::Step& step, const sync::Decision& decision,
                v1::Action& action) {
  const auto entry = input.inventory.find(decision.id.ToString());
  if (decision.id.kind == "stack" && step.action() != v1::STEP_ACTION_REMOVE_EXTRA) {
    std::string project = entry != input.inventory.end() ? entry->second->name() : "";
    if (project.empty()) {
      const auto desired = input.desired->resources.find(decision.id);
      if (desired != input.desired->resources.end()) project = desired->second->docker_name;
    }
    action.mutable_remove_stack()->set_project(project);
    return;
  }
  v1::RemoveContainers& remove = *action.mutable_remove();
  if (step.action() == v1::STEP_ACTION_REMOVE_EXTRA) {
    for (const std::string& id : decision.container_ids) remove.add_ids(id);
  }
  const StopTerms stop = StopTermsOf(input, step.resource());
  remove.set_signal(stop.signal);
  remove.set_timeout_seconds(stop.seconds);
}

absl::Status FillApply(const sync::PlanInput& input, const v1::Step& step,
                       const sync::Decision& decision, StepAction& result) {
  ASSIGN_OR_RETURN(const Target target, TargetOf(input, decision));
  result.spec = target.declared;
  for (const std::string& secret : target.secrets) result.action.add_secrets(secret);
  if (step.action() == v1::STEP_ACTION_UPDATE) {
    result.action.mutable_update()->set_restart_policy(
        std::string(resources::TextOf(target.resolved.deployment().restart())));
    return absl::OkStatus();
  }
  const bool adopts = step.action() == v1::STEP_ACTION_ADOPT;
  if (decision.id.kind == "stack") {
    v1::ApplyStack& stack = adopts ? *result.action.mutable_adopt_stack()->mutable_stack()
                                   : *result.action.mutable_apply_stack();
    return FillStack(decision, target, stack);
  }
  RETURN_IF_ERROR(FillContainer(decision, target, result.action));
  if (adopts) {
    v1::ContainerSpec spec = result.action.apply_container().spec();
    *result.action.mutable_adopt()->mutable_spec() = std::move(spec);
  }
  return absl::OkStatus();
}

void FillFinish(const sync::PlanInput& input, const v1::Step& step, const sync::Decision& decision,
                v1::Action& action) {
  v1::FinishReplacement& finish = *action.mutable_finish_replacement();
  finish.set_keep(step.action() == v1::STEP_ACTION_FINISH ? v1::FinishReplacement::KEEP_NEW
                                                          : v1::FinishReplacement::KEEP_OLD);
  const auto entry = input.inventory.find(decision.id.ToString());
  const v1::Resource* old_spec = nullptr;
  if (entry != input.inventory.end()) {
    finish.set_name(entry->second->name());
    old_spec = entry->second->has_good() ? &entry->second->good() : &entry->second->applied();
  }
  finish.set_must_run(step.action() == v1::STEP_ACTION_FINISH && decision.satisfied);
  const auto desired = input.desired->resources.find(decision.id);
  if (finish.name().empty() && desired != input.desired->resources.end()) {
    finish.set_name(desired->second->docker_name);
  }
  finish.set_restart_policy("unless-stopped");
  if (old_spec != nullptr && old_spec->has_deployment()) {
    finish.set_restart_policy(std::string(resources::TextOf(old_spec->deployment().restart())));
    finish.set_leave_stopped(decision.wanted_state == v1::WANTED_STATE_STOPPED);
    // One that has served until now is given its time to end.
    *action.mutable_deadline() =
        base::ToProto(DeadlineOf(input, step.resource(), step.action()) +
                      absl::Seconds(old_spec->deployment().termination_timeout()));
  }
}

StepAction EnvelopeOf(const sync::PlanInput& input, const v1::Step& step) {
  StepAction result;
  result.server = step.server();
  result.action.set_resource(step.resource());
  result.action.set_spec_hash(step.target_hash());
  result.action.set_guarantee(v1::ACTION_GUARANTEE_ENSURE);
  *result.action.mutable_deadline() =
      base::ToProto(DeadlineOf(input, step.resource(), step.action()));
  return result;
}

}  // namespace

absl::StatusOr<StepAction> ComputeCheckAction(const sync::PlanInput& input, const v1::Step& step,
                                              const sync::Decision& decision,
                                              bool networks_may_come) {
  StepAction result = EnvelopeOf(input, step);
  ASSIGN_OR_RETURN(const Target target, TargetOf(input, decision));
  result.spec = target.declared;
  for (const std::string& secret : target.secrets) result.action.add_secrets(secret);
  if (decision.id.kind == "stack") {
    v1::CheckStack& check = *result.action.mutable_check_stack();
    check.set_networks_may_come(networks_may_come);
    RETURN_IF_ERROR(FillStack(decision, target, *check.mutable_stack()));
    return result;
  }
  v1::Action made;
  RETURN_IF_ERROR(FillContainer(decision, target, made));
  v1::CheckContainer& check = *result.action.mutable_check();
  check.set_networks_may_come(networks_may_come);
  *check.mutable_apply() = std::move(*made.mutable_apply_container());
  return result;
}

absl::StatusOr<StepAction> ComputeStepAction(const sync::PlanInput& input, const v1::Step& step,
                                             const sync::Decision& decision) {
  StepAction result = EnvelopeOf(input, step);
  switch (step.action()) {
    case v1::STEP_ACTION_CREATE:
    case v1::STEP_ACTION_REPLACE:
    case v1::STEP_ACTION_UPDATE:
    case v1::STEP_ACTION_ADOPT:
      RETURN_IF_ERROR(FillApply(input, step, decision, result));
      return result;
    case v1::STEP_ACTION_START:
      result.action.mutable_start();
      return result;
    case v1::STEP_ACTION_STOP: {
      const StopTerms stop = StopTermsOf(input, step.resource());
      result.action.mutable_stop()->set_signal(stop.signal);
      result.action.mutable_stop()->set_timeout_seconds(stop.seconds);
      return result;
    }
    case v1::STEP_ACTION_RESTART:
      result.action.mutable_restart()->set_timeout_seconds(
          StopTermsOf(input, step.resource()).seconds);
      return result;
    case v1::STEP_ACTION_MOVE: {
      // The old place first; the next pass finds it missing at the new one and creates it. It is
      // where the containers are seen, whatever the inventory says.
      result.server = decision.from_server;
      FillRemove(input, step, decision, result.action);
      return result;
    }
    case v1::STEP_ACTION_DESTROY:
    case v1::STEP_ACTION_PRUNE:
    case v1::STEP_ACTION_REMOVE_EXTRA:
      FillRemove(input, step, decision, result.action);
      return result;
    case v1::STEP_ACTION_FINISH:
    case v1::STEP_ACTION_ROLLBACK:
      FillFinish(input, step, decision, result.action);
      return result;
    default:
      return absl::FailedPreconditionError("the step sends nothing");
  }
}

}  // namespace fairlead::loop
