#include "controller/declared_users.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/proto_time.h"

namespace fairlead::controller {
namespace {

constexpr absl::Duration kRetry = absl::Seconds(5);
constexpr char kKey[] = "users";

// Without the time at which they are made.
access::DeclaredUsers UsersOf(const sync::DesiredState& desired) {
  access::DeclaredUsers users;
  // Where nothing would be pruned nobody is disabled either.
  for (const auto& [origin, source] : desired.sources) {
    if (!source.prune_blocker.empty()) users.unreadable_origins.insert(origin);
  }
  for (auto at = desired.resources.lower_bound({"user", ""});
       at != desired.resources.end() && at->first.kind == "user"; ++at) {
    const sync::DesiredResource& resource = *at->second;
    if (resource.invalid || resource.spec == nullptr) {
      users.unreadable.insert(resource.id.name);
      continue;
    }
    const v1::User& declared = resource.spec->user();
    v1::LocalUser& user = users.users.emplace_back();
    user.set_name(resource.id.name);
    user.set_disabled(!declared.enabled());
    *user.mutable_groups() = declared.groups();
    user.set_declared_by(resource.origin);
    user.set_created_by(resource.origin);
  }
  return users;
}

std::string TextOf(const access::DeclaredUsers& users) {
  std::string text;
  for (const v1::LocalUser& user : users.users) {
    absl::StrAppend(&text, user.SerializeAsString(), "\n");
  }
  for (const std::string& name : users.unreadable) absl::StrAppend(&text, "?", name, "\n");
  for (const std::string& origin : users.unreadable_origins) {
    absl::StrAppend(&text, "!", origin, "\n");
  }
  return text;
}

std::vector<access::Subject> SubjectsOf(const loop::LoopView& view) {
  std::vector<access::Subject> subjects;
  for (const auto& [id, desired] : view.input.desired->resources) {
    access::Subject& subject = subjects.emplace_back(access::Subject{id.kind, id.name, {}});
    if (desired->spec == nullptr) continue;
    subject.tags.assign(desired->spec->tags().begin(), desired->spec->tags().end());
  }
  return subjects;
}

}  // namespace

void DeclaredGroups::Follow(const sync::DesiredState& desired) {
  std::map<resources::ResourceId, std::shared_ptr<const v1::Resource>> known;
  is_complete_ = desired.complete;
  for (auto at = desired.resources.lower_bound({"user", ""});
       at != desired.resources.end() &&
       (at->first.kind == "user" || at->first.kind == "user_group");
       ++at) {
    std::shared_ptr<const v1::Resource> spec = at->second->spec;
    const auto before = known_.find(at->first);
    if (spec == nullptr && before != known_.end()) spec = before->second;
    if (spec != nullptr) {
      known[at->first] = std::move(spec);
    } else {
      is_complete_ = false;
    }
  }
  known_ = std::move(known);
}

std::vector<v1::Resource> DeclaredGroups::All() const {
  std::vector<v1::Resource> all;
  all.reserve(known_.size());
  for (const auto& [id, spec] : known_) all.push_back(*spec);
  return all;
}

void DeclaredUsers::Follow(const loop::LoopView& view) {
  groups_.Follow(*view.input.desired);
  access_.gate().SetDeclared(groups_.All(), SubjectsOf(view), groups_.is_complete());
  if (!view.input.desired->complete) return;
  access::DeclaredUsers users = UsersOf(*view.input.desired);
  // Even with none: who was declared before may not be any more.
  std::string text = absl::StrCat("users:\n", TextOf(users));
  {
    base::MutexLock lock(mutex_);
    if (text == text_) return;
    text_ = std::move(text);
    wanted_ = std::move(users);
  }
  queue_.Add(kKey);
}

void DeclaredUsers::Work() {
  access::DeclaredUsers wanted;
  {
    base::MutexLock lock(mutex_);
    wanted = wanted_;
  }
  for (v1::LocalUser& user : wanted.users) {
    *user.mutable_created() = base::ToProto(clock_.Now());
  }
  const auto changes = access_.directory().SetDeclared(wanted);
  if (!changes.ok()) {
    if (last_error_ != changes.status().message()) {
      last_error_ = std::string(changes.status().message());
      base::LogWarning("access", "users are not as declared yet: ", last_error_);
    }
    queue_.Add(kKey, kRetry);
    return;
  }
  last_error_.clear();
  const auto identities = access_.directory().identities();
  for (const access::UserChange& change : *changes) {
    // Enabled again, what was begun before does not go on.
    if (identities->ActiveUser(change.user) == nullptr) {
      access_.sessions().EndAllOf(change.user, "");
    }
    Tell(change);
  }
}

void DeclaredUsers::Tell(const access::UserChange& change) {
  base::LogInfo("access", "user ", change.user, ": ", change.text);
  reconciler_.Post([change](loop::Core& core, absl::Time now) {
    v1::Event event;
    event.set_resource(absl::StrCat("user/", change.user));
    event.set_type("user-declared");
    event.set_warning(change.is_warning);
    event.set_message(change.text);
    core.AddEvent(std::move(event), now);
  });
}

}  // namespace fairlead::controller
