#include "controller/routes.h"

#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "controller/http/endpoints.h"

namespace fairlead::controller {
namespace {

// The sync as webhooks see it, from the picture of the last pass.
std::optional<http::WebhookTarget> TargetOf(const loop::LoopView& view, const std::string& name,
                                            const std::string& default_secret) {
  const auto found = view.input.desired->resources.find({"resource_sync", name});
  if (found == view.input.desired->resources.end() || found->second->spec == nullptr) {
    return std::nullopt;
  }
  const v1::ResourceSync& sync = found->second->spec->resource_sync();
  http::WebhookTarget target;
  target.name = name;
  target.secret = sync.webhook_secret().empty() ? default_secret : sync.webhook_secret();
  target.branch = sync.branch();
  target.paths.assign(sync.resource_path().begin(), sync.resource_path().end());
  target.enabled = sync.webhook_enabled();
  if (target.paths.empty()) return target;
  // Stacks of the sync take their files from its repository, maybe outside its resource paths.
  for (const auto& [id, desired] : view.input.desired->resources) {
    if (desired->sync != name || desired->spec == nullptr || !desired->spec->has_stack()) continue;
    const std::string& directory = desired->spec->stack().run_directory();
    if (directory.empty()) {
      target.paths.clear();
      break;
    }
    target.paths.push_back(directory);
  }
  return target;
}

absl::Status Readiness(const loop::Reconciler& reconciler) {
  const std::string store_error = reconciler.StoreError();
  if (!store_error.empty()) {
    return absl::UnavailableError(absl::StrCat("the store refuses writes: ", store_error));
  }
  if (reconciler.View()->generation == 0) return absl::UnavailableError("not planned yet");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Routes>> Routes::Start(const RoutesOptions& options,
                                                      loop::Reconciler& reconciler,
                                                      loop::SyncPoller& poller,
                                                      metrics::PrometheusMetrics& metrics) {
  const std::size_t colon = options.listen.rfind(':');
  uint32_t port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(options.listen.substr(colon + 1), &port) ||
      port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("--http-listen: \"", options.listen, "\" is not address:port"));
  }
  http::Endpoints endpoints;
  endpoints.ready = [&reconciler] { return Readiness(reconciler); };
  endpoints.metrics = [&metrics] { return metrics.Text(); };
  endpoints.find_sync = [&reconciler, secret = options.webhook_secret](const std::string& name) {
    return TargetOf(*reconciler.View(), name, secret);
  };
  endpoints.on_webhook = [&poller, &metrics](const http::WebhookDecision& decision) {
    metrics.OnWebhook(decision.provider, http::WebhookOutcomeName(decision.outcome));
    if (decision.outcome == http::WebhookOutcome::kAccepted) poller.Trigger(decision.sync);
  };
  http::Server::Options server_options;
  server_options.address = options.listen.substr(0, colon);
  if (server_options.address == "localhost") server_options.address = "127.0.0.1";
  server_options.port = static_cast<uint16_t>(port);
  server_options.tls_cert = options.tls_cert;
  server_options.tls_key = options.tls_key;
  server_options.handler = [endpoints](const http::HttpRequest& request) {
    return http::Serve(endpoints, request);
  };
  absl::StatusOr<std::unique_ptr<http::Server>> server = http::Server::Start(server_options);
  if (!server.ok()) {
    return absl::Status(server.status().code(),
                        absl::StrCat("--http-listen: ", server.status().message()));
  }
  return std::unique_ptr<Routes>(new Routes(server_options.address, *std::move(server)));
}

Routes::Routes(std::string host, std::unique_ptr<http::Server> server)
    : host_(std::move(host)), server_(std::move(server)) {}

void Routes::Stop() { server_->Stop(); }

std::string Routes::address() const { return absl::StrCat(host_, ":", server_->port()); }

}  // namespace fairlead::controller
