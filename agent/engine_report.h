// What is said of an engine, decided from looks at it and from its events.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "agent/container_records.h"
#include "agent/container_watch.h"
#include "agent/engine_client.h"
#include "agent/live_view.h"
#include "agent/prober.h"
#include "agent/reporter.h"
#include "agent/secret_texts.h"
#include "base/clock.h"
#include "fairlead/v1/live.pb.h"
#include "resources/spec_hash.h"

namespace fairlead::agent {

// What a report is to do next.
struct ReportWork {
  // The event stream is open since this time.
  std::optional<absl::Time> connected_at;
  v1::EngineVersion version;
  // The engine does not answer.
  std::optional<std::string> down;
  // Say everything again under this identity.
  std::shared_ptr<const resources::SpecHasher> hasher;
  std::string installation;
  // Look again: at what the list shows to have changed, or at every container.
  bool refresh = false;
  bool inspect_all = false;
  // The newest Refresh that this answers.
  uint64_t ticket = 0;
  std::vector<EngineEvent> events;

  bool IsEmpty() const {
    return !connected_at && !down && hasher == nullptr && !refresh && events.empty();
  }
};

// Without threads: calls the engine and calls back before it returns. Confined to one thread.
class EngineReport {
 public:
  // All outlive this; `records` are loaded. Without a `prober` no container is asked how it is; one
  // that has news is given to OnEvents as an event of its container.
  EngineReport(const EngineClient& engine, ContainerRecords& records, SecretTexts& secrets,
               const base::Clock& clock, const std::string& data_directory,
               Prober* prober = nullptr);

  // Before anything else.
  void SetCallbacks(Reporter::Callbacks callbacks) { callbacks_ = std::move(callbacks); }

  void Do(const ReportWork& work);
  // What happened on the engine, in order.
  void OnEvents(const std::vector<EngineEvent>& events);

  // Until everything is to be listed again although nothing happens; not positive: now.
  absl::Duration UntilNextList() const;

 private:
  void SayDown(const std::string& error);
  void SayAll();
  void SayState();
  void LookAgain(bool inspect_all);
  void PlanNextList(const absl::Status& status);
  void Look(const EngineEvent& event, v1::HostDelta& delta);

  const base::Clock& clock_;
  Reporter::Callbacks callbacks_;
  ContainerWatch watch_;
  LiveView view_;
  v1::EngineVersion version_;
  std::optional<absl::Time> connected_at_;
  bool has_identity_ = false;
  bool up_ = false;
  // on_state was called, so that deltas have something to change.
  bool said_ = false;
  // A list failed: say all as soon as one succeeds.
  bool owes_all_ = false;
  std::string error_;
  absl::Time next_list_ = absl::InfiniteFuture();
};

}  // namespace fairlead::agent
