#include "sync/vitals.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/backoff.h"

namespace fairlead::sync {
namespace {

constexpr absl::Duration kSeriesReset = absl::Minutes(10);

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

template <typename Spec>
void FillHealthRules(const Spec& spec, HealthRules& rules) {
  if (spec.has_health_timeout()) rules.timeout = FromProto(spec.health_timeout());
  if (spec.has_min_ready()) rules.min_ready = FromProto(spec.min_ready());
}

bool IsFinalPolicy(const std::string& policy) {
  return policy.empty() || policy == "no" || absl::StartsWith(policy, "on-failure");
}

Wellness RunningWellness(const v1::Container& container, const HealthRules& rules,
                         absl::Duration clock_offset, absl::Time now, absl::Time* ready_at) {
  switch (container.health()) {
    case v1::CONTAINER_HEALTH_HEALTHY:
      return Wellness::kHealthy;
    case v1::CONTAINER_HEALTH_STARTING:
      return Wellness::kStarting;
    case v1::CONTAINER_HEALTH_UNHEALTHY:
      return Wellness::kUnhealthy;
    default:
      break;
  }
  const absl::Time ready = FromHost(container.started_at(), clock_offset) + rules.min_ready;
  if (ready <= now) return Wellness::kHealthy;
  *ready_at = ready;
  return Wellness::kStarting;
}

}  // namespace

absl::Time FromProto(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

absl::Time FromHost(const google::protobuf::Timestamp& time, absl::Duration clock_offset) {
  return FromProto(time) - clock_offset;
}

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp proto;
  proto.set_seconds(absl::ToUnixSeconds(time));
  proto.set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(proto.seconds()))));
  return proto;
}

HealthRules HealthRulesOf(const v1::Resource& spec) {
  HealthRules rules;
  if (spec.has_deployment()) {
    FillHealthRules(spec.deployment(), rules);
    rules.exit_may_complete = spec.deployment().restart() == v1::RESTART_MODE_NO ||
                              spec.deployment().restart() == v1::RESTART_MODE_ON_FAILURE;
  } else if (spec.has_stack()) {
    FillHealthRules(spec.stack(), rules);
    rules.by_container = true;
  }
  return rules;
}

Wellness ComputeWellness(const v1::Container& container, const HealthRules& rules,
                         absl::Duration clock_offset, absl::Time now, absl::Time* ready_at) {
  switch (container.state()) {
    case v1::CONTAINER_STATE_RUNNING:
      return RunningWellness(container, rules, clock_offset, now, ready_at);
    case v1::CONTAINER_STATE_RESTARTING:
    case v1::CONTAINER_STATE_REMOVING:
    case v1::CONTAINER_STATE_UNSPECIFIED:
      return Wellness::kInTransit;
    case v1::CONTAINER_STATE_EXITED: {
      const bool may_complete =
          rules.by_container ? IsFinalPolicy(container.restart_policy()) : rules.exit_may_complete;
      const bool own_end =
          container.exit_code() == 0 && !container.killed() && !container.oom_killed();
      return may_complete && own_end ? Wellness::kCompleted : Wellness::kDown;
    }
    default:
      return Wellness::kDown;
  }
}

const v1::Container* Vitals::worst() const {
  if (first_down != nullptr) return first_down;
  if (first_unhealthy != nullptr) return first_unhealthy;
  if (first_in_transit != nullptr) return first_in_transit;
  return first_starting;
}

Vitals ComputeVitals(absl::Span<const v1::Container* const> containers, const HealthRules& rules,
                     absl::Duration clock_offset, absl::Time now) {
  Vitals vitals;
  const auto count = [](const v1::Container* container, int& sort, const v1::Container*& first) {
    ++sort;
    if (first == nullptr) first = container;
  };
  for (const v1::Container* container : containers) {
    absl::Time ready_at = absl::InfiniteFuture();
    switch (ComputeWellness(*container, rules, clock_offset, now, &ready_at)) {
      case Wellness::kHealthy:
        ++vitals.healthy;
        break;
      case Wellness::kCompleted:
        ++vitals.completed;
        break;
      case Wellness::kStarting:
        count(container, vitals.starting, vitals.first_starting);
        break;
      case Wellness::kUnhealthy:
        count(container, vitals.unhealthy, vitals.first_unhealthy);
        break;
      case Wellness::kInTransit:
        count(container, vitals.in_transit, vitals.first_in_transit);
        break;
      case Wellness::kDown:
        count(container, vitals.down, vitals.first_down);
        break;
    }
    vitals.ready_at = std::min(vitals.ready_at, ready_at);
  }
  return vitals;
}

std::string HealthFailureOf(const v1::Container& container) {
  return container.health_failure().empty() ? "" : absl::StrCat(": ", container.health_failure());
}

std::string DescribeContainer(const v1::Container& container) {
  switch (container.state()) {
    case v1::CONTAINER_STATE_CREATED:
      return "was never started";
    case v1::CONTAINER_STATE_PAUSED:
      return "is paused";
    case v1::CONTAINER_STATE_RESTARTING:
      return absl::StrCat("restarts, the last time after exit code ", container.exit_code());
    case v1::CONTAINER_STATE_REMOVING:
      return "is being removed";
    case v1::CONTAINER_STATE_DEAD:
      return "is dead";
    case v1::CONTAINER_STATE_EXITED:
      return absl::StrCat(container.killed() ? "was stopped, exit code " : "exited with ",
                          container.exit_code(), container.oom_killed() ? ", out of memory" : "");
    case v1::CONTAINER_STATE_RUNNING:
      break;
    default:
      return "is in an unknown state";
  }
  if (container.health() == v1::CONTAINER_HEALTH_HEALTHY) return "is healthy";
  return absl::StrCat(
      container.health() == v1::CONTAINER_HEALTH_UNHEALTHY ? "is unhealthy" : "is not healthy yet",
      HealthFailureOf(container));
}

absl::Time FirstDeadline(absl::Span<const v1::Container* const> containers,
                         const v1::InventoryEntry& inventory, const HealthRules& rules,
                         absl::Duration clock_offset, absl::Time now) {
  absl::Time first = absl::InfinitePast();
  for (const v1::Container* container : containers) {
    const absl::Time created = FromHost(container->created_at(), clock_offset);
    absl::Time start = created;
    bool restarted = container->restart_count() > 0;
    for (const auto& restart : inventory.restarts()) {
      // One to come was written before the clock was set back.
      if (FromProto(restart) < created || FromProto(restart) > now) continue;
      if (!restarted) start = FromProto(restart);
      restarted = true;
      break;
    }
    if (!restarted && container->has_started_at()) {
      start = std::max(created, FromHost(container->started_at(), clock_offset));
    }
    first = std::max(first, start);
  }
  if (containers.empty() && inventory.has_applied_at()) first = FromProto(inventory.applied_at());
  return first + rules.timeout;
}

RestartBackoff ComputeRestartBackoff(const v1::InventoryEntry* inventory,
                                     const v1::Container& container, absl::Duration clock_offset,
                                     absl::Time now) {
  RestartBackoff backoff;
  if (inventory == nullptr || inventory->restarts().empty()) return backoff;
  const base::BackoffPolicy policy;
  const absl::Time started = FromHost(container.started_at(), clock_offset);
  const bool has_ended =
      container.has_finished_at() && container.state() != v1::CONTAINER_STATE_RUNNING;
  const absl::Time ended =
      has_ended ? std::min(FromHost(container.finished_at(), clock_offset), now) : now;
  if (container.has_started_at() && ended - started >= kSeriesReset) return backoff;
  // One to come was written before the clock was set back; it came before the end that it led to.
  const auto time_of = [&](const google::protobuf::Timestamp& restart) {
    return FromProto(restart) > now ? ended : FromProto(restart);
  };
  // A restart belongs to the series when it came soon after the one before, its delay included.
  absl::Time later = std::max(ended, time_of(*inventory->restarts().rbegin()));
  for (auto it = inventory->restarts().rbegin(); it != inventory->restarts().rend(); ++it) {
    const absl::Time at = time_of(*it);
    if (later - at > kSeriesReset + policy.maximum) break;
    ++backoff.restarts;
    later = at;
  }
  if (backoff.restarts == 0) return backoff;
  const absl::Time last = time_of(*inventory->restarts().rbegin());
  const absl::Time from = has_ended ? std::max(last, ended) : last;
  backoff.next = from + base::ComputeDelay(policy, backoff.restarts);
  return backoff;
}

}  // namespace fairlead::sync
