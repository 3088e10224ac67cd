// The HTTP port wired to the loop, the poller and the metrics.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "controller/access/gate.h"
#include "controller/actions/run_engine.h"
#include "controller/http/server.h"
#include "controller/limits.h"
#include "controller/loop/reconciler.h"
#include "controller/loop/sync_poller.h"
#include "controller/metrics/prometheus_metrics.h"

namespace fairlead::controller {

struct RoutesOptions {
  std::string listen;
  std::string tls_cert;
  std::string tls_key;
  std::string webhook_secret;
  // Begins a run that a webhook asks for; returns at once.
  std::function<void(const actions::RunOrder&)> run;
  // Beyond loopback too /metrics asks nobody who they are.
  bool open_metrics = false;
  Limits limits;
  // Of the controller's office; 0 where nobody is elected.
  int64_t term = 0;
};

// Lives as long as the port is open.
class Routes {
 public:
  // References outlive the routes. Unavailable when the address cannot be listened on.
  static absl::StatusOr<std::unique_ptr<Routes>> Start(const RoutesOptions& options,
                                                       loop::Reconciler& reconciler,
                                                       loop::SyncPoller& poller,
                                                       metrics::PrometheusMetrics& metrics,
                                                       access::Gate& gate);
  void Stop();
  // See http::Server.
  absl::Status ReloadTls();
  // As bound, "address:port".
  std::string address() const;

 private:
  Routes(std::string host, std::unique_ptr<http::Server> server);
  const std::string host_;
  const std::unique_ptr<http::Server> server_;
};

}  // namespace fairlead::controller
