// Taking over a compose project that somebody else made.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "agent/owned_container.h"
#include "agent/stack_update.h"
#include "base/status.h"

namespace fairlead::agent {

absl::Status StackUpdate::Adopt() {
  RETURN_IF_ERROR(ReadRecord());
  RETURN_IF_ERROR(Survey());
  if (present_.empty()) {
    return absl::NotFoundError(
        absl::StrCat("compose project ", request_.project(), " has no container"));
  }
  RETURN_IF_ERROR(RefuseOwners());
  RETURN_IF_ERROR(Surround());
  RETURN_IF_ERROR(Analyse());
  ASSIGN_OR_RETURN(const auto hashes, compose_.ServiceHashes(scope_, request_.project(), input_));
  const std::vector<std::string> differences = Differences(hashes);
  if (!differences.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("compose project ", request_.project(),
                     " differs from its declaration: ", absl::StrJoin(differences, "; ")));
  }
  for (const ComposeService& service : services_) {
    for (const Present& present : present_[service.name]) {
      // Labelled ones are of an earlier time and keep what they say.
      if (!present.container.installation().empty() && !present.container.adopted()) continue;
      RETURN_IF_ERROR(
          scope_.records.Put(present.container.id(), {.resource = scope_.action.resource(),
                                                      .spec_hash = service.hash,
                                                      .action = scope_.action.id(),
                                                      .adopted = true}));
    }
  }
  return Record();
}

absl::Status StackUpdate::RefuseOwners() const {
  for (const auto& [service, containers] : present_) {
    for (const Present& present : containers) {
      const v1::Container& container = present.container;
      if (container.installation().empty() || IsOurs(container)) continue;
      return absl::FailedPreconditionError(
          absl::StrCat("container ", container.name(), " belongs to ", container.resource(),
                       " of installation ", container.installation()));
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> StackUpdate::Differences(
    const std::map<std::string, std::string>& hashes) const {
  std::vector<std::string> differences;
  for (const auto& [name, containers] : present_) {
    if (IsGone(name)) differences.push_back(absl::StrCat("service ", name, " is not declared"));
  }
  for (const ComposeService& service : services_) {
    const auto found = present_.find(service.name);
    const std::size_t count = found == present_.end() ? 0 : found->second.size();
    const std::string what = absl::StrCat("service ", service.name);
    if (static_cast<int>(count) != service.replicas) {
      differences.push_back(absl::StrCat(what, ": ", count, " containers, not ", service.replicas));
      continue;
    }
    if (count == 0) continue;
    const auto hash = hashes.find(service.name);
    for (const Present& present : found->second) {
      if (hash == hashes.end() || hash->second != present.compose_hash) {
        differences.push_back(absl::StrCat(what, ": its definition or its image"));
        break;
      }
      if (!IsUp(present.container) && !IsCompleted(present.container)) {
        differences.push_back(absl::StrCat(what, ": ", present.container.name(), " does not run"));
      }
    }
  }
  return differences;
}

bool StackUpdate::StaysAdopted(const ComposeService& service) const {
  const auto found = present_.find(service.name);
  if (found == present_.end() || forced_.contains(service.name) || request_.destroy_first()) {
    return false;
  }
  return static_cast<int>(found->second.size()) == service.replicas &&
         std::all_of(found->second.begin(), found->second.end(), [&](const Present& present) {
           return present.container.adopted() && HasHash(present, service);
         });
}

}  // namespace fairlead::agent
