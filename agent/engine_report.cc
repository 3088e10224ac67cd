#include "agent/engine_report.h"

#include <algorithm>
#include <set>

#include "absl/status/statusor.h"

#include "base/log.h"

namespace fairlead::agent {
namespace {

constexpr absl::Duration kListInterval = absl::Seconds(60);
constexpr absl::Duration kListRetry = absl::Seconds(1);

}  // namespace

EngineReport::EngineReport(const EngineClient& engine, ContainerRecords& records,
                           SecretTexts& secrets, const base::Clock& clock,
                           const std::string& data_directory, Prober* prober)
    : clock_(clock), watch_(engine, records, secrets, clock, data_directory, prober) {}

void EngineReport::Do(const ReportWork& work) {
  if (work.hasher != nullptr) {
    watch_.SetInstallation(work.installation, work.hasher);
    has_identity_ = true;
  }
  if (!has_identity_) return;
  if (work.connected_at) {
    connected_at_ = work.connected_at;
    version_ = work.version;
    SayAll();
  } else if (work.down) {
    connected_at_.reset();
    next_list_ = absl::InfiniteFuture();
    SayDown(*work.down);
    if (work.hasher != nullptr) SayAll();
  } else if (work.hasher != nullptr || (work.refresh && owes_all_)) {
    SayAll();
  } else if (work.refresh) {
    LookAgain(work.inspect_all);
  }
  OnEvents(work.events);
}

absl::Duration EngineReport::UntilNextList() const {
  const absl::Duration left = next_list_ - clock_.Now();
  // A list too far away means that the clock was set back.
  const bool set_back = next_list_ != absl::InfiniteFuture() && left > kListInterval;
  return set_back ? absl::ZeroDuration() : left;
}

void EngineReport::SayDown(const std::string& error) {
  const bool known = said_ && !up_ && error == error_;
  up_ = false;
  error_ = error;
  if (known) return;
  base::LogWarning("docker", error);
  if (!said_) {
    SayState();
    return;
  }
  v1::HostDelta delta;
  delta.mutable_engine()->set_up(false);
  delta.mutable_engine()->set_error(error);
  callbacks_.on_delta(delta);
}

void EngineReport::SayAll() {
  // Neither an answer nor a refusal yet: the event thread is still asking.
  if (!connected_at_ && error_.empty()) return;
  if (connected_at_) {
    const absl::StatusOr<ContainerWatch::Look> look = watch_.LookAtAll(nullptr);
    PlanNextList(look.status());
    up_ = look.ok();
    error_ = std::string(look.status().message());
    if (look.ok()) view_.Replace(look->containers, look->projects);
  }
  SayState();
}

// While the engine does not answer, the last known containers.
void EngineReport::SayState() {
  v1::HostState state = view_.State();
  state.set_engine_up(up_);
  state.set_engine_error(error_);
  *state.mutable_engine() = version_;
  said_ = true;
  callbacks_.on_state(state);
}

void EngineReport::LookAgain(bool inspect_all) {
  if (!connected_at_) return;
  const absl::StatusOr<ContainerWatch::Look> look =
      watch_.LookAtAll(inspect_all ? nullptr : &view_);
  if (inspect_all || !look.ok()) PlanNextList(look.status());
  if (!look.ok()) {
    SayDown(std::string(look.status().message()));
    return;
  }
  const v1::HostDelta delta = view_.Replace(look->containers, look->projects);
  if (!IsEmpty(delta)) callbacks_.on_delta(delta);
}

void EngineReport::PlanNextList(const absl::Status& status) {
  owes_all_ = !status.ok();
  next_list_ = clock_.Now() + (status.ok() ? kListInterval : kListRetry);
}

void EngineReport::OnEvents(const std::vector<EngineEvent>& events) {
  // The list after a reconnect shows what these would.
  if (!connected_at_ || !up_) return;
  std::vector<const EngineEvent*> relevant;
  for (const EngineEvent& event : events) {
    const bool noted = watch_.Note(event);
    // From before the connect only what tells more than the list did.
    const bool is_news =
        event.time >= *connected_at_ || (noted && view_.Find(event.container_id) != nullptr);
    if (is_news && !event.container_id.empty()) relevant.push_back(&event);
    // It does not say which containers that concerns; one look serves a row of them.
    if (is_news && event.type == "image") {
      next_list_ = std::min(next_list_, clock_.Now() + kListRetry);
    }
  }
  // The last event of a container is enough: looking shows all that came before.
  std::set<std::string> seen;
  std::vector<const EngineEvent*> latest;
  for (auto event = relevant.rbegin(); event != relevant.rend(); ++event) {
    if (seen.insert((*event)->container_id).second) latest.push_back(*event);
  }
  v1::HostDelta delta;
  for (auto event = latest.rbegin(); event != latest.rend(); ++event) Look(**event, delta);
  if (!IsEmpty(delta)) callbacks_.on_delta(delta);
}

void EngineReport::Look(const EngineEvent& event, v1::HostDelta& delta) {
  if (event.type == "container" && event.action == "destroy") {
    view_.Remove(event.container_id, delta);
    return;
  }
  const absl::StatusOr<v1::Container> container = watch_.LookAt(event, view_);
  if (container.ok()) {
    view_.Upsert(*container, delta);
  } else if (absl::IsNotFound(container.status())) {
    view_.Remove(event.container_id, delta);
  } else if (!absl::IsFailedPrecondition(container.status())) {
    // The list that follows decides.
    next_list_ = std::min(next_list_, clock_.Now() + kListRetry);
  }
}

}  // namespace fairlead::agent
