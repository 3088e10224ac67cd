// Builds and repos: whether what they make is there.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "sync/classify.h"
#include "sync/made.h"

namespace fairlead::sync {
namespace {

using resources::ResourceId;

bool Acts(const DesiredState& desired, const ResourceId& id) {
  const auto found = desired.resources.find(id);
  if (found == desired.resources.end() || found->second->spec == nullptr) return false;
  const v1::Resource& spec = *found->second->spec;
  return spec.deploy() && !spec.template_() && !found->second->invalid &&
         spec.state() != v1::WANTED_STATE_ABSENT;
}

// The first of those that cannot go on without it; empty: nobody.
std::string UserOf(const Facts& facts) {
  const DesiredState& desired = *facts.input().desired;
  if (desired.image_users != nullptr) {
    const auto users = desired.image_users->find(facts.id);
    if (users != desired.image_users->end()) return users->second.front().ToString();
  }
  if (desired.dependents == nullptr) return "";
  const auto dependents = desired.dependents->find(facts.id);
  if (dependents == desired.dependents->end()) return "";
  for (const ResourceId& id : dependents->second) {
    if (Acts(desired, id)) return id.ToString();
  }
  return "";
}

// What there is of it.
struct Made {
  bool there = false;
  // Of the declaration as it is.
  bool fresh = false;
  std::string text;
  std::string server;
};

template <typename Records>
auto FindRecord(const Records& records, const std::string& key) {
  const auto found = records.find(key);
  return found == records.end() ? nullptr : &found->second;
}

Made MadeOf(const Facts& facts) {
  Made made;
  const std::string& wanted = facts.desired->spec_hash;
  if (facts.id.kind == "build") {
    const v1::BuildRecord* record = FindRecord(facts.input().builds, facts.key);
    if (record == nullptr) return made;
    made = {true, record->spec_hash() == wanted, DescribeBuild(*record), record->server()};
  } else {
    const v1::RepoRecord* record = FindRecord(facts.input().repos, facts.key);
    if (record == nullptr) return made;
    const bool there = facts.desired->spec == nullptr ||
                       facts.desired->spec->repo().server_id() == record->server();
    made = {there, there && record->spec_hash() == wanted,
            absl::StrCat(record->commit().substr(0, 7), " in ", record->directory()),
            record->server()};
  }
  return made;
}

const v1::FailedSpec* FailureOf(const Facts& facts) {
  const auto specs = facts.input().failed_specs.find(facts.key);
  if (specs == facts.input().failed_specs.end()) return nullptr;
  return FindRecord(specs->second, facts.desired->spec_hash);
}

}  // namespace

void DecideMade(const Facts& facts, Decision& decision) {
  const bool build = facts.id.kind == "build";
  if (facts.desired->invalid || facts.desired->spec == nullptr) {
    Rest(decision, v1::CONDITION_INVALID);
    return;
  }
  const Made made = MadeOf(facts);
  decision.server = made.server;
  decision.satisfied = made.fresh;
  const std::string command =
      absl::StrCat(build ? "fairlead build " : "fairlead run repo/", facts.id.name);
  if (const v1::FailedSpec* failure = FailureOf(facts)) {
    decision.degraded = true;
    Rest(decision, v1::CONDITION_DEGRADED,
         absl::StrCat(failure->reason(), made.there ? absl::StrCat("; there is ", made.text) : "",
                      "; to try again: ", command));
    return;
  }
  if (made.fresh) {
    Rest(decision, v1::CONDITION_CONVERGED, made.text);
    return;
  }
  decision.needed_by = UserOf(facts);
  const std::string state = !made.there ? (build ? "not built yet" : "not on its server yet")
                                        : absl::StrCat("declared otherwise since ", made.text);
  if (!decision.needed_by.empty()) {
    Rest(decision, v1::CONDITION_PROGRESSING,
         absl::StrCat(state, "; ", decision.needed_by, " needs it"));
    return;
  }
  // A repo may be there for others to read only.
  const bool is_source = !build && facts.desired->spec->repo().server_id().empty();
  Rest(decision, v1::CONDITION_READY,
       is_source ? std::string() : absl::StrCat(state, "; to do it now: ", command));
}

}  // namespace fairlead::sync
