#include "agent/apply_container.h"

#include <set>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include "absl/strings/str_cat.h"

#include "agent/engine_json.h"
#include "agent/image_pull.h"
#include "agent/owned_container.h"
#include "agent/preflight.h"
#include "agent/section_hash.h"
#include "base/log.h"
#include "base/status.h"
#include "resources/replacement_names.h"

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

absl::Status ContainerReplacement::Run() {
  RETURN_IF_ERROR(Survey());
  for (const auto* candidate : {&coming_, &current_}) {
    if (!candidate->has_value()) continue;
    ASSIGN_OR_RETURN(const bool wanted, IsWanted(**candidate));
    if (wanted) return CompleteWanted(**candidate);
  }
  const absl::Status replaced = Replace();
  if (!replaced.ok()) Undo();
  return replaced;
}

absl::Status ContainerReplacement::Check(bool networks_may_come) {
  RETURN_IF_ERROR(Survey());
  RETURN_IF_ERROR(EnsureImage(scope_, request_));
  return Preflight({.going = {}, .ours_may_go = true, .networks_may_come = networks_may_come});
}

absl::StatusOr<std::optional<v1::Container>> ContainerReplacement::Holder(const std::string& name,
                                                                          bool is_needed) const {
  ASSIGN_OR_RETURN(std::optional<v1::Container> found,
                   FindByName(scope_.engine, name, scope_.limits));
  if (!found || IsOwned(*found, scope_.installation, scope_.action.resource(), scope_.records)) {
    return found;
  }
  if (is_needed) return NameTaken(*found);
  return std::nullopt;
}

absl::Status ContainerReplacement::Survey() {
  const std::string& name = spec_.name();
  const bool start_first = request_.start_first();
  ASSIGN_OR_RETURN(current_, Holder(name, true));
  ASSIGN_OR_RETURN(old_, Holder(resources::OldNameOf(name), true));
  ASSIGN_OR_RETURN(coming_, Holder(resources::NewNameOf(name), start_first));
  if (resources::HasSpellings(name)) {
    ASSIGN_OR_RETURN(auto going, Holder(resources::GoingSpellingOf(name), start_first));
    if (!old_) old_ = std::move(going);
    ASSIGN_OR_RETURN(auto coming, Holder(resources::ComingSpellingOf(name), start_first));
    if (!coming_) coming_ = std::move(coming);
  }
  return current_ ? absl::OkStatus() : FindStray();
}

absl::Status ContainerReplacement::FindStray() {
  ASSIGN_OR_RETURN(const std::vector<v1::Container> owned,
                   ListOwned(scope_.engine, scope_.installation, scope_.action.resource(),
                             scope_.records, scope_.limits));
  for (const v1::Container& container : owned) {
    if (container.name() == spec_.name()) {
      // Asked for by name it was not there: an engine at odds with itself. It is no stray.
      current_ = container;
      return absl::OkStatus();
    }
    const bool has_part =
        resources::PartOf(container.name(), spec_.name()) != resources::ReplacementPart::kNone;
    if (has_part) continue;
    if (!stray_ || (IsUp(container) && !IsUp(*stray_))) stray_ = container;
  }
  return absl::OkStatus();
}

bool ContainerReplacement::Overlaps() const {
  return request_.start_first() && !request_.leave_stopped() && current_ && IsUp(*current_) &&
         !old_ && resources::HasSpellings(spec_.name());
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

absl::Status ContainerReplacement::CompleteWanted(const v1::Container& wanted) {
  const std::string& id = wanted.id();
  const bool own = wanted.action() == scope_.action.id();
  if (own) created_id_ = id;
  scope_.outcome.set_container_id(id);
  if (!spec_.restart_policy().empty() && wanted.restart_policy() != spec_.restart_policy()) {
    RETURN_IF_ERROR(SetRestartPolicy(scope_.engine, id, spec_.restart_policy(), scope_.limits));
  }
  if (!request_.leave_stopped()) {
    const absl::Status started = wanted.state() == v1::CONTAINER_STATE_PAUSED
                                     ? scope_.engine.UnpauseContainer(id, scope_.limits)
                                     : (IsUp(wanted) ? absl::OkStatus() : Start(id));
    if (!started.ok()) {
      // Made by an earlier action, it may be all there is: it stays.
      if (own) Undo();
      return started;
    }
  }
  return own ? RecordContainer(scope_, id) : absl::OkStatus();
}

absl::Status ContainerReplacement::Replace() {
  RETURN_IF_ERROR(EnsureImage(scope_, request_));
  RETURN_IF_ERROR(Preflight({}));
  RETURN_IF_ERROR(MakeRoom());
  RETURN_IF_ERROR(Create());
  if (!request_.leave_stopped()) RETURN_IF_ERROR(Start(created_id_));
  scope_.outcome.set_container_id(created_id_);
  // A record that cannot be written must not end a container that runs.
  const absl::Status recorded = RecordContainer(scope_, created_id_);
  if (!recorded.ok()) scope_.Warn(absl::StrCat("not recorded: ", recorded.message()));
  return absl::OkStatus();
}

absl::Status ContainerReplacement::Preflight(HostChange change) {
  for (const auto* container : {&current_, &old_, &coming_, &stray_}) {
    // What goes on serving keeps its ports.
    if (container == &current_ && Overlaps()) continue;
    if (container->has_value()) change.going.insert((*container)->id());
  }
  if (Overlaps()) RETURN_IF_ERROR(CheckCanPassName(scope_));
  return CheckCanRun(scope_, NeedsOf(spec_), change);
}

absl::Status ContainerReplacement::MakeRoom() {
  // An attempt that is given up; what ran before it stays the one to go back to.
  if (coming_) RETURN_IF_ERROR(Remove(*std::exchange(coming_, std::nullopt)));
  if (Overlaps()) return absl::OkStatus();
  if (current_ && old_) RETURN_IF_ERROR(Remove(*std::exchange(current_, std::nullopt)));
  if (old_) return IsUp(*old_) ? SetAside(*old_) : absl::OkStatus();
  if (current_) return SetAside(*current_);
  return stray_ ? SetAside(*stray_) : absl::OkStatus();
}

absl::Status ContainerReplacement::Remove(const v1::Container& container) {
  scope_.Report("removing", container.name());
  RETURN_IF_ERROR(StopGently(scope_.engine, scope_.clock, container.id(), "",
                             spec_.stop_timeout_seconds(), scope_.limits));
  return RemoveOwned(scope_.engine, scope_.records, container.id(), scope_.limits);
}

// By value: it is given what it resets.
// NOLINTNEXTLINE(performance-unnecessary-value-param)
absl::Status ContainerReplacement::SetAside(v1::Container container) {
  const std::string& id = container.id();
  old_name_before_ = IsOldName(container.name()) ? spec_.name() : container.name();
  RETURN_IF_ERROR(RecordAside(scope_, container));
  old_ = container;
  current_.reset();
  RETURN_IF_ERROR(SetRestartPolicy(scope_.engine, id, "no", scope_.limits));
  if (IsUp(container)) {
    scope_.Report("stopping", container.name());
    RETURN_IF_ERROR(StopGently(scope_.engine, scope_.clock, id, "", spec_.stop_timeout_seconds(),
                               scope_.limits),
                    absl::StrCat("stop container ", container.name()));
  }
  if (IsOldName(container.name())) return absl::OkStatus();
  return base::Annotate(
      scope_.engine.RenameContainer(id, resources::OldNameOf(spec_.name()), scope_.limits),
      absl::StrCat("rename container ", container.name()));
}

absl::Status ContainerReplacement::Create() {
  const std::string name = Overlaps() ? resources::NewNameOf(spec_.name()) : spec_.name();
  scope_.Report("creating", name);
  const absl::StatusOr<std::string> created = scope_.engine.CreateContainer(
      name,
      ToCreateBody(spec_, OwnLabels(scope_.installation, scope_.action.resource(),
                                    scope_.action.spec_hash(), scope_.action.id())),
      scope_.limits);
  if (absl::IsAlreadyExists(created.status())) {
    return absl::FailedPreconditionError(created.status().message());
  }
  RETURN_IF_ERROR(created.status(), absl::StrCat("create container ", name));
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
