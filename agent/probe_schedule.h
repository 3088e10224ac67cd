// When a container is asked how it is, and what its answers mean.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/live.pb.h"

namespace fairlead::agent {

// What is asked and how answers count; numbers mean what they mean to Docker, and default alike.
struct ProbeDefinition {
  uint32_t port = 0;
  // Empty: a connection is enough.
  std::string path;
  std::string host;
  absl::Duration interval = absl::Seconds(30);
  absl::Duration timeout = absl::Seconds(30);
  uint32_t retries = 3;
  absl::Duration start_period = absl::ZeroDuration();

  bool operator==(const ProbeDefinition&) const = default;
};

// The text that a container carries, so that an agent knows its probe whatever else is lost; empty
// when `check` has none.
std::string ProbeText(const v1::ContainerSpec::Healthcheck& check);

// Nothing when `text` is not a probe.
std::optional<ProbeDefinition> ReadProbeText(const std::string& text);

// The probe of one run of a container. A value; the time is an argument.
class ProbeSchedule {
 public:
  // One that has run for longer than an interval is asked at once.
  ProbeSchedule(const ProbeDefinition& definition, absl::Time started_at, absl::Time now);

  // When to ask next; infinite future while an answer is awaited.
  absl::Time next() const { return is_asking_ ? absl::InfiniteFuture() : next_; }
  bool IsDue(absl::Time now) const;

  void OnAsked() { is_asking_ = true; }
  // OK or why it failed. True when health() or failure() is another now.
  bool OnAnswer(const absl::Status& answer, absl::Time now);

  v1::ContainerHealth health() const { return health_; }
  // The first failure since health() is what it is; empty while healthy.
  const std::string& failure() const { return failure_; }

 private:
  const ProbeDefinition definition_;
  const absl::Time started_at_;
  absl::Time next_;
  bool is_asking_ = false;
  // Failures in a row that count.
  uint32_t failures_ = 0;
  v1::ContainerHealth health_ = v1::CONTAINER_HEALTH_STARTING;
  std::string failure_;
};

}  // namespace fairlead::agent
