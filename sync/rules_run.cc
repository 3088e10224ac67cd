// Rows 11 to 15: does it run as it should.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "sync/classify.h"

namespace fairlead::sync {
namespace {

// "service db: exited with 1" for one of several containers, "exited with 1" for the only one.
std::string Describe(const Facts& facts, const v1::Container& container) {
  if (facts.shape == Shape::kContainer) return DescribeContainer(container);
  return absl::StrCat("service ", container.compose_service(), ": ", DescribeContainer(container));
}

// Starts or restarts, at once or when the crash-loop backoff has passed.
void StartWithBackoff(const Facts& facts, v1::StepAction action, const v1::Container& container,
                      Decision& decision) {
  const RestartBackoff backoff =
      ComputeRestartBackoff(facts.inventory, container, facts.clock_offset(), facts.input().now);
  std::string reason = Describe(facts, container);
  Act(decision, action, reason,
      backoff.restarts > 0 ? v1::CONDITION_CRASH_LOOP : v1::CONDITION_PROGRESSING);
  if (backoff.next > facts.input().now) {
    SetUntil(decision, v1::Gate::KIND_BACKOFF, backoff.next,
             absl::StrCat("crash loop: ", reason, " after ", backoff.restarts,
                          backoff.restarts == 1 ? " restart" : " restarts"));
  }
}

// Unhealthy, or without an answer of its check, though its spec is known to be good: an engine that
// went down within the first check never asks again. Null: none.
const v1::Container* FirstWithoutHealth(const Facts& facts) {
  if (facts.vitals.first_unhealthy != nullptr || !facts.IsProven()) {
    return facts.vitals.first_unhealthy;
  }
  const v1::Container* const starting = facts.vitals.first_starting;
  const bool is_checked =
      starting != nullptr && starting->health() == v1::CONTAINER_HEALTH_STARTING;
  return is_checked ? starting : nullptr;
}

}  // namespace

bool DecideStop(const Facts& facts, Decision& decision) {
  if (facts.target.state != v1::WANTED_STATE_STOPPED) return false;
  const bool runs =
      std::any_of(facts.pair.members.begin(), facts.pair.members.end(), [](const auto* member) {
        return member->state() == v1::CONTAINER_STATE_RUNNING ||
               member->state() == v1::CONTAINER_STATE_PAUSED ||
               member->state() == v1::CONTAINER_STATE_RESTARTING;
      });
  if (!runs) return false;
  decision.heal = !facts.target.held && facts.inventory != nullptr &&
                  facts.inventory->has_applied() &&
                  facts.inventory->applied().state() == v1::WANTED_STATE_STOPPED;
  if (decision.heal && !facts.target.wish->heal()) {
    Report(decision, "runs and is wanted stopped");
    return true;
  }
  Act(decision, v1::STEP_ACTION_STOP,
      !facts.target.held ? std::string("state = \"stopped\"")
                         : absl::StrCat("held by ", facts.hold->who(), ": ", facts.hold->why()));
  return true;
}

bool DecideNotRunning(const Facts& facts, Decision& decision) {
  if (facts.target.state != v1::WANTED_STATE_RUNNING || facts.vitals.down == 0) return false;
  const v1::Container& down = *facts.vitals.first_down;
  if (facts.target.paused && down.state() == v1::CONTAINER_STATE_PAUSED) {
    Rest(decision, v1::CONDITION_STOPPED,
         absl::StrCat("paused by ", facts.hold->who(), ": ", facts.hold->why()));
    return true;
  }
  if (facts.input().now >= FirstDeadlineOf(facts)) {
    FailSpec(facts, decision, Describe(facts, down));
    return true;
  }
  const bool first_start = !down.has_started_at();
  decision.heal = !first_start && !facts.WasAppliedStopped();
  // Then its spec has failed, whether it is healed or not.
  decision.wake_at = std::min(decision.wake_at, FirstDeadlineOf(facts));
  if (decision.heal && !facts.target.wish->heal()) {
    Report(decision, Describe(facts, down));
    return true;
  }
  StartWithBackoff(facts, v1::STEP_ACTION_START, down, decision);
  return true;
}

bool DecideUnhealthy(const Facts& facts, Decision& decision) {
  if (facts.target.state != v1::WANTED_STATE_RUNNING || facts.vitals.IsWell()) return false;
  if (facts.input().now >= FirstDeadlineOf(facts)) {
    FailSpec(facts, decision,
             absl::StrCat("not healthy within ", absl::FormatDuration(facts.health.timeout), ": ",
                          Describe(facts, *facts.vitals.worst())));
    return true;
  }
  const v1::Container* const unhealthy = FirstWithoutHealth(facts);
  if (unhealthy == nullptr) return false;
  const absl::Time limit =
      FromHost(unhealthy->started_at(), facts.clock_offset()) + facts.health.timeout;
  if (facts.input().now < limit) {
    decision.wake_at = limit;
    return false;
  }
  decision.heal = true;
  decision.wake_at = std::min(decision.wake_at, FirstDeadlineOf(facts));
  if (!facts.target.wish->heal()) {
    Report(decision, Describe(facts, *unhealthy));
    return true;
  }
  StartWithBackoff(facts, v1::STEP_ACTION_RESTART, *unhealthy, decision);
  return true;
}

bool DecideExtra(const Facts& facts, Decision& decision) {
  if (facts.pair.extras.empty() && facts.pair.elsewhere.empty()) return false;
  decision.satisfied = facts.target.state == v1::WANTED_STATE_RUNNING && facts.vitals.IsWell();
  // The one in its role must be well before others go.
  if (facts.target.state == v1::WANTED_STATE_RUNNING && !decision.satisfied) return false;
  if (facts.inventory == nullptr || !facts.input().desired->complete) {
    Block(decision, v1::Gate::KIND_GUARD, v1::CONDITION_BLOCKED,
          facts.inventory == nullptr
              ? "extra containers stay until the resource is in the inventory"
              : "extra containers stay until every source has been read");
    return true;
  }
  if (!facts.pair.extras.empty()) {
    for (const v1::Container* extra : facts.pair.extras) {
      decision.container_ids.push_back(extra->id());
    }
    Act(decision, v1::STEP_ACTION_REMOVE_EXTRA, "containers of it without a role");
    return true;
  }
  for (const Presence::Place& place : facts.pair.elsewhere) {
    if (!place.host->online || !place.host->engine_up) continue;
    for (const v1::Container* extra : place.owned->containers) {
      decision.container_ids.push_back(extra->id());
    }
    decision.server = place.host->server;
    Act(decision, v1::STEP_ACTION_REMOVE_EXTRA,
        absl::StrCat("containers of it on ", place.host->server, ", where it is not to be"));
    return true;
  }
  return false;
}

bool DecideOtherwise(const Facts& facts, Decision& decision) {
  if (facts.target.state == v1::WANTED_STATE_STOPPED) {
    if (facts.target.held && !facts.hash_matches) {
      Block(decision, v1::Gate::KIND_HOLD, v1::CONDITION_STOPPED,
            absl::StrCat("held by ", facts.hold->who(), ": ", facts.hold->why(),
                         "; another spec waits for the release"));
    } else {
      Rest(decision, v1::CONDITION_STOPPED,
           !facts.target.held
               ? std::string("state = \"stopped\"")
               : absl::StrCat("held by ", facts.hold->who(), ": ", facts.hold->why()));
    }
    return true;
  }
  const Vitals& vitals = facts.vitals;
  if (vitals.IsWell()) {
    decision.satisfied = true;
    const bool completed = vitals.healthy == 0 && vitals.completed > 0;
    Rest(decision, completed ? v1::CONDITION_COMPLETED : v1::CONDITION_CONVERGED);
    return true;
  }
  const v1::Container& worst = *vitals.worst();
  if (facts.target.is_final_failure) {
    Block(decision, v1::Gate::KIND_FAILED, v1::CONDITION_DEGRADED,
          absl::StrCat("this spec failed: ", facts.target.failure->reason()));
    decision.wake_at = vitals.ready_at;
    return true;
  }
  decision.wake_at = std::min({decision.wake_at, vitals.ready_at, FirstDeadlineOf(facts)});
  if (vitals.in_transit > 0) {
    // Docker's restart policy is at work: nothing to send.
    Rest(decision, worst.restart_count() > 1 ? v1::CONDITION_CRASH_LOOP : v1::CONDITION_PROGRESSING,
         Describe(facts, worst));
    return true;
  }
  if (vitals.unhealthy > 0 && facts.IsProven()) {
    // It was well before and is given its time; nothing is open, so dependents go on.
    Rest(decision, v1::CONDITION_DEGRADED, Describe(facts, *vitals.first_unhealthy));
    return true;
  }
  Act(decision, v1::STEP_ACTION_WAIT, Describe(facts, worst));
  SetUntil(decision, v1::Gate::KIND_HEALTH, decision.wake_at, decision.reason);
  return true;
}

}  // namespace fairlead::sync
