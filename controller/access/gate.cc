#include "controller/access/gate.h"

#include <algorithm>
#include <utility>

#include <google/protobuf/util/message_differencer.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/log.h"
#include "base/status.h"

namespace fairlead::access {
namespace {

constexpr absl::string_view kRunPrefix = "run/";
constexpr absl::string_view kSystem = "system";

// Named also when nothing is allowed: a certificate of that name may not do everything then.
Policy::Group PersonalGroup(const v1::Resource& resource) {
  const v1::User& declared = resource.user();
  Policy::Group group{.users = {resource.name()}};
  if (!declared.enabled()) return group;
  absl::StatusOr<Grants> grants = Grants::Compile(declared.all(), declared.permissions());
  if (grants.ok()) {
    group.grants = *std::move(grants);
  } else {
    base::LogWarning("access", "user \"", resource.name(),
                     "\" is allowed nothing of its own: ", grants.status().message());
  }
  return group;
}

std::vector<Policy::Group> Compile(const std::vector<v1::Resource>& user_groups) {
  std::vector<Policy::Group> groups;
  for (const v1::Resource& resource : user_groups) {
    if (resource.has_user()) {
      groups.push_back(PersonalGroup(resource));
      continue;
    }
    const v1::UserGroup& declared = resource.user_group();
    absl::StatusOr<Grants> grants = Grants::Compile(declared.all(), declared.permissions());
    if (!grants.ok()) {
      // Less is allowed, never more: whom it names stays named.
      base::LogWarning("access", "user_group \"", resource.name(),
                       "\" allows nothing: ", grants.status().message());
      grants = Grants();
    }
    groups.push_back({.name = resource.name(),
                      .everyone = declared.everyone(),
                      .users = {declared.users().begin(), declared.users().end()},
                      .grants = *std::move(grants)});
  }
  return groups;
}

bool AreEqual(const std::vector<v1::Resource>& a, const std::vector<v1::Resource>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const v1::Resource& x, const v1::Resource& y) {
                      return google::protobuf::util::MessageDifferencer::Equals(x, y);
                    });
}

bool AreSame(const std::vector<Subject>& a, const std::vector<Subject>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Subject& x, const Subject& y) {
    return x.kind == y.kind && x.name == y.name && x.tags == y.tags;
  });
}

bool IsPerson(const Caller& caller) {
  return caller.kind != Caller::Kind::kAgent && caller.kind != Caller::Kind::kNobody;
}

absl::Status Denied(const Caller& caller, Right needed, absl::string_view what) {
  return absl::PermissionDeniedError(absl::StrCat(caller.Text(), " may not do this: it needs \"",
                                                  needed.Text(), "\" on ", what,
                                                  "; a user_group or an admin can give it"));
}

}  // namespace

Rights Rights::Everything() {
  Rights rights;
  rights.everything_ = true;
  return rights;
}

void Rights::LimitTo(std::shared_ptr<const Policy> policy,
                     std::shared_ptr<const Identities> identities, const KnownKey* key) {
  policy_ = std::move(policy);
  identities_ = std::move(identities);
  limit_ = key;
}

Right Rights::Of(absl::string_view resource) const {
  Right right;
  if (everything_) {
    right = Right::All();
  } else if (policy_ != nullptr) {
    right = policy_->Of(groups_, resource);
  }
  if (limit_ == nullptr || right.empty()) return right;
  return right.And(limit_->grants.Of(policy_->SubjectOf(resource)));
}

Right Rights::OfKind(absl::string_view kind) const {
  Right right;
  if (everything_) {
    right = Right::All();
  } else if (policy_ != nullptr) {
    right = policy_->OfKind(groups_, kind);
  }
  return limit_ == nullptr ? right : right.And(limit_->grants.OfKind(kind));
}

bool Rights::nothing() const {
  if (limit_ != nullptr && limit_->grants.empty()) return true;
  if (everything_) return false;
  return policy_ == nullptr || policy_->AllowsNothing(groups_);
}

Gate::Gate(Authenticator& authenticator, Directory& directory, base::Clock& clock, FindRun find_run,
           const CallRateLimits& rates, const Rules& rules)
    : authenticator_(authenticator),
      directory_(directory),
      clock_(clock),
      find_run_(std::move(find_run)),
      rules_(rules),
      rates_(rates),
      policy_(std::make_shared<const Policy>()) {}

void Gate::SetDeclared(std::vector<v1::Resource> user_groups, std::vector<Subject> subjects,
                       bool is_complete) {
  {
    base::MutexLock lock(mutex_);
    // Most commits change neither.
    if (AreEqual(user_groups_, user_groups) && AreSame(subjects_, subjects)) {
      was_complete_ = was_complete_ || is_complete;
      return;
    }
  }
  auto made = std::make_shared<const Policy>(Compile(user_groups), subjects);
  base::MutexLock lock(mutex_);
  policy_ = std::move(made);
  user_groups_ = std::move(user_groups);
  subjects_ = std::move(subjects);
  was_complete_ = was_complete_ || is_complete;
}

bool Gate::MustWait(const Caller& caller) const {
  if (caller.kind != Caller::Kind::kCertificate || caller.name == kOperator) return false;
  {
    base::MutexLock lock(mutex_);
    if (was_complete_) return false;
  }
  return !directory_.identities()->users.contains(caller.name);
}

absl::Status Gate::CheckStarted(const Caller& caller) const {
  if (!MustWait(caller)) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("the controller has not read all user groups yet, and one may name ",
                   caller.Text(), "; try again later, or with a certificate that names no user"));
}

std::shared_ptr<const Policy> Gate::policy() const {
  base::MutexLock lock(mutex_);
  return policy_;
}

Rights Gate::RightsOf(const Caller& caller) const {
  // Before the policy is taken, which may be complete a moment later.
  if (MustWait(caller)) return {};
  const std::shared_ptr<const Policy> policy = this->policy();
  const std::shared_ptr<const Identities> identities = directory_.identities();
  const auto of_user = [&](const std::string& name) {
    const v1::LocalUser* const user = identities->ActiveUser(name);
    if (user == nullptr) return Rights();
    if (user->admin()) return Rights::Everything();
    return Rights(policy, policy->GroupsOf(name, {user->groups().begin(), user->groups().end()}));
  };
  switch (caller.kind) {
    case Caller::Kind::kDev:
      return Rights::Everything();
    case Caller::Kind::kCertificate:
      if (identities->users.contains(caller.name)) return of_user(caller.name);
      // The operator's own authority has vouched for whom no group limits.
      if (!policy->Names(caller.name)) return Rights::Everything();
      return {policy, policy->GroupsOf(caller.name, {})};
    case Caller::Kind::kUser:
      return of_user(caller.name);
    case Caller::Kind::kOidc:
      // The name of a local user is that one's alone.
      if (identities->users.contains(caller.name)) return {};
      return {policy, policy->GroupsOf(caller.name, caller.groups)};
    case Caller::Kind::kKey: {
      const KnownKey* const key = identities->ActiveKey(caller.key_id, clock_.Now());
      if (key == nullptr) return {};
      Rights rights =
          key->record.user().empty() ? Rights::Everything() : of_user(key->record.user());
      if (key->is_limited) rights.LimitTo(policy, identities, key);
      return rights;
    }
    case Caller::Kind::kAgent:
    case Caller::Kind::kNobody:
      break;
  }
  return {};
}

absl::Status Gate::Check(const Caller& caller, Right needed, absl::string_view resource) const {
  RETURN_IF_ERROR(CheckStarted(caller));
  const Rights rights = RightsOf(caller);
  const Right right = resource.empty() ? rights.OfKind(kSystem) : rights.Of(resource);
  if (right.Covers(needed)) return absl::OkStatus();
  return Denied(caller, needed, resource.empty() ? "the controller (type System)" : resource);
}

bool Gate::MayRead(const Caller& caller, absl::string_view resource) const {
  return Check(caller, Right(v1::PERMISSION_LEVEL_READ), resource).ok();
}

std::vector<std::string> Gate::GroupsOf(const Caller& caller) const {
  const std::shared_ptr<const Policy> policy = this->policy();
  const std::shared_ptr<const Identities> identities = directory_.identities();
  std::vector<std::string> more = caller.groups;
  if (const v1::LocalUser* const user = identities->ActiveUser(caller.name)) {
    more.assign(user->groups().begin(), user->groups().end());
  }
  std::vector<std::string> names;
  for (const std::size_t group : policy->GroupsOf(caller.name, more)) {
    if (!policy->NameOf(group).empty()) names.push_back(policy->NameOf(group));
  }
  return names;
}

bool Gate::IsAdmin(const Caller& caller) const {
  return RightsOf(caller).OfKind(kSystem).Covers(Right::All());
}

Admission Gate::Admit(const std::string& method, const google::protobuf::Message& request,
                      const Credentials& credentials) {
  Admission admission;
  admission.caller.address = credentials.address;
  admission.rule = rules_.Find(method);
  if (admission.rule == nullptr) {
    admission.status = absl::InternalError(absl::StrCat("no rule says who may call ", method));
    return admission;
  }
  const Rule& rule = *admission.rule;
  absl::Status unproven;
  if (rule.target != Target::kOpen) {
    absl::StatusOr<Caller> caller = authenticator_.Authenticate(credentials);
    unproven = caller.status();
    if (caller.ok()) admission.caller = *std::move(caller);
  }
  bool is_news = false;
  admission.status = CheckRate(admission.caller, &is_news);
  if (!admission.status.ok()) {
    admission.is_told = !is_news;
    return admission;
  }
  admission.status = unproven;
  if (!unproven.ok() || rule.target == Target::kOpen) return admission;
  if (events_.on_proven) events_.on_proven(credentials.peer);
  admission.status = Decide(rule, AskedOf(rule, request), admission);
  return admission;
}

absl::Status Gate::CheckRate(const Caller& caller, bool* is_news) {
  const CallRates::Answer answer = rates_.Take(RateIdentity(caller), clock_.Uptime());
  if (answer.wait == absl::ZeroDuration()) return absl::OkStatus();
  if (events_.on_limited) events_.on_limited();
  if (is_news != nullptr) *is_news = answer.is_news;
  return absl::ResourceExhaustedError(absl::StrCat(
      "too many calls by ", caller.kind == Caller::Kind::kNobody ? caller.address : caller.Text(),
      ": at most ", rates_.limits().per_second, " a second (--calls-per-second); try again in ",
      absl::FormatDuration(absl::Ceil(answer.wait, absl::Seconds(1)))));
}

absl::Status Gate::Decide(const Rule& rule, const Asked& asked, Admission& admission) const {
  const Caller& caller = admission.caller;
  if (rule.target == Target::kAgent) {
    return caller.kind == Caller::Kind::kAgent || caller.kind == Caller::Kind::kDev
               ? absl::OkStatus()
               : absl::PermissionDeniedError(absl::StrCat(caller.Text(), " is no agent"));
  }
  if (!IsPerson(caller)) {
    return absl::PermissionDeniedError(absl::StrCat("the certificate of fairlead://server/",
                                                    caller.name, " is for the agent alone"));
  }
  admission.resource = asked.resource;
  if (rule.target == Target::kSelf) return absl::OkStatus();
  if (rule.target == Target::kSystem) return Check(caller, rule.needed, "");
  RETURN_IF_ERROR(CheckStarted(caller));
  const Rights rights = RightsOf(caller);
  if (rights.nothing()) {
    return absl::PermissionDeniedError(absl::StrCat(
        caller.Text(), " may do nothing yet: a user_group must name it, or an admin make it one"));
  }
  if (!asked.all_of.empty()) {
    if (rights.OfKind(asked.all_of).Covers(rule.needed)) return absl::OkStatus();
    return Denied(caller, rule.needed, absl::StrCat("every ", asked.all_of, "; or name one"));
  }
  absl::string_view resource = admission.resource;
  if (absl::ConsumePrefix(&resource, kRunPrefix)) {
    const absl::StatusOr<std::string> of_run = find_run_(std::string(resource));
    // The handler says that there is none.
    if (!of_run.ok()) return absl::IsNotFound(of_run.status()) ? absl::OkStatus() : of_run.status();
    admission.resource = *of_run;
  }
  const bool is_list = rule.target == Target::kList || rule.target == Target::kInside;
  if (admission.resource.empty() && is_list) return absl::OkStatus();
  if (rights.Of(admission.resource).Covers(rule.needed)) return absl::OkStatus();
  return Denied(caller, rule.needed,
                admission.resource.empty() ? "what it names: nothing" : admission.resource);
}

}  // namespace fairlead::access
