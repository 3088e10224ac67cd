#include "agent/docker_runtime.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "agent/action_scope.h"
#include "agent/apply_container.h"
#include "agent/build_runtime.h"
#include "agent/compose_runtime.h"
#include "agent/container_actions.h"
#include "agent/engine_http.h"
#include "agent/finish_replacement.h"
#include "agent/git_checkout.h"
#include "agent/host_jobs.h"
#include "agent/log_follower.h"
#include "agent/private_folder.h"
#include "agent/repo_runtime.h"
#include "base/proto_time.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

// Ends an action whose sender gave no deadline.
constexpr absl::Duration kDefaultDeadline = absl::Minutes(15);

absl::Duration DeadlineOf(const v1::Action& action) {
  const absl::Duration given = base::FromProto(action.deadline());
  return given > absl::ZeroDuration() ? given : kDefaultDeadline;
}

}  // namespace

std::shared_ptr<const EngineTransport> TransportOf(const DockerOptions& options,
                                                   const base::Clock& clock) {
  if (options.transport != nullptr) return options.transport;
  return std::make_shared<const EngineHttp>(options.engine, clock);
}

DockerRuntime::DockerRuntime(DockerOptions options, ContainerRecords& records, SecretTexts& secrets,
                             const base::Clock& clock)
    : options_(std::move(options)),
      records_(records),
      secrets_(secrets),
      clock_(clock),
      engine_(TransportOf(options_, clock), clock),
      once_(absl::StrCat(options_.data_directory, "/once")),
      compose_(std::make_unique<ComposeRuntime>(options_.data_directory, options_.engine)),
      checkouts_(std::make_unique<GitCheckouts>(options_.data_directory)),
      repos_(std::make_unique<RepoRuntime>(options_.data_directory, *checkouts_)),
      builds_(
          std::make_unique<BuildRuntime>(options_.data_directory, options_.engine, *checkouts_)) {
  ClearPrivateFolders(options_.data_directory);
}

DockerRuntime::~DockerRuntime() = default;

void DockerRuntime::SetInstallation(const std::string& installation, const std::string& key_id,
                                    const std::string& key) {
  Identity identity{installation, std::make_shared<const resources::SpecHasher>(key_id, key)};
  base::MutexLock lock(mutex_);
  identity_ = std::move(identity);
}

void DockerRuntime::Forget(const std::string& action_id) {
  once_.Forget(action_id);
  builds_->Forget(action_id);
}

DockerRuntime::Identity DockerRuntime::identity() const {
  base::MutexLock lock(mutex_);
  return identity_;
}

v1::ActionOutcome DockerRuntime::Run(const v1::Action& action, const ActionContext& context) {
  const absl::Time start = clock_.Now();
  const std::vector<std::string> secrets(action.secrets().begin(), action.secrets().end());
  secrets_.Add(secrets);
  v1::ActionOutcome outcome;
  outcome.set_action_id(action.id());
  outcome.set_resource(action.resource());
  const Identity identity = this->identity();
  absl::Status status = absl::FailedPreconditionError("the agent does not know its installation");
  if (identity.hasher != nullptr) {
    ActionOutput output(
        action, context.log, [this](const std::string& text) { return secrets_.Redact(text); },
        clock_);
    ActionScope scope{
        .action = action,
        .context = context,
        .engine = engine_,
        .records = records_,
        .secrets = secrets_,
        .clock = clock_,
        .installation = identity.installation,
        .hasher = identity.hasher,
        .limits = {.deadline = start + DeadlineOf(action), .is_cancelled = context.is_cancelled},
        .once = once_,
        .output = output,
        .outcome = outcome,
        .allowed = options_.allowed};
    status = options_.allowed.CheckAction(action);
    // Before a container can print them.
    if (status.ok()) status = secrets_.Remember(secrets, *identity.hasher);
    if (status.ok()) status = Dispatch(scope);
    output.Finish();
  }
  if (status.ok()) {
    outcome.set_status(v1::ACTION_STATUS_SUCCEEDED);
  } else {
    if (outcome.status() != v1::ACTION_STATUS_INTERRUPTED) {
      outcome.set_status(absl::IsCancelled(status) ? v1::ACTION_STATUS_CANCELLED
                                                   : v1::ACTION_STATUS_FAILED);
    }
    outcome.set_code(static_cast<int32_t>(status.code()));
    outcome.set_message(secrets_.Redact(std::string(status.message())));
  }
  *outcome.mutable_took() = base::ToProto(clock_.Now() - start);
  return outcome;
}

absl::Status DockerRuntime::Dispatch(ActionScope& scope) const {
  const v1::Action& action = scope.action;
  switch (action.body_case()) {
    case v1::Action::kApplyContainer:
      return ContainerReplacement(scope, action.apply_container()).Run();
    case v1::Action::kCheck:
      return ContainerReplacement(scope, action.check().apply())
          .Check(action.check().networks_may_come());
    case v1::Action::kFinishReplacement:
      return FinishReplacement(scope, action.finish_replacement());
    case v1::Action::kStart:
      return StartContainers(scope);
    case v1::Action::kStop:
      return StopContainers(scope, action.stop());
    case v1::Action::kRestart:
      return RestartContainers(scope, action.restart());
    case v1::Action::kUpdate:
      return UpdateContainer(scope, action.update());
    case v1::Action::kRemove:
      return RemoveContainers(scope, action.remove());
    case v1::Action::kAdopt:
      return AdoptContainer(scope, action.adopt());
    case v1::Action::kApplyStack:
      return compose_->Apply(scope, action.apply_stack());
    case v1::Action::kCheckStack:
      return compose_->Check(scope, action.check_stack());
    case v1::Action::kAdoptStack:
      return compose_->Adopt(scope, action.adopt_stack());
    case v1::Action::kRemoveStack:
      return compose_->Remove(scope, action.remove_stack());
    case v1::Action::kBuildImage:
      return builds_->Build(scope, action.build_image());
    case v1::Action::kCheckOutRepo:
      return repos_->CheckOut(scope, action.check_out_repo());
    default:
      return DispatchJob(scope);
  }
}

absl::Status DockerRuntime::DispatchJob(ActionScope& scope) const {
  const v1::Action& action = scope.action;
  switch (action.body_case()) {
    case v1::Action::kPullImages:
      return action.pull_images().has_stack() ? compose_->Pull(scope, action.pull_images())
                                              : PullImageOf(scope, action.pull_images());
    case v1::Action::kPause:
      return PauseContainers(scope);
    case v1::Action::kUnpause:
      return UnpauseContainers(scope);
    case v1::Action::kActOnContainer:
      return ActOnContainer(scope, action.act_on_container());
    case v1::Action::kPruneHost:
      return PruneHost(scope, action.prune_host(), options_.engine, options_.data_directory);
    case v1::Action::kRemoveFromHost:
      return RemoveFromHost(scope, action.remove_from_host());
    case v1::Action::kRunService:
      return compose_->RunOne(scope, action.run_service());
    default:
      return absl::UnimplementedError("this agent does not know the action: it is older");
  }
}

absl::Status DockerRuntime::Logs(const v1::LogRequest& request,
                                 const std::function<void(const v1::LogLines&)>& send,
                                 const std::function<bool()>& is_cancelled) {
  RETURN_IF_ERROR(options_.allowed.CheckLogs());
  const Identity identity = this->identity();
  return LogFollower(engine_, records_, secrets_, clock_, identity.installation)
      .Run(request, send, is_cancelled);
}

}  // namespace fairlead::agent
