#include "controller/actions/job_terms.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "controller/actions/build_terms.h"
#include "controller/loop/action_terms.h"
#include "controller/loop/step_action.h"
#include "resources/container_spec.h"
#include "resources/field_table.h"
#include "resources/image_reference.h"

namespace fairlead::actions {
namespace {

using loop::HostJob;
using resources::ResourceId;
using Act = v1::ActOnContainer;
using Prune = v1::PruneHost;
using Remove = v1::RemoveFromHost;

HostJob JobOn(const std::string& server, const std::string& resource,
              v1::ActionGuarantee guarantee = v1::ACTION_GUARANTEE_ENSURE) {
  HostJob job;
  job.server = server;
  job.action.set_resource(resource);
  job.action.set_guarantee(guarantee);
  return job;
}
HostJob JobOnServer(const std::string& server,
                    v1::ActionGuarantee guarantee = v1::ACTION_GUARANTEE_ENSURE) {
  return JobOn(server, absl::StrCat("server/", server), guarantee);
}

HostJob ActOn(const std::string& server, Act::Verb verb, const std::string& container = "") {
  HostJob job = JobOnServer(
      server, verb == Act::VERB_RESTART ? v1::ACTION_GUARANTEE_ONCE : v1::ACTION_GUARANTEE_ENSURE);
  job.action.mutable_act_on_container()->set_verb(verb);
  if (!container.empty()) job.action.mutable_act_on_container()->add_container(container);
  return job;
}

HostJob ActGently(const v1::StopContainerParams& params, Act::Verb verb) {
  HostJob job = ActOn(params.server(), verb, params.container());
  if (params.has_signal()) {
    job.action.mutable_act_on_container()->set_signal(
        std::string(resources::TextOf(params.signal())));
  }
  if (params.has_time()) {
    job.action.mutable_act_on_container()->set_timeout_seconds(params.time());
  }
  return job;
}

HostJob PruneOf(const v1::ServerParams& params, Prune::What what) {
  HostJob job = JobOnServer(params.server());
  job.action.mutable_prune_host()->set_what(what);
  return job;
}

HostJob RemoveOf(const v1::ServerObjectParams& params, Remove::Kind kind) {
  HostJob job = JobOnServer(params.server());
  job.action.mutable_remove_from_host()->set_kind(kind);
  job.action.mutable_remove_from_host()->set_name(params.name());
  return job;
}

// The stack as a deploy would apply it now; `job` gets its secrets.
absl::StatusOr<v1::ApplyStack> StackOf(const JobInput& input, const ResourceId& id, HostJob& job) {
  const auto decision = input.view.result.decisions.find(id);
  if (decision == input.view.result.decisions.end()) {
    return absl::UnavailableError("not looked at yet");
  }
  v1::Step step;
  step.set_resource(id.ToString());
  step.set_action(v1::STEP_ACTION_REPLACE);
  step.set_server(decision->second->server);
  ASSIGN_OR_RETURN(loop::StepAction applied,
                   loop::ComputeStepAction(input.view.input, step, *decision->second));
  for (const std::string& secret : applied.action.secrets()) job.action.add_secrets(secret);
  const v1::Stack& stack = applied.spec.stack();
  if (input.accounts != nullptr && !stack.registry_account().empty()) {
    v1::Login& login = *applied.action.mutable_apply_stack()->add_logins();
    ASSIGN_OR_RETURN(
        login,
        input.accounts->FindRegistry(stack.registry_provider().empty() ? resources::kDefaultRegistry
                                                                       : stack.registry_provider(),
                                     stack.registry_account()),
        "registry_account");
    job.action.add_secrets(login.secret());
  }
  return std::move(*applied.action.mutable_apply_stack());
}

const sync::DesiredResource& DesiredOf(const JobInput& input, const ResourceId& id) {
  return *input.view.input.desired->resources.at(id);
}

absl::StatusOr<HostJob> PullDeployment(const JobInput& input, const ResourceId& id) {
  const sync::DesiredResource& desired = DesiredOf(input, id);
  HostJob job = JobOn(desired.server, id.ToString());
  if (!desired.waits_for.empty()) return absl::FailedPreconditionError(desired.waits_for);
  const v1::Deployment& deployment = desired.resolved->deployment();
  v1::PullImages& pull = *job.action.mutable_pull_images();
  pull.set_image(deployment.image().image().image());
  if (input.accounts != nullptr && !deployment.image_registry_account().empty()) {
    ASSIGN_OR_RETURN(*pull.add_logins(),
                     input.accounts->FindRegistry(resources::RegistryOf(pull.image()),
                                                  deployment.image_registry_account()),
                     "image_registry_account");
    job.action.add_secrets(pull.logins(0).secret());
  }
  return job;
}

absl::StatusOr<HostJob> PullStack(const JobInput& input, const v1::StackParams& params) {
  const ResourceId id{"stack", params.stack()};
  HostJob job = JobOn(DesiredOf(input, id).server, id.ToString());
  v1::PullImages& pull = *job.action.mutable_pull_images();
  ASSIGN_OR_RETURN(*pull.mutable_stack(), StackOf(input, id, job));
  *pull.mutable_logins() = pull.stack().logins();
  *pull.mutable_services() = params.services();
  return job;
}

// As `docker compose run` is given them, before the service.
std::vector<std::string> ArgumentsOf(const v1::RunStackServiceParams& params) {
  std::vector<std::string> arguments;
  if (params.no_tty()) arguments.emplace_back("-T");
  if (params.no_deps()) arguments.emplace_back("--no-deps");
  if (params.detach()) arguments.emplace_back("--detach");
  if (params.service_ports()) arguments.emplace_back("--service-ports");
  for (const v1::EnvironmentEntry& entry : params.env()) {
    arguments.emplace_back("--env");
    arguments.push_back(absl::StrCat(entry.variable(), "=", entry.value()));
  }
  const std::vector<std::pair<std::string, std::string>> named = {
      {"--workdir", params.workdir()},
      {"--user", params.user()},
      {"--entrypoint", params.entrypoint()}};
  for (const auto& [name, value] : named) {
    if (value.empty()) continue;
    arguments.push_back(name);
    arguments.push_back(value);
  }
  return arguments;
}

absl::StatusOr<HostJob> RunService(const JobInput& input, const v1::RunStackServiceParams& params) {
  const ResourceId id{"stack", params.stack()};
  HostJob job = JobOn(DesiredOf(input, id).server, id.ToString(), v1::ACTION_GUARANTEE_ONCE);
  v1::RunService& run = *job.action.mutable_run_service();
  ASSIGN_OR_RETURN(*run.mutable_stack(), StackOf(input, id, job));
  run.set_service(params.service());
  *run.mutable_command() = params.command();
  for (std::string& argument : ArgumentsOf(params)) run.add_arguments(std::move(argument));
  run.set_pull(params.pull());
  return job;
}

// Where its containers are, by the inventory.
absl::StatusOr<HostJob> RestartServices(const JobInput& input, const v1::StackParams& params) {
  const ResourceId id{"stack", params.stack()};
  const std::string resource = id.ToString();
  const auto owned = input.view.input.inventory.find(resource);
  if (owned == input.view.input.inventory.end()) {
    return absl::FailedPreconditionError("it was never deployed");
  }
  const auto hold = input.view.input.holds.find(resource);
  if (hold != input.view.input.holds.end() && hold->second.kind() == v1::Hold::KIND_STOP) {
    return absl::FailedPreconditionError("it is held stopped: nothing runs to be restarted");
  }
  const std::string& server = owned->second->server();
  const auto host = input.view.input.live->hosts.find(server);
  if (host == input.view.input.live->hosts.end() || !host->second->online) {
    return absl::UnavailableError(absl::StrCat("waits for server ", server, ", which is offline"));
  }
  std::map<std::string, std::vector<std::string>> names;
  for (const auto& [container_id, container] : host->second->containers) {
    if (container->resource() == resource &&
        container->installation() == input.view.input.installation) {
      names[container->compose_service()].push_back(container->name());
    }
  }
  std::vector<std::string> wanted;
  for (const std::string& service : params.services()) {
    const auto found = names.find(service);
    if (found == names.end()) {
      return absl::NotFoundError(absl::StrCat(
          "service \"", service, "\" has no container on ", server, "; there are those of: ",
          absl::StrJoin(names, ", ", [](std::string* out, const auto& one) {
            absl::StrAppend(out, one.first);
          })));
    }
    wanted.insert(wanted.end(), found->second.begin(), found->second.end());
  }
  HostJob job = JobOn(server, resource, v1::ACTION_GUARANTEE_ONCE);
  Act& restart = *job.action.mutable_act_on_container();
  restart.set_verb(Act::VERB_RESTART);
  restart.mutable_container()->Assign(wanted.begin(), wanted.end());
  return job;
}

HostJob Destroy(const JobInput& input, const ResourceId& id, const StopWish& wish) {
  const std::string resource = id.ToString();
  const sync::DesiredResource& desired = DesiredOf(input, id);
  // Where it was put, also when it is declared elsewhere by now.
  const auto owned = input.view.input.inventory.find(resource);
  const bool known = owned != input.view.input.inventory.end();
  HostJob job = JobOn(known ? owned->second->server() : desired.server, resource);
  if (id.kind == "stack") {
    job.action.mutable_remove_stack()->set_project(known ? owned->second->name()
                                                         : desired.docker_name);
    return job;
  }
  const loop::StopTerms stop = loop::StopTermsOf(input.view.input, resource);
  job.action.mutable_remove()->set_signal(wish.signal.empty() ? stop.signal : wish.signal);
  job.action.mutable_remove()->set_timeout_seconds(wish.seconds.value_or(stop.seconds));
  return job;
}

HostJob Pause(const JobInput& input, const ResourceId& id, bool pause) {
  HostJob job = JobOn(DesiredOf(input, id).server, id.ToString());
  if (pause) {
    job.action.mutable_pause();
  } else {
    job.action.mutable_unpause();
  }
  return job;
}

}  // namespace

absl::StatusOr<HostJob> ComputeJob(const v1::Execution& execution, const JobInput& input) {
  using Type = v1::Execution;
  const ResourceId target = ComputeTerms(execution).target;
  switch (execution.type_case()) {
    case Type::kPullDeployment:
      return PullDeployment(input, target);
    case Type::kPullStack:
      return PullStack(input, execution.pull_stack());
    case Type::kPauseDeployment:
    case Type::kPauseStack:
      return Pause(input, target, true);
    case Type::kUnpauseDeployment:
    case Type::kUnpauseStack:
      return Pause(input, target, false);
    case Type::kDestroyDeployment:
    case Type::kDestroyStack:
      return Destroy(input, target, StopWishOf(execution));
    case Type::kRestartStack:
      return RestartServices(input, execution.restart_stack());
    case Type::kRunStackService:
      return RunService(input, execution.run_stack_service());
    case Type::kRunBuild:
      return ComputeBuildJob(DesiredOf(input, target), execution.run_build().force(), input);
    case Type::kCloneRepo:
    case Type::kPullRepo:
    case Type::kBuildRepo:
      return ComputeRepoJob(DesiredOf(input, target), execution, input);
    case Type::kStartContainer:
      return ActOn(target.name, Act::VERB_START, execution.start_container().container());
    case Type::kRestartContainer:
      return ActOn(target.name, Act::VERB_RESTART, execution.restart_container().container());
    case Type::kPauseContainer:
      return ActOn(target.name, Act::VERB_PAUSE, execution.pause_container().container());
    case Type::kUnpauseContainer:
      return ActOn(target.name, Act::VERB_UNPAUSE, execution.unpause_container().container());
    case Type::kStopContainer:
      return ActGently(execution.stop_container(), Act::VERB_STOP);
    case Type::kDestroyContainer:
      return ActGently(execution.destroy_container(), Act::VERB_REMOVE);
    case Type::kStartAllContainers:
      return ActOn(target.name, Act::VERB_START);
    case Type::kRestartAllContainers:
      return ActOn(target.name, Act::VERB_RESTART);
    case Type::kPauseAllContainers:
      return ActOn(target.name, Act::VERB_PAUSE);
    case Type::kUnpauseAllContainers:
      return ActOn(target.name, Act::VERB_UNPAUSE);
    case Type::kStopAllContainers:
      return ActOn(target.name, Act::VERB_STOP);
    case Type::kPruneContainers:
      return PruneOf(execution.prune_containers(), Prune::WHAT_CONTAINERS);
    case Type::kPruneNetworks:
      return PruneOf(execution.prune_networks(), Prune::WHAT_NETWORKS);
    case Type::kPruneImages:
      return PruneOf(execution.prune_images(), Prune::WHAT_IMAGES);
    case Type::kPruneVolumes:
      return PruneOf(execution.prune_volumes(), Prune::WHAT_VOLUMES);
    case Type::kPruneDockerBuilders:
      return PruneOf(execution.prune_docker_builders(), Prune::WHAT_BUILD_CACHE);
    case Type::kPruneBuildx:
      return PruneOf(execution.prune_buildx(), Prune::WHAT_BUILDX);
    case Type::kPruneSystem:
      return PruneOf(execution.prune_system(), Prune::WHAT_SYSTEM);
    case Type::kDeleteNetwork:
      return RemoveOf(execution.delete_network(), Remove::KIND_NETWORK);
    case Type::kDeleteImage:
      return RemoveOf(execution.delete_image(), Remove::KIND_IMAGE);
    case Type::kDeleteVolume:
      return RemoveOf(execution.delete_volume(), Remove::KIND_VOLUME);
    default:
      return absl::InternalError("not a job");
  }
}

}  // namespace fairlead::actions
