#include "agent/stack_update.h"

#include <algorithm>
#include <functional>
#include <utility>

#include <boost/json.hpp>
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "agent/engine_json.h"
#include "agent/owned_container.h"
#include "agent/section_hash.h"
#include "base/file.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

std::string DescribeOwner(const v1::Container& container) {
  return absl::StrCat(ShortId(container.id()), container.resource().empty()
                                                   ? ""
                                                   : absl::StrCat(" of ", container.resource()));
}

// `config` with every path below `from` as one below `to`.
boost::json::object WithPaths(const boost::json::object& config, const std::string& from,
                              const std::string& to) {
  const std::string text =
      absl::StrReplaceAll(std::string(boost::json::serialize(config)), {{from, to}});
  return boost::json::parse(text).as_object();
}

// One of the namespaces of `inspect` is that of a container outside `listed`.
bool SharesWithMissing(const boost::json::object& inspect, const boost::json::array& listed) {
  for (const char* field : {"NetworkMode", "PidMode", "IpcMode"}) {
    const std::string mode = TextAt(inspect, {"HostConfig", field});
    absl::string_view id = mode;
    if (!absl::ConsumePrefix(&id, "container:")) continue;
    const bool is_there =
        std::any_of(listed.begin(), listed.end(), [&](const boost::json::value& element) {
          return element.is_object() && TextAt(element.as_object(), {"Id"}) == id;
        });
    if (!is_there) return true;
  }
  return false;
}

}  // namespace

StackUpdate::StackUpdate(ActionScope& scope, const v1::ApplyStack& request, ComposeCommand compose,
                         const StackFolder& folder)
    : scope_(scope),
      request_(request),
      folder_(folder),
      login_folder_(folder.PathOf("docker-config")),
      compose_(std::move(compose)),
      source_(&folder) {}

absl::Status StackUpdate::LookAround() {
  RETURN_IF_ERROR(ReadRecord());
  RETURN_IF_ERROR(Survey());
  RETURN_IF_ERROR(RefuseStrangers());
  RETURN_IF_ERROR(Surround());
  return Analyse();
}

absl::Status StackUpdate::Run() {
  RETURN_IF_ERROR(LookAround());
  WarnOfUnknownServices();
  Decide();
  RETURN_IF_ERROR(RunPreDeploy());
  RETURN_IF_ERROR(WriteOverride());
  if (!touched_.empty()) {
    RETURN_IF_ERROR(EnsureImages());
    RETURN_IF_ERROR(Preflight({}));
    RETURN_IF_ERROR(Build());
    RETURN_IF_ERROR(Up());
  }
  RETURN_IF_ERROR(RestartServices());
  RETURN_IF_ERROR(RemoveGoneServices());
  RETURN_IF_ERROR(RunPostDeploy());
  return Record();
}

absl::Status StackUpdate::Check(const StackFolder& scratch, bool networks_may_come) {
  source_ = &scratch;
  RETURN_IF_ERROR(LookAround());
  Decide();
  if (touched_.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(EnsureImages());
  // A command before the deploy may make them as well.
  const bool may_come = networks_may_come || !request_.pre_deploy().script().empty();
  return Preflight({.going = {}, .ours_may_go = true, .networks_may_come = may_come});
}

absl::Status StackUpdate::ReadRecord() {
  const absl::StatusOr<v1::Project> record = folder_.ReadRecord();
  if (!record.ok()) return absl::OkStatus();
  record_ = *record;
  if (record_.resource() == scope_.action.resource()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("compose project ", request_.project(), " belongs to ", record_.resource()));
}

absl::Status StackUpdate::Survey() {
  present_.clear();
  ASSIGN_OR_RETURN(const boost::json::array listed,
                   scope_.engine.ListContainers(
                       {.labels = {absl::StrCat(kComposeProjectLabel, "=", request_.project())}},
                       scope_.limits));
  // Services often share one.
  std::map<std::string, std::string> images;
  const auto image_now = [&](const boost::json::object& inspect) {
    const auto [known, is_new] = images.try_emplace(TextAt(inspect, {"Config", "Image"}));
    if (is_new) known->second = ImageNow(scope_.engine, inspect, scope_.limits);
    return known->second;
  };
  for (const boost::json::value& element : listed) {
    if (!element.is_object()) continue;
    if (TextAt(element.as_object(), {"Labels", kComposeOneoffLabel}) == "True") continue;
    const std::string id = TextAt(element.as_object(), {"Id"});
    const absl::StatusOr<boost::json::object> inspect =
        scope_.engine.InspectContainer(id, scope_.limits);
    if (absl::IsNotFound(inspect.status())) continue;
    RETURN_IF_ERROR(inspect.status());
    Present present{.container = ToContainer(*inspect),
                    .compose_hash = TextAt(*inspect, {"Config", "Labels", kComposeHashLabel})};
    v1::Container& container = present.container;
    FillAdopted(scope_.records, scope_.installation, container);
    const std::optional<ContainerRecord> made = scope_.records.Find(id);
    present.section_hash = ComputeSectionHashes(*inspect, image_now(*inspect), *scope_.hasher);
    present.changed = made && made->action == container.action() && !made->section_hash.empty() &&
                      !IsAsRecorded(made->section_hash, present.section_hash);
    present.detached = SharesWithMissing(*inspect, listed);
    present_[container.compose_service()].push_back(std::move(present));
  }
  return absl::OkStatus();
}

bool StackUpdate::IsCompleted(const v1::Container& container) {
  return container.state() == v1::CONTAINER_STATE_EXITED && container.exit_code() == 0 &&
         (container.restart_policy() == "no" || container.restart_policy() == "on-failure");
}

bool StackUpdate::IsOurs(const v1::Container& container) const {
  return container.installation() == scope_.installation &&
         container.resource() == scope_.action.resource();
}

absl::Status StackUpdate::RefuseStrangers() const {
  std::string stranger;
  for (const auto& [service, containers] : present_) {
    for (const Present& present : containers) {
      // One that is ours makes the project ours.
      if (IsOurs(present.container)) return absl::OkStatus();
      stranger = DescribeOwner(present.container);
    }
  }
  const bool recorded = record_.resource() == scope_.action.resource();
  if (stranger.empty() || recorded) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("compose project ", request_.project(),
                                                    " is taken by container ", stranger,
                                                    ", which is not Fairlead's"));
}

absl::Status StackUpdate::Analyse() {
  scope_.Report("resolving", request_.project());
  ASSIGN_OR_RETURN(const StackInput written, source_->Write(request_));
  run_directory_ =
      request_.host_directory().empty() ? folder_.PathOf("files") : written.run_directory;
  ASSIGN_OR_RETURN(input_, compose_.Prepare(written, *source_));
  ASSIGN_OR_RETURN(boost::json::object config, compose_.Config(scope_, request_.project(), input_));
  RETURN_IF_ERROR(scope_.allowed.CheckCompose(config));
  if (input_.run_directory != run_directory_) {
    config = WithPaths(config, input_.run_directory, run_directory_);
  }
  std::function<std::string(const std::string&)> context_of;
  if (request_.build()) {
    context_of = [this](const std::string& path) { return ContextOf(path); };
  }
  ASSIGN_OR_RETURN(
      services_,
      AnalyseServices(
          {.config = config,
           .hasher = *scope_.hasher,
           .content_of = [this](const std::string& path,
                                const std::set<std::string>& but) { return ContentOf(path, but); },
           .profiles = profiles_,
           .watched = WatchedPaths(),
           .context_of = std::move(context_of)}));
  return absl::OkStatus();
}

bool StackUpdate::HasHash(const Present& present, const ComposeService& service) const {
  const v1::Container& container = present.container;
  if (!IsOurs(container)) return false;
  if (container.spec_hash() == service.hash) return true;
  // After a change of the key nothing is recreated for that alone.
  return !scope_.hasher->CanVerify(container.spec_hash()) &&
         record_.spec_hash() == scope_.action.spec_hash();
}

bool StackUpdate::IsRight(const ComposeService& service) const {
  const auto found = present_.find(service.name);
  const std::size_t count = found == present_.end() ? 0 : found->second.size();
  if (static_cast<int>(count) != service.replicas) return false;
  if (count == 0) return true;
  return std::all_of(found->second.begin(), found->second.end(), [&](const Present& present) {
    const bool runs = present.container.state() == v1::CONTAINER_STATE_RUNNING ||
                      present.container.state() == v1::CONTAINER_STATE_RESTARTING;
    return HasHash(present, service) && !present.changed && !present.detached &&
           (runs || request_.leave_stopped() || IsCompleted(present.container));
  });
}

void StackUpdate::Decide() {
  std::set<std::string> touched;
  touched_.clear();
  forced_.clear();
  // In order of dependency, so that what a service is tied to is decided before it.
  for (const ComposeService& service : services_) {
    const bool follows =
        std::any_of(service.tied_to.begin(), service.tied_to.end(),
                    [&](const std::string& other) { return touched.contains(other); });
    if (IsRight(service) && !follows) continue;
    touched.insert(service.name);
    touched_.push_back(service.name);
    // Compose itself sees neither what was changed by hand nor a shared namespace that is gone.
    for (const Present& present : present_[service.name]) {
      const bool unseen = present.changed || present.detached || follows;
      if (unseen && HasHash(present, service)) forced_.insert(service.name);
    }
  }
  DecideRestarts();
}

absl::Status StackUpdate::WriteOverride() {
  std::map<std::string, std::map<std::string, std::string>> labels;
  for (const ComposeService& service : services_) {
    if (StaysAdopted(service)) continue;
    std::map<std::string, std::string> own =
        OwnLabels(scope_.installation, scope_.action.resource(), service.hash, scope_.action.id());
    const auto found = present_.find(service.name);
    if (found != present_.end() && !found->second.empty() &&
        HasHash(found->second.front(), service)) {
      // Compose recreates where a label changes.
      own[kActionLabel] = found->second.front().container.action();
      own[kSpecHashLabel] = found->second.front().container.spec_hash();
    }
    labels[service.name] = std::move(own);
  }
  const std::string path = folder_.PathOf("override.json");
  RETURN_IF_ERROR(base::WriteFileAtomically(path, ToLabelOverride(labels)));
  input_.compose_files.push_back(path);
  return absl::OkStatus();
}

bool StackUpdate::IsTouched(const ComposeService& service) const {
  return std::find(touched_.begin(), touched_.end(), service.name) != touched_.end();
}

absl::Status StackUpdate::Preflight(HostChange change) const {
  HostNeeds needs;
  for (const ComposeService& service : services_) {
    if (IsTouched(service) && service.replicas > 0) needs.Add(service.needs);
  }
  for (const auto& [service, containers] : present_) {
    for (const Present& present : containers) change.going.insert(present.container.id());
  }
  return CheckCanRun(scope_, needs, change);
}

absl::Status StackUpdate::EnsureImages() {
  std::vector<std::string> absent;
  std::vector<std::string> pullable;
  for (const ComposeService& service : services_) {
    if (!IsTouched(service) || service.builds || service.image.empty()) continue;
    const absl::Status present = scope_.engine.ImageId(service.image, scope_.limits).status();
    if (!present.ok() && !absl::IsNotFound(present)) return present;
    if (!present.ok()) absent.push_back(service.image);
    if (!present.ok() || request_.pull() == v1::PULL_POLICY_ALWAYS) {
      pullable.push_back(service.name);
    }
  }
  if (request_.pull() == v1::PULL_POLICY_NEVER) {
    return absent.empty() ? absl::OkStatus()
                          : absl::NotFoundError(absl::StrCat("image ", absl::StrJoin(absent, ", "),
                                                             ": not on this host, and pull is "
                                                             "\"never\""));
  }
  if (pullable.empty()) return absl::OkStatus();
  scope_.Report("pulling", absl::StrJoin(pullable, ", "));
  std::vector<std::string> arguments = {"pull"};
  arguments.insert(arguments.end(), pullable.begin(), pullable.end());
  const absl::Status pulled = compose_
                                  .Run(scope_, {.project = request_.project(),
                                                .input = input_,
                                                .arguments = std::move(arguments),
                                                .phase = "pulling"})
                                  .status();
  if (pulled.ok() || absl::IsCancelled(pulled) || absl::IsDeadlineExceeded(pulled)) return pulled;
  for (const std::string& image : absent) {
    if (!scope_.engine.ImageId(image, scope_.limits).ok()) {
      return base::Annotate(pulled, absl::StrCat("image ", image, ": pull failed"));
    }
  }
  scope_.Warn(absl::StrCat("pull failed, using the images that are present: ", pulled.message()));
  return absl::OkStatus();
}

absl::Status StackUpdate::Up() {
  if (request_.destroy_first() && !present_.empty()) {
    scope_.Report("stopping", request_.project());
    RETURN_IF_ERROR(compose_
                        .Run(scope_, {.project = request_.project(),
                                      .input = input_,
                                      .arguments = {"down"},
                                      .phase = "stopping"})
                        .status());
    touched_.clear();
    for (const ComposeService& service : services_) touched_.push_back(service.name);
    forced_.clear();
  }
  std::vector<std::string> plain = touched_;
  std::erase_if(plain, [&](const std::string& name) { return forced_.contains(name); });
  if (!plain.empty()) RETURN_IF_ERROR(UpServices(plain, false));
  // What shares a namespace comes behind what it shares.
  std::vector<std::string> forced = touched_;
  std::erase_if(forced, [&](const std::string& name) { return !forced_.contains(name); });
  return forced.empty() ? absl::OkStatus() : UpServices(forced, true);
}

absl::Status StackUpdate::UpServices(const std::vector<std::string>& services, bool force) {
  std::vector<std::string> tied;
  if (!compose_.FindsSharedNamespacesAlone()) {
    for (const ComposeService& service : services_) {
      const bool named =
          std::find(services.begin(), services.end(), service.name) != services.end();
      if (named && !service.tied_to.empty()) tied.push_back(service.name);
    }
  }
  std::vector<std::string> alone = services;
  std::erase_if(alone, [&](const std::string& name) {
    return std::find(tied.begin(), tied.end(), name) != tied.end();
  });
  if (!alone.empty()) RETURN_IF_ERROR(UpTogether(alone, force, Dependencies::kLeft));
  return tied.empty() ? absl::OkStatus() : UpTogether(tied, force, Dependencies::kIncluded);
}

absl::Status StackUpdate::UpTogether(const std::vector<std::string>& services, bool force,
                                     Dependencies dependencies) {
  scope_.Report("starting", absl::StrJoin(services, ", "));
  std::vector<std::string> arguments = {"up"};
  // Compose would also recreate what these depend on, where that is not as declared.
  if (dependencies == Dependencies::kLeft) arguments.push_back("--no-deps");
  arguments.push_back(request_.leave_stopped() ? "--no-start" : "-d");
  if (force) arguments.push_back("--force-recreate");
  arguments.insert(arguments.end(), extra_args_.begin(), extra_args_.end());
  arguments.insert(arguments.end(), services.begin(), services.end());
  return compose_
      .Run(scope_, {.project = request_.project(),
                    .input = input_,
                    .arguments = std::move(arguments),
                    .phase = "starting"})
      .status();
}

bool StackUpdate::IsGone(const std::string& service) const {
  return std::none_of(services_.begin(), services_.end(),
                      [&](const ComposeService& declared) { return declared.name == service; });
}

absl::Status StackUpdate::RemoveGoneServices() {
  for (const auto& [name, containers] : present_) {
    if (!IsGone(name)) continue;
    for (const Present& present : containers) {
      const std::string& id = present.container.id();
      scope_.Report("removing", present.container.name());
      RETURN_IF_ERROR(StopGently(scope_.engine, scope_.clock, id, "", 0, scope_.limits));
      RETURN_IF_ERROR(RemoveOwned(scope_.engine, scope_.records, id, scope_.limits));
    }
  }
  return absl::OkStatus();
}

absl::Status StackUpdate::Record() {
  RETURN_IF_ERROR(Survey());
  const std::set<std::string> ignored(request_.ignore_services().begin(),
                                      request_.ignore_services().end());
  v1::Project project;
  project.set_resource(scope_.action.resource());
  project.set_name(request_.project());
  project.set_spec_hash(scope_.action.spec_hash());
  for (const ComposeService& service : services_) {
    v1::Project::Service& added = *project.add_services();
    added.set_name(service.name);
    added.set_hash(service.hash);
    added.set_replicas(service.replicas);
    added.set_ignored(ignored.contains(service.name));
    for (const Present& present : present_[service.name]) {
      const v1::Container& container = present.container;
      RETURN_IF_ERROR(scope_.records.Put(container.id(), {.resource = scope_.action.resource(),
                                                          .spec_hash = container.spec_hash(),
                                                          .action = container.action(),
                                                          .section_hash = present.section_hash,
                                                          .adopted = container.adopted()}));
    }
  }
  RETURN_IF_ERROR(WriteRestartKeys());
  return folder_.WriteRecord(project);
}

}  // namespace fairlead::agent
