// Which answer each address of the controller's HTTP port gives.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

#include "controller/http/message.h"
#include "controller/http/webhook.h"

namespace fairlead::http {

// Where the answers come from. All are called on the server's thread and return at once.
struct Endpoints {
  // OK, or why the controller does not serve yet; its message is shown.
  std::function<absl::Status()> ready;
  // Prometheus text format. Empty: there is no /metrics.
  std::function<std::string()> metrics;
  // ResourceExhausted when this client asks too often; empty: nobody does.
  std::function<absl::Status(const HttpRequest&)> check_rate;
  // Whether the request may see /metrics; empty: everybody may.
  std::function<absl::Status(const HttpRequest&)> check_metrics;
  FindTarget find_target;
  // Every decision, for metrics and to mark an accepted sync dirty; may be empty.
  std::function<void(const WebhookDecision&)> on_webhook;
};

// GET /healthz, /readyz, /metrics, webhooks; 404 for all else.
HttpReply Serve(const Endpoints& endpoints, const HttpRequest& request);

}  // namespace fairlead::http
