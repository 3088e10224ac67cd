// How well containers are, at one moment. Internal to the planner.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "absl/types/span.h"

#include "fairlead/v1/live.pb.h"
#include "fairlead/v1/resource.pb.h"
#include "fairlead/v1/state.pb.h"

namespace fairlead::sync {

// A host's time as the controller's.
absl::Time FromHost(const google::protobuf::Timestamp& time, absl::Duration clock_offset);
absl::Time FromProto(const google::protobuf::Timestamp& time);
google::protobuf::Timestamp ToProto(absl::Time time);

// What a spec says of health.
struct HealthRules {
  absl::Duration timeout = absl::Minutes(3);
  absl::Duration min_ready = absl::Seconds(2);
  // Exit code 0 ends the work: restart is "no" or "on-failure". For a compose service its
  // container's own policy says so.
  bool exit_may_complete = false;
  bool by_container = false;
};
HealthRules HealthRulesOf(const v1::Resource& spec);

enum class Wellness {
  kHealthy,
  // Ended as it should.
  kCompleted,
  // Runs, and it is too early to say.
  kStarting,
  // Its health check fails.
  kUnhealthy,
  // Docker's restart policy is at work, or it is about to vanish: nothing to send.
  kInTransit,
  // Does not run.
  kDown,
};
// `ready_at` is when time alone makes a starting one healthy.
Wellness ComputeWellness(const v1::Container& container, const HealthRules& rules,
                         absl::Duration clock_offset, absl::Time now, absl::Time* ready_at);

// All containers of a resource that count, taken together.
struct Vitals {
  int healthy = 0;
  int completed = 0;
  int starting = 0;
  int unhealthy = 0;
  int in_transit = 0;
  int down = 0;
  // The first of its sort; may be null.
  const v1::Container* first_down = nullptr;
  const v1::Container* first_unhealthy = nullptr;
  const v1::Container* first_starting = nullptr;
  const v1::Container* first_in_transit = nullptr;
  // When time alone changes a count; infinite future: never.
  absl::Time ready_at = absl::InfiniteFuture();

  int running() const { return healthy + starting + unhealthy + in_transit; }
  // Requires nothing of time any more.
  bool IsWell() const { return starting + unhealthy + in_transit + down == 0; }
  const v1::Container* worst() const;
};
Vitals ComputeVitals(absl::Span<const v1::Container* const> containers, const HealthRules& rules,
                     absl::Duration clock_offset, absl::Time now);

// Why its health check fails, as ": GET http://...: 503"; empty when nobody knows.
std::string HealthFailureOf(const v1::Container& container);

// "exited with 1, out of memory", "is paused", "is unhealthy: GET http://...: 503".
std::string DescribeContainer(const v1::Container& container);

// When a spec that has not yet been healthy has had its time: from its first start, or from its
// creation when restarts moved the start.
absl::Time FirstDeadline(absl::Span<const v1::Container* const> containers,
                         const v1::InventoryEntry& inventory, const HealthRules& rules,
                         absl::Duration clock_offset, absl::Time now);

// Crash-loop backoff: the first restart is immediate; from the second within ten minutes the
// delay doubles from one second to five minutes; ten minutes of running reset it.
struct RestartBackoff {
  // Restarts in the present series.
  int restarts = 0;
  // Earliest time of the next one; infinite past: at once.
  absl::Time next = absl::InfinitePast();
};
RestartBackoff ComputeRestartBackoff(const v1::InventoryEntry* inventory,
                                     const v1::Container& container, absl::Duration clock_offset,
                                     absl::Time now);

}  // namespace fairlead::sync
