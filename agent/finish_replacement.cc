#include "agent/finish_replacement.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "agent/engine_json.h"
#include "agent/owned_container.h"
#include "base/status.h"
#include "resources/replacement_names.h"

namespace fairlead::agent {
namespace {

// Who has resolved the name just before it went may still connect for so long.
constexpr absl::Duration kGrace = absl::Seconds(2);

// One that the engine's restart policy has started again has exited, whatever it does meanwhile.
bool RunsOrIsDone(const v1::Container& container) {
  if (container.state() == v1::CONTAINER_STATE_EXITED) return container.exit_code() == 0;
  return container.state() == v1::CONTAINER_STATE_RUNNING &&
         (container.restart_count() == 0 || container.health() == v1::CONTAINER_HEALTH_HEALTHY);
}

// One FinishReplacement. What an earlier run of it has done shows in the names. Lives for one
// action.
class Replacement {
 public:
  Replacement(ActionScope& scope, const v1::FinishReplacement& request)
      : scope_(scope), request_(request), name_(request.name()) {}

  absl::Status Survey();
  absl::Status KeepNew();
  absl::Status KeepOld();

 private:
  using Found = std::optional<v1::Container>;

  // The first of the names that a container of the resource has.
  absl::StatusOr<Found> FindOwned(const std::vector<std::string>& names) const;
  absl::Status Rename(v1::Container& container, const std::string& name);
  absl::Status PassTheName();
  absl::Status Retire(v1::Container& old);
  absl::Status Remove(const v1::Container& container, int stop_seconds);
  absl::Status PutOldBack(const v1::Container& old);

  ActionScope& scope_;
  const v1::FinishReplacement& request_;
  const std::string& name_;
  // Has the name.
  Found current_;
  // Started beside it, and has not got the name yet.
  Found coming_;
  // Has lost the name, or is about to.
  Found going_;
};

absl::StatusOr<Replacement::Found> Replacement::FindOwned(
    const std::vector<std::string>& names) const {
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(Found found, FindByName(scope_.engine, name, scope_.limits));
    if (found && IsOwned(*found, scope_.installation, scope_.action.resource(), scope_.records)) {
      return found;
    }
  }
  return std::nullopt;
}

absl::Status Replacement::Survey() {
  std::vector<std::string> coming = {resources::NewNameOf(name_)};
  std::vector<std::string> going = {resources::OldNameOf(name_)};
  if (resources::HasSpellings(name_)) {
    coming.push_back(resources::ComingSpellingOf(name_));
    going.push_back(resources::GoingSpellingOf(name_));
  }
  ASSIGN_OR_RETURN(current_, FindOwned({name_}));
  ASSIGN_OR_RETURN(coming_, FindOwned(coming));
  ASSIGN_OR_RETURN(going_, FindOwned(going));
  return absl::OkStatus();
}

absl::Status Replacement::Rename(v1::Container& container, const std::string& name) {
  if (container.name() == name) return absl::OkStatus();
  RETURN_IF_ERROR(scope_.engine.RenameContainer(container.id(), name, scope_.limits),
                  absl::StrCat("rename container ", container.name(), " to ", name));
  container.set_name(name);
  return absl::OkStatus();
}

// Each rename takes a container's old name out of the engine's DNS before it puts the new one in.
// At every step another container has the name, in one spelling or another.
absl::Status Replacement::PassTheName() {
  scope_.Report("switching", name_);
  if (current_) {
    // One more than a replacement has: what an earlier one kept goes first.
    if (going_) RETURN_IF_ERROR(Retire(*going_));
    RETURN_IF_ERROR(Rename(*coming_, resources::ComingSpellingOf(name_)));
    RETURN_IF_ERROR(Rename(*current_, resources::GoingSpellingOf(name_)));
    going_ = current_;
  }
  RETURN_IF_ERROR(Rename(*coming_, name_));
  current_ = coming_;
  return absl::OkStatus();
}

absl::Status Replacement::Retire(v1::Container& old) {
  int stop_seconds = 0;
  if (IsUp(old)) {
    // Should it be wanted back after all.
    RETURN_IF_ERROR(RecordAside(scope_, old));
    RETURN_IF_ERROR(SetRestartPolicy(scope_.engine, old.id(), "no", scope_.limits),
                    absl::StrCat("update container ", old.name()));
    RETURN_IF_ERROR(Rename(old, resources::OldNameOf(name_)));
    scope_.Report("draining", old.name());
    CallLimits grace = scope_.limits;
    grace.deadline = std::min(scope_.limits.deadline, scope_.clock.Now() + kGrace);
    // Only one that ends by itself is waited for to the end: most run out of the grace.
    const absl::Status ended = scope_.engine.WaitContainer(old.id(), grace);
    if (absl::IsCancelled(ended)) return ended;
    const absl::StatusOr<boost::json::object> inspect =
        scope_.engine.InspectContainer(old.id(), scope_.limits);
    if (!inspect.ok() && !absl::IsNotFound(inspect.status())) return inspect.status();
    if (inspect.ok()) {
      stop_seconds = static_cast<int>(NumberAt(*inspect, {"Config", "StopTimeout"}));
    }
  }
  return Remove(old, stop_seconds);
}

absl::Status Replacement::Remove(const v1::Container& container, int stop_seconds) {
  scope_.Report("removing", container.name());
  RETURN_IF_ERROR(
      StopGently(scope_.engine, scope_.clock, container.id(), "", stop_seconds, scope_.limits));
  return RemoveOwned(scope_.engine, scope_.records, container.id(), scope_.limits);
}

absl::Status Replacement::PutOldBack(const v1::Container& old) {
  scope_.Report("restoring", name_);
  scope_.outcome.set_container_id(old.id());
  return PutBack(scope_, old.id(), name_, request_.restart_policy(), request_.leave_stopped(),
                 scope_.limits);
}

absl::Status Replacement::KeepNew() {
  // The controller has judged by an older look: an exit since then is seen here.
  const Found& fresh = coming_ ? coming_ : current_;
  const bool is_pair = fresh && (coming_ || going_);
  if (is_pair && request_.must_run() && !RunsOrIsDone(*fresh)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the new container of ", name_, " does not run: the old one is kept"));
  }
  if (coming_) RETURN_IF_ERROR(PassTheName());
  if (current_) scope_.outcome.set_container_id(current_->id());
  if (!going_) return absl::OkStatus();
  if (!current_) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", name_, " is gone: the old one is kept"));
  }
  return Retire(*going_);
}

absl::Status Replacement::KeepOld() {
  if (!coming_ && !going_) {
    if (!current_) {
      return absl::NotFoundError(
          absl::StrCat("neither ", name_, " nor its old container is there"));
    }
    scope_.outcome.set_container_id(current_->id());
    const std::optional<ContainerRecord> record = scope_.records.Find(current_->id());
    // Cut between the rename and the start: the record still says so.
    return record && record->aside ? PutOldBack(*current_) : absl::OkStatus();
  }
  if (!coming_ && current_ && IsUp(*going_)) {
    // The name had passed already, and what has it serves nobody.
    RETURN_IF_ERROR(Rename(*current_, resources::NewNameOf(name_)));
    coming_ = std::exchange(current_, std::nullopt);
  }
  const Found& old = current_ && coming_ ? current_ : going_;
  if (!old) {
    return absl::FailedPreconditionError(
        absl::StrCat("the old container of ", name_, " is gone: the new one is kept"));
  }
  Found& fresh = coming_ ? coming_ : current_;
  if (fresh) scope_.outcome.set_log_tail(ReadRedactedLogTail(scope_, fresh->id(), scope_.limits));
  if (coming_) {
    // The old one does not wait for the end of the other.
    RETURN_IF_ERROR(Rename(*coming_, resources::NewNameOf(name_)));
    RETURN_IF_ERROR(PutOldBack(*old));
    return Remove(*coming_, 0);
  }
  if (fresh) RETURN_IF_ERROR(Remove(*fresh, 0));
  return PutOldBack(*old);
}

}  // namespace

absl::Status FinishReplacement(ActionScope& scope, const v1::FinishReplacement& request) {
  Replacement replacement(scope, request);
  RETURN_IF_ERROR(replacement.Survey());
  return request.keep() == v1::FinishReplacement::KEEP_OLD ? replacement.KeepOld()
                                                           : replacement.KeepNew();
}

}  // namespace fairlead::agent
