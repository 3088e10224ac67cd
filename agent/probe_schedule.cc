#include "agent/probe_schedule.h"

#include <algorithm>

#include <google/protobuf/util/json_util.h>

#include "base/proto_time.h"

namespace fairlead::agent {
namespace {

namespace util = google::protobuf::util;

// Nothing is gained by asking more often.
constexpr absl::Duration kShortestInterval = absl::Milliseconds(100);

void Take(const google::protobuf::Duration& given, absl::Duration* out) {
  const absl::Duration duration = base::FromProto(given);
  if (duration > absl::ZeroDuration()) *out = duration;
}

}  // namespace

std::string ProbeText(const v1::ContainerSpec::Healthcheck& check) {
  std::string text;
  if (!check.has_probe()) return text;
  // What is made here can be printed: no Any, no time out of range.
  return util::MessageToJsonString(check, &text).ok() ? text : std::string();
}

std::optional<ProbeDefinition> ReadProbeText(const std::string& text) {
  if (text.empty()) return std::nullopt;
  v1::ContainerSpec::Healthcheck check;
  util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  if (!util::JsonStringToMessage(text, &check, options).ok()) return std::nullopt;
  if (check.probe().port() == 0 || check.probe().port() > 65535) return std::nullopt;
  ProbeDefinition definition;
  definition.port = check.probe().port();
  definition.path = check.probe().path();
  definition.host = check.probe().host();
  Take(check.interval(), &definition.interval);
  definition.interval = std::max(definition.interval, kShortestInterval);
  Take(check.timeout(), &definition.timeout);
  if (check.retries() > 0) definition.retries = check.retries();
  Take(check.start_period(), &definition.start_period);
  return definition;
}

ProbeSchedule::ProbeSchedule(const ProbeDefinition& definition, absl::Time started_at,
                             absl::Time now)
    : definition_(definition),
      started_at_(std::min(started_at, now)),
      next_(std::max(now, started_at_ + definition.interval)) {}

bool ProbeSchedule::IsDue(absl::Time now) const {
  if (is_asking_) return false;
  // Further away than an interval: the clock was set back.
  return now >= next_ || next_ - now > definition_.interval;
}

bool ProbeSchedule::OnAnswer(const absl::Status& answer, absl::Time now) {
  is_asking_ = false;
  next_ = now + definition_.interval;
  const v1::ContainerHealth before = health_;
  if (answer.ok()) {
    failures_ = 0;
    health_ = v1::CONTAINER_HEALTH_HEALTHY;
    failure_.clear();
    return health_ != before;
  }
  const bool is_early =
      health_ == v1::CONTAINER_HEALTH_STARTING && now - started_at_ < definition_.start_period;
  if (!is_early) ++failures_;
  if (failures_ >= definition_.retries) health_ = v1::CONTAINER_HEALTH_UNHEALTHY;
  // Kept while the health stays: a text that changes with every answer would be news each time.
  const bool is_new =
      health_ != before || (failure_.empty() && health_ == v1::CONTAINER_HEALTH_STARTING);
  if (is_new) failure_ = std::string(answer.message());
  return is_new;
}

}  // namespace fairlead::agent
