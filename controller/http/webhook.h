// What a push notification means.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "controller/http/message.h"

namespace fairlead::http {

// A resource with a repository, as webhooks see it.
struct WebhookTarget {
  std::string name;
  // Shared with the forge; empty refuses every webhook.
  std::string secret;
  // Branch or tag it follows, with or without "refs/heads/"; empty: any.
  std::string branch;
  // Files and folders whose change matters, from the root of the repository; empty: any.
  std::vector<std::string> paths;
  bool enabled = true;
};

// nullopt when there is none; `kind` is "resource_sync", "stack", "repo" or "build".
using FindTarget =
    std::function<std::optional<WebhookTarget>(const std::string& kind, const std::string& name)>;

enum class WebhookOutcome {
  // The repository must be looked at.
  kAccepted,
  // Authentic, but of no concern to the resource; `reason` says why.
  kIgnored,
  // The forge tries out the address.
  kPing,
  kUnknownPath,
  kUnknownSync,
  kBadMethod,
  kTooLarge,
  kDisabled,
  // There is no secret, so nothing can be authentic.
  kNoSecret,
  kBadSignature,
  kBadBody,
};

// "accepted", "bad_signature", ...: the label of the metric.
absl::string_view WebhookOutcomeName(WebhookOutcome outcome);

struct WebhookDecision {
  WebhookOutcome outcome = WebhookOutcome::kUnknownPath;
  // "github", "gitlab", "gitea" or "generic"; "unknown" before that is known. Never other text of
  // the client, as it labels a metric.
  std::string provider = "unknown";
  HttpReply reply;
  // With kAccepted and kIgnored: the resource.
  std::string kind;
  std::string name;
  // Of a repo by an older path: "clone", "pull" or "build".
  std::string verb;
  // The new commit, 40 hexadecimal digits, when the forge names it.
  std::string commit;
  // Why it was ignored.
  std::string reason;
};

inline constexpr std::size_t kMaxWebhookBody = 1u << 20;

// Whether the target belongs to DecideWebhook.
bool IsWebhookTarget(absl::string_view target);

// Pure. Understands POST /webhook/{github|gitlab|gitea|generic}/SYNC, the same with stack/NAME,
// repo/NAME or build/NAME in the place of SYNC, and the older
// /listener/{github|gitlab}/KIND/NAME/VERB with sync and {refresh|sync}, stack and
// {refresh|deploy}, repo and {clone|pull|build}, or build without a verb; names are
// percent-encoded. Authentic is, compared in constant time: an HMAC-SHA256 over the body in
// X-Hub-Signature-256 ("sha256=HEX"; github, gitea, generic) or X-Gitea-Signature (HEX; gitea), or
// the secret itself in X-Gitlab-Token (gitlab), X-Fairlead-Token or "Authorization: Bearer"
// (generic).
WebhookDecision DecideWebhook(const HttpRequest& request, const FindTarget& find);

}  // namespace fairlead::http
