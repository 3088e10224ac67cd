// Row 6: how a replacement that has begun goes on and ends.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "sync/classify.h"

namespace fairlead::sync {
namespace {

// What becomes of the old container of a replacement that has failed.
std::string FateOfOld(const Facts& facts) {
  return facts.pair.OldServes() ? "the old one serves on" : "the old one is put back";
}

// The new container failed: back to the old one, or, when that is not wanted, on without it.
void EndFailedReplacement(const Facts& facts, const std::string& reason, Decision& decision) {
  // What serves does not give way to what has failed, whatever is wanted of a rollback.
  const bool beside = facts.pair.is_coming && facts.pair.OldServes();
  // Of a good spec only then: it must not be tried again and again beside what serves.
  const bool fails = facts.target.uses_good_spec ? beside : facts.target.failure == nullptr;
  if (fails) decision.new_failure = MakeFailure(facts, reason, facts.pair.current);
  decision.degraded = true;
  if (facts.target.uses_good_spec && !beside) {
    // Neither of the two is better; going to and fro would never end.
    Act(decision, v1::STEP_ACTION_FINISH,
        absl::StrCat("the new container ", reason, "; it is of the last good spec and stays"),
        v1::CONDITION_DEGRADED);
  } else if (beside || WantsRollback(*facts.target.wish)) {
    Act(decision, v1::STEP_ACTION_ROLLBACK,
        absl::StrCat("the new container ", reason, ": ", FateOfOld(facts)), v1::CONDITION_DEGRADED);
  } else {
    Act(decision, v1::STEP_ACTION_FINISH,
        absl::StrCat("the new container ", reason, "; rollback = false keeps it"),
        v1::CONDITION_DEGRADED);
  }
}

// A replacement was cut off before the new container was made, or that one is gone.
void DecideKeptAlone(const Facts& facts, Decision& decision) {
  if (facts.pair.OldServes()) {
    Act(decision, v1::STEP_ACTION_ROLLBACK,
        "the new container is gone: the old one gets its name back");
    return;
  }
  const bool old_is_wanted = facts.pair.kept_old->spec_hash() == facts.target.hash;
  const bool attempt_failed =
      facts.attempt != nullptr && facts.attempt->target_hash == facts.target.hash;
  if (old_is_wanted || attempt_failed || facts.target.is_final_failure || facts.target.held) {
    Act(decision, v1::STEP_ACTION_ROLLBACK,
        old_is_wanted ? std::string("the old container is wanted again")
        : attempt_failed
            ? absl::StrCat("the new container could not be made: ", facts.attempt->message)
            : std::string("the new container was never made"));
    return;
  }
  Act(decision, v1::STEP_ACTION_REPLACE, "a replacement was cut off: it is carried on");
}

// The new container is of another spec than the one wanted now.
void DecideOutdated(const Facts& facts, Decision& decision) {
  if (facts.pair.kept_old->spec_hash() == facts.target.hash) {
    Act(decision, v1::STEP_ACTION_ROLLBACK, "the old container is wanted again");
  } else if (facts.vitals.IsWell()) {
    Act(decision, v1::STEP_ACTION_FINISH, "a newer spec follows: the new container is well");
  } else {
    Act(decision, v1::STEP_ACTION_ROLLBACK,
        "a newer spec follows: the old container serves meanwhile");
  }
}

void WaitForHealth(const Facts& facts, absl::Time deadline, Decision& decision) {
  Act(decision, v1::STEP_ACTION_WAIT, "waits for the new container to become healthy");
  SetUntil(
      decision, v1::Gate::KIND_HEALTH, std::min(deadline, facts.vitals.ready_at),
      absl::StrCat("the new container is not healthy yet", HealthFailureOf(*facts.pair.current)));
}

void DecideNewContainer(const Facts& facts, Decision& decision) {
  const v1::Container& fresh = *facts.pair.current;
  decision.satisfied = facts.vitals.IsWell();
  if (facts.target.state != v1::WANTED_STATE_RUNNING) {
    Act(decision, v1::STEP_ACTION_FINISH, "wanted stopped: the replacement ends");
    return;
  }
  // One that Docker's restart policy had to start again has exited, whatever it does meanwhile.
  const bool restarted =
      fresh.restart_count() > 0 && fresh.health() != v1::CONTAINER_HEALTH_HEALTHY;
  if (facts.vitals.IsWell() && !restarted) {
    Act(decision, v1::STEP_ACTION_FINISH, "the new container is healthy");
    return;
  }
  decision.satisfied = false;
  const bool never_started = fresh.state() == v1::CONTAINER_STATE_CREATED;
  if (never_started && facts.attempt != nullptr &&
      facts.attempt->target_hash == facts.target.hash) {
    Act(decision, v1::STEP_ACTION_ROLLBACK,
        absl::StrCat("the new container could not be started: ", facts.attempt->message));
    return;
  }
  const bool exited = fresh.state() == v1::CONTAINER_STATE_EXITED ||
                      fresh.state() == v1::CONTAINER_STATE_DEAD ||
                      fresh.state() == v1::CONTAINER_STATE_RESTARTING || restarted;
  if (exited) {
    EndFailedReplacement(facts,
                         fresh.state() == v1::CONTAINER_STATE_RUNNING
                             ? std::string("exited and was restarted by docker")
                             : DescribeContainer(fresh),
                         decision);
    return;
  }
  const absl::Time deadline =
      FromHost(fresh.has_started_at() ? fresh.started_at() : fresh.created_at(),
               facts.clock_offset()) +
      facts.health.timeout;
  if (facts.input().now >= deadline) {
    EndFailedReplacement(
        facts,
        absl::StrCat("was not healthy within ", absl::FormatDuration(facts.health.timeout),
                     HealthFailureOf(fresh)),
        decision);
  } else if (never_started) {
    decision.wake_at = deadline;
    Act(decision, v1::STEP_ACTION_REPLACE, "the new container was not started yet");
  } else {
    WaitForHealth(facts, deadline, decision);
  }
}

}  // namespace

bool DecideReplacement(const Facts& facts, Decision& decision) {
  if (facts.pair.kept_old == nullptr) {
    if (!facts.pair.is_coming) return false;
    // As the only one it is judged like any other container.
    Act(decision, v1::STEP_ACTION_FINISH, "the old container is gone: the new one takes its place");
    return true;
  }
  if (facts.pair.current == nullptr) {
    DecideKeptAlone(facts, decision);
  } else if (!facts.hash_matches) {
    DecideOutdated(facts, decision);
  } else {
    DecideNewContainer(facts, decision);
  }
  return true;
}

}  // namespace fairlead::sync
