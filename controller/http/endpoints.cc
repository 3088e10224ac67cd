#include "controller/http/endpoints.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace fairlead::http {
namespace {

HttpReply Ready(const Endpoints& endpoints) {
  const absl::Status status = endpoints.ready ? endpoints.ready() : absl::OkStatus();
  if (status.ok()) return {.status = 200, .body = "ok\n"};
  return {.status = 503, .body = absl::StrCat("not ready: ", status.message(), "\n")};
}

HttpReply Refusal(const absl::Status& why) {
  const std::string body = absl::StrCat(why.message(), "\n");
  if (absl::IsResourceExhausted(why)) {
    // At least one call a second is allowed to everybody.
    return {.status = 429, .body = body, .headers = {{"Retry-After", "1"}}};
  }
  if (!absl::IsUnauthenticated(why)) return {.status = 403, .body = body};
  return {.status = 401, .body = body, .headers = {{"WWW-Authenticate", "Bearer"}}};
}

}  // namespace

HttpReply Serve(const Endpoints& endpoints, const HttpRequest& request) {
  if (endpoints.check_rate != nullptr) {
    const absl::Status rate = endpoints.check_rate(request);
    if (!rate.ok()) return Refusal(rate);
  }
  if (IsWebhookTarget(request.target)) {
    WebhookDecision decision = DecideWebhook(request, endpoints.find_target);
    if (endpoints.on_webhook) endpoints.on_webhook(decision);
    return std::move(decision.reply);
  }
  const absl::string_view target = request.target;
  const absl::string_view path = target.substr(0, target.find('?'));
  const bool is_known = path == "/healthz" || path == "/readyz" ||
                        (path == "/metrics" && endpoints.metrics != nullptr);
  if (!is_known) return {.status = 404, .body = "nothing here\n"};
  if (request.method != "GET" && request.method != "HEAD") {
    return {.status = 405, .body = "use GET\n", .headers = {{"Allow", "GET, HEAD"}}};
  }
  if (path == "/healthz") return {.status = 200, .body = "ok\n"};
  if (path == "/readyz") return Ready(endpoints);
  if (endpoints.check_metrics != nullptr) {
    const absl::Status allowed = endpoints.check_metrics(request);
    if (!allowed.ok()) return Refusal(allowed);
  }
  return {.status = 200,
          .content_type = "text/plain; version=0.0.4; charset=utf-8",
          .body = endpoints.metrics()};
}

}  // namespace fairlead::http
