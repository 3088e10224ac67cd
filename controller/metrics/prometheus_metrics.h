// The controller's metrics in Prometheus' text format; docs/metrics.md lists them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "controller/loop/observer.h"

namespace fairlead::metrics {

// Counts what the loop tells. Series whose labels are known beforehand exist from the start, so
// that a rate over them sees the first event. Thread-safe; one for each controller.
class PrometheusMetrics final : public loop::Observer {
 public:
  explicit PrometheusMetrics(const std::string& version);
  ~PrometheusMetrics() override;

  // All series, as GET /metrics answers ("text/plain; version=0.0.4").
  std::string Text() const;

  void OnPlanned(absl::Duration took, uint32_t open_steps) override;
  void OnFetched(const std::string& sync, absl::Duration took,
                 const absl::Status& outcome) override;
  void OnActionFinished(v1::StepAction action, v1::ActionStatus outcome,
                        absl::Duration took) override;
  void OnDriftFound(const std::string& kind) override;
  void OnDriftHealed(const std::string& kind) override;
  // A kind in `counts` has a series for every state; one that has gone loses its series.
  void OnResources(
      const std::map<std::pair<std::string, v1::Condition>, uint32_t>& counts) override;
  void OnQueueDepth(uint32_t events) override;
  void OnAgents(uint32_t connected) override;
  void OnAgentLag(const std::string& server, absl::Duration lag) override;
  void OnWebhook(absl::string_view provider, absl::string_view outcome) override;
  void OnEvent(const v1::Event& event) override;
  // `port` is "grpc" or "http".
  void OnConnections(absl::string_view port, std::size_t open);
  void OnConnectionCut(absl::string_view port, absl::string_view why);
  void OnCallLimited();

 private:
  struct Series;
  const std::unique_ptr<Series> series_;
};

}  // namespace fairlead::metrics
