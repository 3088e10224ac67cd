#include "controller/routes.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/loopback.h"
#include "base/status.h"
#include "controller/http/endpoints.h"
#include "controller/http_port.h"
#include "controller/office.h"
#include "fairlead/v1/access_service.pb.h"
#include "sync/git/url.h"

namespace fairlead::controller {
namespace {

// Null when it is not declared or cannot be read.
const v1::Resource* SpecOf(const loop::LoopView& view, const std::string& kind,
                           const std::string& name) {
  const auto found = view.input.desired->resources.find({kind, name});
  return found == view.input.desired->resources.end() ? nullptr : found->second->spec.get();
}

// A resource that follows a branch, as webhooks see it.
template <typename Spec>
http::WebhookTarget TargetOf(const Spec& spec, const std::string& default_secret) {
  http::WebhookTarget target;
  target.secret = spec.webhook_secret().empty() ? default_secret : spec.webhook_secret();
  target.branch = spec.branch();
  target.enabled = spec.webhook_enabled();
  return target;
}

http::WebhookTarget SyncTarget(const loop::LoopView& view, const std::string& name,
                               const v1::ResourceSync& sync, const std::string& default_secret) {
  http::WebhookTarget target = TargetOf(sync, default_secret);
  target.paths.assign(sync.resource_path().begin(), sync.resource_path().end());
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

// From the picture of the last pass.
std::optional<http::WebhookTarget> FindTarget(const loop::LoopView& view, const std::string& kind,
                                              const std::string& name,
                                              const std::string& default_secret) {
  const v1::Resource* const spec = SpecOf(view, kind, name);
  if (spec == nullptr) return std::nullopt;
  http::WebhookTarget target;
  if (kind == "resource_sync") {
    target = SyncTarget(view, name, spec->resource_sync(), default_secret);
  } else if (kind == "repo") {
    target = TargetOf(spec->repo(), default_secret);
  } else if (kind == "build") {
    target = TargetOf(spec->build(), default_secret);
    // The branch is that of the repository whose files are built.
    const std::string& linked = spec->build().linked_repo();
    const v1::Resource* const repo = linked.empty() ? nullptr : SpecOf(view, "repo", linked);
    if (repo != nullptr) target.branch = repo->repo().branch();
  } else {
    target = TargetOf(spec->stack(), default_secret);
    // Only of its own repository the branch is its own.
    const v1::Stack& stack = spec->stack();
    if (stack.repo().empty() && stack.url().empty()) target.branch.clear();
  }
  target.name = name;
  return target;
}

// Has the repository of the resource looked at: of a stack its own, that of its linked_repo, or
// that of its sync.
void Look(const loop::LoopView& view, const std::string& kind, const std::string& name,
          loop::SyncPoller& poller) {
  if (kind == "resource_sync") {
    poller.Trigger(name);
    return;
  }
  const v1::Resource* const spec = SpecOf(view, kind, name);
  if (spec == nullptr) return;
  if (kind == "stack" && !spec->stack().linked_repo().empty()) {
    return Look(view, "repo", spec->stack().linked_repo(), poller);
  }
  const absl::StatusOr<std::string> url =
      git::UrlOf(kind == "repo" ? git::FieldsOf(spec->repo()) : git::FieldsOf(spec->stack()));
  if (url.ok()) {
    poller.TriggerRepo(*url);
  } else {
    poller.Trigger(view.input.desired->resources.at({kind, name})->sync);
  }
}

// What a push asks a build or repo to run; nothing for a repo that is only a source.
std::optional<actions::RunOrder> OrderOf(const loop::LoopView& view,
                                         const http::WebhookDecision& decision) {
  const v1::Resource* const spec = SpecOf(view, decision.kind, decision.name);
  const bool build = decision.kind == "build";
  if (spec == nullptr || (!build && decision.kind != "repo")) return std::nullopt;
  actions::RunOrder order{
      .resource = absl::StrCat(decision.kind, "/", decision.name),
      .trigger = v1::RUN_TRIGGER_WEBHOOK,
      .who = absl::StrCat("webhook of ", decision.provider),
      .why = decision.commit.empty() ? "" : absl::StrCat("commit ", decision.commit.substr(0, 7)),
      .parent = ""};
  if (build) return order;
  if (decision.verb == "build") {
    order.execution.mutable_build_repo()->set_repo(decision.name);
    return order;
  }
  if (spec->repo().server_id().empty()) return std::nullopt;
  if (decision.verb == "clone") order.execution.mutable_clone_repo()->set_repo(decision.name);
  return order;
}

// As for a call of gRPC: the table of rules says what is needed.
absl::Status CheckMetrics(access::Gate& gate, const http::HttpRequest& request) {
  absl::string_view bearer = request.Header("authorization");
  if (absl::StartsWithIgnoreCase(bearer, "bearer ")) bearer.remove_prefix(sizeof("bearer ") - 1);
  return gate
      .Admit("http.Metrics", v1::WhoAmIRequest(),
             {.bearer = std::string(bearer), .address = request.address})
      .status;
}

absl::Status CheckRate(access::Gate& gate, const http::HttpRequest& request) {
  access::Caller caller;
  caller.address = request.address;
  return gate.CheckRate(caller);
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
                                                      metrics::PrometheusMetrics& metrics,
                                                      access::Gate& gate) {
  ASSIGN_OR_RETURN(http::Server::Options server_options,
                   HttpPortOptions(options.listen, options.limits));
  http::Endpoints endpoints;
  endpoints.ready = [&reconciler] { return Readiness(reconciler); };
  endpoints.metrics = [&metrics, term = options.term] {
    return term == 0 ? metrics.Text() : absl::StrCat(metrics.Text(), OfficeMetrics(true, term));
  };
  endpoints.check_rate = [&gate](const http::HttpRequest& request) {
    return CheckRate(gate, request);
  };
  if (!options.open_metrics && !base::IsLoopbackAddress(options.listen)) {
    endpoints.check_metrics = [&gate](const http::HttpRequest& request) {
      return CheckMetrics(gate, request);
    };
  }
  endpoints.find_target = [&reconciler, secret = options.webhook_secret](const std::string& kind,
                                                                         const std::string& name) {
    return FindTarget(*reconciler.View(), kind, name, secret);
  };
  endpoints.on_webhook = [&, options](const http::WebhookDecision& decision) {
    metrics.OnWebhook(decision.provider, http::WebhookOutcomeName(decision.outcome));
    if (decision.outcome != http::WebhookOutcome::kAccepted) return;
    if (const auto order = OrderOf(*reconciler.View(), decision)) options.run(*order);
    if (decision.kind != "build") {
      Look(*reconciler.View(), decision.kind, decision.name, poller);
    }
  };
  server_options.tls_cert = options.tls_cert;
  server_options.tls_key = options.tls_key;
  server_options.on_open = [&metrics](std::size_t open) { metrics.OnConnections("http", open); };
  server_options.on_cut = [&metrics](absl::string_view why) {
    metrics.OnConnectionCut("http", why);
  };
  server_options.handler = [endpoints](const http::HttpRequest& request) {
    return http::Serve(endpoints, request);
  };
  std::string host = server_options.address;
  ASSIGN_OR_RETURN(std::unique_ptr<http::Server> server,
                   http::Server::Start(std::move(server_options)), "--http-listen");
  return std::unique_ptr<Routes>(new Routes(std::move(host), std::move(server)));
}

Routes::Routes(std::string host, std::unique_ptr<http::Server> server)
    : host_(std::move(host)), server_(std::move(server)) {}

void Routes::Stop() { server_->Stop(); }

absl::Status Routes::ReloadTls() { return server_->ReloadTls(); }

std::string Routes::address() const { return absl::StrCat(host_, ":", server_->port()); }

}  // namespace fairlead::controller
