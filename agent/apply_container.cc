#include "agent/apply_container.h"

#include <set>

#include <boost/json.hpp>
#include "absl/strings/str_cat.h"

#include "agent/engine_json.h"
#include "agent/owned_container.h"
#include "agent/preflight.h"
#include "agent/section_hash.h"
#include "base/log.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

absl::Status NameTaken(const v1::Container& container) {
  const std::string whose = container.resource().empty()
                                ? "which is not Fairlead's"
                                : absl::StrCat("of ", container.resource());
  return absl::FailedPreconditionError(absl::StrCat(
      "name ", container.name(), " is taken by container ", ShortId(container.id()), ", ", whose));
}

}  // namespace

std::string ContainerReplacement::OldName() const { return absl::StrCat(spec_.name(), kOldSuffix); }

absl::Status ContainerReplacement::Run() {
  RETURN_IF_ERROR(Survey());
  if (current_) {
    ASSIGN_OR_RETURN(const bool wanted, IsWanted(*current_));
    if (wanted) return CompleteWanted();
  }
  const absl::Status replaced = Replace();
  if (!replaced.ok()) Undo();
  return replaced;
}

absl::Status ContainerReplacement::Survey() {
  const auto owned_holder =
      [&](const std::string& name) -> absl::StatusOr<std::optional<v1::Container>> {
    ASSIGN_OR_RETURN(std::optional<v1::Container> found,
                     FindByName(scope_.engine, name, scope_.limits));
    if (found && !IsOwned(*found, scope_.installation, scope_.action.resource(), scope_.records)) {
      return NameTaken(*found);
    }
    return found;
  };
  ASSIGN_OR_RETURN(current_, owned_holder(spec_.name()));
  ASSIGN_OR_RETURN(old_, owned_holder(OldName()));
  if (current_) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::vector<v1::Container> owned,
                   ListOwned(scope_.engine, scope_.installation, scope_.action.resource(),
                             scope_.records, scope_.limits));
  for (const v1::Container& container : owned) {
    if (IsOldName(container.name())) continue;
    if (!stray_ || (IsUp(container) && !IsUp(*stray_))) stray_ = container;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> ContainerReplacement::IsWanted(const v1::Container& container) const {
  // The container of an adoption has no labels; its record says what it stands for.
  const std::optional<ContainerRecord> record = scope_.records.Find(container.id());
  const bool adopted = record && record->adopted;
  const std::string& hash = adopted ? record->spec_hash : container.spec_hash();
  if (hash != scope_.action.spec_hash()) return false;
  if (!adopted && container.action() == scope_.action.id()) return true;
  if (!record || record->section_hash.empty()) return false;
  ASSIGN_OR_RETURN(const boost::json::object inspect,
                   scope_.engine.InspectContainer(container.id(), scope_.limits));
  return IsAsRecorded(record->section_hash,
                      ComputeSectionHashes(inspect, ImageNow(scope_.engine, inspect, scope_.limits),
                                           *scope_.hasher));
}

absl::Status ContainerReplacement::CompleteWanted() {
  const std::string id = current_->id();
  const bool own = current_->action() == scope_.action.id();
  if (own) created_id_ = id;
  scope_.outcome.set_container_id(id);
  if (!spec_.restart_policy().empty() && current_->restart_policy() != spec_.restart_policy()) {
    RETURN_IF_ERROR(scope_.engine.UpdateRestartPolicy(id, spec_.restart_policy(), scope_.limits));
  }
  if (!request_.leave_stopped()) {
    const absl::Status started = current_->state() == v1::CONTAINER_STATE_PAUSED
                                     ? scope_.engine.UnpauseContainer(id, scope_.limits)
                                     : (IsUp(*current_) ? absl::OkStatus() : Start(id));
    if (!started.ok()) {
      // Made by an earlier action, it may be all there is: it stays.
      if (own) Undo();
      return started;
    }
  }
  return own ? RecordContainer(scope_, id) : absl::OkStatus();
}

absl::Status ContainerReplacement::Replace() {
  RETURN_IF_ERROR(EnsureImage());
  RETURN_IF_ERROR(Preflight());
  RETURN_IF_ERROR(MakeRoom());
  RETURN_IF_ERROR(Create());
  if (!request_.leave_stopped()) RETURN_IF_ERROR(Start(created_id_));
  scope_.outcome.set_container_id(created_id_);
  // A record that cannot be written must not end a container that runs.
  const absl::Status recorded = RecordContainer(scope_, created_id_);
  if (!recorded.ok()) scope_.Warn(absl::StrCat("not recorded: ", recorded.message()));
  return absl::OkStatus();
}

absl::Status ContainerReplacement::EnsureImage() {
  const std::string context = absl::StrCat("image ", spec_.image());
  const absl::Status present = scope_.engine.ImageId(spec_.image(), scope_.limits).status();
  if (!present.ok() && !absl::IsNotFound(present)) return base::Annotate(present, context);
  if (request_.pull() == v1::PULL_POLICY_NEVER) {
    if (present.ok()) return absl::OkStatus();
    return absl::NotFoundError(absl::StrCat(context, ": not on this host, and pull is \"never\""));
  }
  if (request_.pull() == v1::PULL_POLICY_MISSING && present.ok()) return absl::OkStatus();
  const absl::Status pulled = PullImage();
  if (pulled.ok() || !present.ok() || absl::IsCancelled(pulled) ||
      absl::IsDeadlineExceeded(pulled)) {
    return base::Annotate(pulled, absl::StrCat(context, ": pull failed"));
  }
  scope_.Warn(
      absl::StrCat(context, ": pull failed, using the image that is present: ", pulled.message()));
  return absl::OkStatus();
}

absl::Status ContainerReplacement::PullImage() {
  scope_.Report("pulling", spec_.image());
  return scope_.engine.PullImage(
      spec_.image(),
      [&](uint64_t current, uint64_t total) {
        scope_.Report("pulling", spec_.image(), current, total);
      },
      scope_.limits);
}

absl::Status ContainerReplacement::Preflight() {
  std::set<std::string> own;
  for (const auto* container : {&current_, &old_, &stray_}) {
    if (container->has_value()) own.insert((*container)->id());
  }
  return CheckCanRun(scope_, spec_, own);
}

absl::Status ContainerReplacement::MakeRoom() {
  if (current_ && old_) {
    // An attempt that was not finished: what ran before it stays the one to go back to.
    scope_.Report("removing", current_->name());
    RETURN_IF_ERROR(StopGently(scope_.engine, scope_.clock, current_->id(), "",
                               spec_.stop_timeout_seconds(), scope_.limits));
    RETURN_IF_ERROR(RemoveOwned(scope_.engine, scope_.records, current_->id(), scope_.limits));
    current_.reset();
  }
  if (old_) return IsUp(*old_) ? SetAside(*old_) : absl::OkStatus();
  if (current_) return SetAside(*current_);
  return stray_ ? SetAside(*stray_) : absl::OkStatus();
}

// By value: it is given what it resets.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
absl::Status ContainerReplacement::SetAside(v1::Container container) {
  const std::string& id = container.id();
  old_name_before_ = IsOldName(container.name()) ? spec_.name() : container.name();
  ContainerRecord record = scope_.records.Find(id).value_or(
      ContainerRecord{.resource = scope_.action.resource(), .spec_hash = container.spec_hash()});
  if (!record.aside) {
    ASSIGN_OR_RETURN(const boost::json::object inspect,
                     scope_.engine.InspectContainer(id, scope_.limits));
    record.aside = ContainerRecord::Aside{ToContainer(inspect).restart_policy(), IsUp(container)};
    RETURN_IF_ERROR(scope_.records.Put(id, record));
  }
  old_ = container;
  current_.reset();
  RETURN_IF_ERROR(scope_.engine.UpdateRestartPolicy(id, "no", scope_.limits));
  if (IsUp(container)) {
    scope_.Report("stopping", container.name());
    RETURN_IF_ERROR(StopGently(scope_.engine, scope_.clock, id, "", spec_.stop_timeout_seconds(),
                               scope_.limits),
                    absl::StrCat("stop container ", container.name()));
  }
  if (IsOldName(container.name())) return absl::OkStatus();
  return base::Annotate(scope_.engine.RenameContainer(id, OldName(), scope_.limits),
                        absl::StrCat("rename container ", container.name()));
}

absl::Status ContainerReplacement::Create() {
  scope_.Report("creating", spec_.name());
  const absl::StatusOr<std::string> created = scope_.engine.CreateContainer(
      spec_.name(),
      ToCreateBody(spec_, OwnLabels(scope_.installation, scope_.action.resource(),
                                    scope_.action.spec_hash(), scope_.action.id())),
      scope_.limits);
  if (absl::IsAlreadyExists(created.status())) {
    return absl::FailedPreconditionError(created.status().message());
  }
  RETURN_IF_ERROR(created.status(), absl::StrCat("create container ", spec_.name()));
  created_id_ = *created;
  return absl::OkStatus();
}

absl::Status ContainerReplacement::Start(const std::string& id) {
  scope_.Report("starting", spec_.name());
  return base::Annotate(scope_.engine.StartContainer(id, scope_.limits),
                        absl::StrCat("start container ", spec_.name()));
}

void ContainerReplacement::Undo() {
  const CallLimits limits = scope_.UndoLimits();
  absl::Status undone;
  if (!created_id_.empty()) {
    scope_.outcome.set_log_tail(ReadRedactedLogTail(scope_, created_id_, limits));
    scope_.outcome.clear_container_id();
    undone = RemoveOwned(scope_.engine, scope_.records, created_id_, limits);
    current_.reset();
  }
  // With the name still held by an earlier attempt nothing was stopped by this one.
  if (undone.ok() && old_ && !current_) {
    scope_.Report("restoring", old_->name());
    const std::string name = old_name_before_.empty() ? spec_.name() : old_name_before_;
    undone = PutBack(scope_, old_->id(), name, "", false, limits);
    if (undone.ok()) scope_.outcome.set_container_id(old_->id());
  }
  if (undone.ok()) return;
  scope_.Warn(absl::StrCat("not put back: ", undone.message()));
  base::LogWarning("docker", scope_.action.resource(),
                   ": not put back: ", scope_.secrets.Redact(std::string(undone.message())));
}

}  // namespace fairlead::agent
