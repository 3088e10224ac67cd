#include "agent/autonomous_heal.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/backoff.h"
#include "base/proto_time.h"
#include "resources/replacement_names.h"

namespace fairlead::agent {
namespace {

// A controller that is restarted is back by then.
constexpr absl::Duration kPatience = absl::Seconds(5);
// The rules of crash loops: docs/sync-semantics.md.
constexpr absl::Duration kSeriesReset = absl::Minutes(10);

// Exit code 0 may be the end of the work.
bool IsJobPolicy(absl::string_view policy) {
  return policy.empty() || policy == "no" || absl::StartsWith(policy, "on-failure");
}

bool IsCompleted(const v1::Container& container) {
  return container.state() == v1::CONTAINER_STATE_EXITED && container.exit_code() == 0 &&
         !container.killed() && !container.oom_killed() && IsJobPolicy(container.restart_policy());
}

// Does not run, and neither Docker nor its own end says that it should not.
bool IsDown(const v1::Container& container) {
  switch (container.state()) {
    case v1::CONTAINER_STATE_EXITED:
      return !IsCompleted(container);
    case v1::CONTAINER_STATE_CREATED:
    case v1::CONTAINER_STATE_PAUSED:
    case v1::CONTAINER_STATE_DEAD:
      return true;
    default:
      return false;
  }
}

std::string DescribeDown(const v1::Container& container) {
  switch (container.state()) {
    case v1::CONTAINER_STATE_CREATED:
      return "was never started";
    case v1::CONTAINER_STATE_PAUSED:
      return "is paused";
    case v1::CONTAINER_STATE_DEAD:
      return "is dead";
    default:
      return absl::StrCat(container.killed() ? "was stopped, exit code " : "exited with ",
                          container.exit_code(), container.oom_killed() ? ", out of memory" : "");
  }
}

// Something to heal: why, and the container that shows it, if it is there.
struct Finding {
  std::string reason;
  const v1::Container* container = nullptr;
};

using Containers = std::vector<const v1::Container*>;

std::optional<Finding> ExamineContainer(const v1::Action& applied, const Containers& containers) {
  const std::string& name = applied.apply_container().spec().name();
  const v1::Container* current = nullptr;
  for (const v1::Container* container : containers) {
    // A replacement is under way: the controller ends it.
    if (resources::PartOf(container->name(), name) != resources::ReplacementPart::kNone) {
      return std::nullopt;
    }
    if (container->spec_hash() == applied.spec_hash()) current = container;
  }
  if (current != nullptr) {
    if (!IsDown(*current)) return std::nullopt;
    return Finding{DescribeDown(*current), current};
  }
  // Of another spec, or a job that may have ended.
  if (!containers.empty() || IsJobPolicy(applied.apply_container().spec().restart_policy())) {
    return std::nullopt;
  }
  return Finding{"was removed", nullptr};
}

std::optional<Finding> ExamineStack(const v1::Action& applied, const v1::HostState& host,
                                    const Containers& containers) {
  const auto project =
      std::find_if(host.projects().begin(), host.projects().end(), [&](const v1::Project& one) {
        return one.resource() == applied.resource() && one.spec_hash() == applied.spec_hash();
      });
  if (project == host.projects().end()) return std::nullopt;
  for (const v1::Project::Service& service : project->services()) {
    if (service.ignored()) continue;
    int there = 0;
    for (const v1::Container* container : containers) {
      if (container->compose_service() != service.name()) continue;
      ++there;
      if (!IsDown(*container)) continue;
      return Finding{absl::StrCat("service ", service.name(), ": ", DescribeDown(*container)),
                     container};
    }
    if (there < service.replicas()) {
      return Finding{absl::StrCat("service ", service.name(), ": ", there, " of ",
                                  service.replicas(), " containers"),
                     nullptr};
    }
  }
  return std::nullopt;
}

// When the next heal of a series may come.
absl::Time NextHeal(const std::vector<absl::Time>& heals, const v1::Container* container,
                    absl::Time now) {
  if (heals.empty()) return absl::InfinitePast();
  const base::BackoffPolicy policy;
  const bool has_ended = container != nullptr && container->has_finished_at();
  const absl::Time ended =
      has_ended ? std::min(base::FromProto(container->finished_at()), now) : now;
  if (has_ended && container->has_started_at() &&
      ended - base::FromProto(container->started_at()) >= kSeriesReset) {
    return absl::InfinitePast();
  }
  int series = 0;
  absl::Time later = std::max(ended, heals.back());
  for (auto heal = heals.rbegin(); heal != heals.rend(); ++heal) {
    if (later - *heal > kSeriesReset + policy.maximum) break;
    ++series;
    later = *heal;
  }
  if (series == 0) return absl::InfinitePast();
  return std::max(heals.back(), has_ended ? ended : heals.back()) +
         base::ComputeDelay(policy, series);
}

v1::Action ActionOf(const v1::AppliedBody& body, const Finding& finding) {
  v1::Action action = body.action();
  if (action.has_apply_container() && finding.container != nullptr) {
    // Not the body: where that cannot be started, the container is given up.
    action.set_id(absl::StrCat(action.id(), "-start"));
    action.mutable_start();
    return action;
  }
  const bool is_stack = action.has_apply_stack();
  v1::PullPolicy pull = is_stack ? action.apply_stack().pull() : action.apply_container().pull();
  // What is under the image's name in the registry by now is not what was applied.
  if (pull == v1::PULL_POLICY_ALWAYS) pull = v1::PULL_POLICY_MISSING;
  if (is_stack) {
    action.mutable_apply_stack()->set_pull(pull);
    action.mutable_apply_stack()->set_destroy_first(false);
    // Commands around a deploy are for deploys that somebody asked for.
    action.mutable_apply_stack()->clear_pre_deploy();
    action.mutable_apply_stack()->clear_post_deploy();
  } else {
    action.mutable_apply_container()->set_pull(pull);
  }
  return action;
}

std::map<std::string, Containers> ByResource(const AutonomyFacts& facts) {
  std::map<std::string, Containers> found;
  for (const v1::Container& container : facts.host.containers()) {
    if (container.resource().empty() || container.installation() != facts.installation) continue;
    found[container.resource()].push_back(&container);
  }
  return found;
}

}  // namespace

std::optional<v1::AppliedBody> BodyWhenBegun(const std::optional<v1::AppliedBody>& before,
                                             const v1::Action& action) {
  if (action.has_remove_stack() || (action.has_remove() && action.remove().ids().empty())) {
    return std::nullopt;
  }
  std::optional<v1::AppliedBody> body = before;
  if (body && action.has_stop()) body->set_stopped(true);
  return body;
}

std::optional<v1::AppliedBody> BodyWhenDone(const std::optional<v1::AppliedBody>& before,
                                            const v1::Action& action) {
  std::optional<v1::AppliedBody> body = before;
  switch (action.body_case()) {
    case v1::Action::kApplyContainer:
    case v1::Action::kApplyStack: {
      v1::AppliedBody made;
      *made.mutable_action() = action;
      made.set_stopped(action.has_apply_stack() ? action.apply_stack().leave_stopped()
                                                : action.apply_container().leave_stopped());
      const bool replaces = action.has_apply_container() && before &&
                            before->action().spec_hash() != action.spec_hash();
      if (replaces) *made.mutable_previous() = before->action();
      return made;
    }
    case v1::Action::kFinishReplacement:
      if (action.finish_replacement().keep() == v1::FinishReplacement::KEEP_OLD) {
        if (!body || !body->has_previous()) return std::nullopt;
        const v1::Action previous = body->previous();
        *body->mutable_action() = previous;
        body->set_stopped(action.finish_replacement().leave_stopped());
      }
      if (body) body->clear_previous();
      return body;
    case v1::Action::kStart:
    case v1::Action::kRestart:
      if (body) body->set_stopped(false);
      return body;
    case v1::Action::kUpdate:
      if (body && body->action().has_apply_container()) {
        body->mutable_action()->mutable_apply_container()->mutable_spec()->set_restart_policy(
            action.update().restart_policy());
      }
      return body;
    case v1::Action::kAdopt: {
      v1::AppliedBody adopted;
      *adopted.mutable_action() = action;
      *adopted.mutable_action()->mutable_apply_container()->mutable_spec() = action.adopt().spec();
      return adopted;
    }
    case v1::Action::kAdoptStack: {
      v1::AppliedBody adopted;
      *adopted.mutable_action() = action;
      *adopted.mutable_action()->mutable_apply_stack() = action.adopt_stack().stack();
      return adopted;
    }
    default:
      return BodyWhenBegun(before, action);
  }
}

AutonomousPlan DecideAutonomousHeal(const AutonomyFacts& facts, absl::Time now) {
  AutonomousPlan plan;
  const absl::Time end = facts.last_contact + base::FromProto(facts.terms.ttl());
  if (!facts.terms.heal() || now >= end || !facts.host.engine_up()) return plan;
  if (now < facts.alone_since + kPatience) {
    plan.wake = facts.alone_since + kPatience;
    return plan;
  }
  const std::set<std::string> left(facts.terms.leave_alone().begin(),
                                   facts.terms.leave_alone().end());
  const std::map<std::string, Containers> containers = ByResource(facts);
  for (const auto& [resource, body] : facts.bodies) {
    if (body.stopped() || left.contains(resource) || facts.open.contains(resource)) continue;
    const auto there = containers.find(resource);
    const Containers& members = there == containers.end() ? Containers() : there->second;
    const std::optional<Finding> finding = body.action().has_apply_stack()
                                               ? ExamineStack(body.action(), facts.host, members)
                                               : ExamineContainer(body.action(), members);
    if (!finding) continue;
    const auto heals = facts.heals.find(resource);
    const absl::Time next = heals == facts.heals.end()
                                ? absl::InfinitePast()
                                : NextHeal(heals->second, finding->container, now);
    if (next > now) {
      plan.wake = std::min(plan.wake, next);
    } else {
      plan.heals.push_back({ActionOf(body, *finding), finding->reason});
    }
  }
  return plan;
}

}  // namespace fairlead::agent
