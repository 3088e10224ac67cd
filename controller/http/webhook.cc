#include "controller/http/webhook.h"

#include <algorithm>
#include <array>
#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "controller/http/push_event.h"
#include "controller/http/signature.h"

namespace fairlead::http {
namespace {

namespace json = boost::json;

struct Route {
  std::string provider;
  std::string kind;
  std::string name;
  // Of an older path: what is asked for.
  std::string verb;

  // As people call it.
  std::string Noun() const { return kind == "resource_sync" ? "sync" : kind; }
};

struct OutcomeRow {
  WebhookOutcome outcome;
  const char* name;
  int status;
};
constexpr std::array<OutcomeRow, 11> kOutcomes = {{
    {WebhookOutcome::kAccepted, "accepted", 202},
    {WebhookOutcome::kIgnored, "ignored", 200},
    {WebhookOutcome::kPing, "ping", 200},
    {WebhookOutcome::kUnknownPath, "unknown_path", 404},
    {WebhookOutcome::kUnknownSync, "unknown_sync", 404},
    {WebhookOutcome::kBadMethod, "bad_method", 405},
    {WebhookOutcome::kTooLarge, "too_large", 413},
    {WebhookOutcome::kDisabled, "disabled", 403},
    {WebhookOutcome::kNoSecret, "no_secret", 403},
    {WebhookOutcome::kBadSignature, "bad_signature", 401},
    {WebhookOutcome::kBadBody, "bad_body", 400},
}};

const OutcomeRow& RowOf(WebhookOutcome outcome) {
  return *std::find_if(kOutcomes.begin(), kOutcomes.end(),
                       [&](const OutcomeRow& row) { return row.outcome == outcome; });
}

bool IsHexDigit(char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); }

// %XX decoded; in a form also '+'. nullopt for a broken escape.
std::optional<std::string> Decode(absl::string_view text, bool is_form) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size() || !IsHexDigit(text[i + 1]) || !IsHexDigit(text[i + 2])) {
        return std::nullopt;
      }
      decoded += absl::HexStringToBytes(text.substr(i + 1, 2));
      i += 2;
    } else {
      decoded.push_back(is_form && text[i] == '+' ? ' ' : text[i]);
    }
  }
  return decoded;
}

// The last part of an older path.
bool IsListenerVerb(absl::string_view kind, absl::string_view verb) {
  if (kind == "sync") return verb == "refresh" || verb == "sync";
  if (kind == "stack") return verb == "refresh" || verb == "deploy";
  return kind == "repo" && (verb == "clone" || verb == "pull" || verb == "build");
}

std::optional<Route> ParseTarget(absl::string_view target) {
  const absl::string_view path = target.substr(0, target.find_first_of("?#"));
  // Split before decoding: a name may hold an encoded slash.
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
  const auto is_one_of = [](absl::string_view text, const std::vector<absl::string_view>& texts) {
    return std::find(texts.begin(), texts.end(), text) != texts.end();
  };
  absl::string_view kind = "sync";
  absl::string_view name;
  absl::string_view verb;
  const bool is_own = !parts.empty() && parts[0] == "webhook";
  const bool is_listener = !parts.empty() && parts[0] == "listener";
  std::vector<absl::string_view> kinds;
  if (is_own) kinds = {"stack", "repo", "build"};
  if (is_listener) kinds = {"build"};
  if (is_own && parts.size() == 3) {
    name = parts[2];
  } else if (parts.size() == 4 && is_one_of(parts[2], kinds)) {
    kind = parts[2];
    name = parts[3];
  } else if (parts.size() == 5 && is_listener && IsListenerVerb(parts[2], parts[4])) {
    kind = parts[2];
    name = parts[3];
    verb = parts[4];
  } else {
    return std::nullopt;
  }
  const bool known = is_own ? is_one_of(parts[1], {"github", "gitlab", "gitea", "generic"})
                            : is_one_of(parts[1], {"github", "gitlab"});
  std::optional<std::string> decoded = Decode(name, /*is_form=*/false);
  if (!known || !decoded.has_value()) return std::nullopt;
  return Route{std::string(parts[1]), kind == "sync" ? "resource_sync" : std::string(kind),
               *std::move(decoded), std::string(verb)};
}

bool IsAuthentic(const HttpRequest& request, const std::string& provider,
                 const std::string& secret) {
  if (provider == "gitlab") return IsSameSecret(request.Header("x-gitlab-token"), secret);
  absl::string_view signature = request.Header("x-hub-signature-256");
  if (absl::ConsumePrefix(&signature, "sha256=")) {
    return IsSignatureOf(signature, request.body, secret);
  }
  if (provider == "gitea") {
    return IsSignatureOf(request.Header("x-gitea-signature"), request.body, secret);
  }
  if (provider != "generic") return false;
  const absl::string_view token = request.Header("x-fairlead-token");
  if (!token.empty()) return IsSameSecret(token, secret);
  absl::string_view bearer = request.Header("authorization");
  return absl::ConsumePrefix(&bearer, "Bearer ") && IsSameSecret(bearer, secret);
}

// What kind of event it is by the forge's header; empty when it says nothing.
absl::string_view EventName(const HttpRequest& request) {
  for (const char* name : {"x-github-event", "x-gitea-event", "x-gogs-event", "x-gitlab-event"}) {
    const absl::string_view event = request.Header(name);
    if (!event.empty()) return event;
  }
  return "";
}

bool IsPush(absl::string_view event) {
  return event.empty() || event == "push" || event == "Push Hook" || event == "Tag Push Hook" ||
         event == "System Hook";
}

// The JSON of a body that may be an HTML form, as GitHub sends it unless told otherwise.
std::optional<std::string> JsonOf(const HttpRequest& request) {
  if (!absl::StartsWithIgnoreCase(request.Header("content-type"),
                                  "application/x-www-form-urlencoded")) {
    return request.body;
  }
  for (absl::string_view field : absl::StrSplit(request.body, '&')) {
    if (absl::ConsumePrefix(&field, "payload=")) return Decode(field, /*is_form=*/true);
  }
  return std::nullopt;
}

bool IsWithin(absl::string_view file, absl::string_view path) {
  while (absl::ConsumePrefix(&path, "./") || absl::ConsumePrefix(&path, "/")) {
  }
  while (absl::ConsumeSuffix(&path, "/")) {
  }
  if (path.empty() || path == ".") return true;
  return absl::ConsumePrefix(&file, path) && (file.empty() || file[0] == '/');
}

// Why the push does not concern the resource; empty when it does.
std::string ReasonToIgnore(const PushEvent& event, const WebhookTarget& target,
                           const std::string& noun) {
  const auto short_name = [](absl::string_view ref) {
    absl::ConsumePrefix(&ref, "refs/heads/") || absl::ConsumePrefix(&ref, "refs/tags/");
    return ref;
  };
  if (!event.ref.empty() && !target.branch.empty() &&
      short_name(event.ref) != short_name(target.branch)) {
    return absl::StrCat("the push is to ", event.ref, ", the ", noun, " follows ", target.branch);
  }
  if (!event.changed.has_value() || target.paths.empty()) return "";
  for (const std::string& file : *event.changed) {
    for (const std::string& path : target.paths) {
      if (IsWithin(file, path)) return "";
    }
  }
  return absl::StrCat("no changed file is below the paths of the ", noun);
}

WebhookDecision Decided(WebhookOutcome outcome, const Route& route, const std::string& text) {
  const OutcomeRow& row = RowOf(outcome);
  WebhookDecision decision{.outcome = outcome, .provider = route.provider};
  json::object body;
  body["result"] = row.status < 300 ? row.name : "refused";
  if (outcome == WebhookOutcome::kAccepted || outcome == WebhookOutcome::kIgnored) {
    decision.kind = route.kind;
    decision.name = route.name;
    decision.verb = route.verb;
    body[route.Noun()] = route.name;
  }
  if (!text.empty()) body["reason"] = text;
  if (outcome == WebhookOutcome::kIgnored) decision.reason = text;
  decision.reply = {.status = row.status,
                    .content_type = "application/json",
                    .body = json::serialize(body) + "\n"};
  if (outcome == WebhookOutcome::kBadMethod) decision.reply.headers["Allow"] = "POST";
  return decision;
}

WebhookDecision DecidePush(const HttpRequest& request, const Route& route,
                           const WebhookTarget& target) {
  const absl::string_view name = EventName(request);
  if (name == "ping") return Decided(WebhookOutcome::kPing, route, "");
  if (!IsPush(name)) {
    return Decided(WebhookOutcome::kIgnored, route,
                   absl::StrCat("event \"", name, "\" is not a push"));
  }
  PushEvent event;
  // A generic caller may just say "look".
  if (!(route.provider == "generic" && request.body.empty())) {
    const std::optional<std::string> text = JsonOf(request);
    if (!text.has_value()) {
      return Decided(WebhookOutcome::kBadBody, route, "the form has no readable payload");
    }
    absl::StatusOr<PushEvent> parsed = ParsePushEvent(*text);
    if (!parsed.ok()) {
      return Decided(WebhookOutcome::kBadBody, route, std::string(parsed.status().message()));
    }
    event = *std::move(parsed);
  }
  const std::string reason = ReasonToIgnore(event, target, route.Noun());
  WebhookDecision decision =
      Decided(reason.empty() ? WebhookOutcome::kAccepted : WebhookOutcome::kIgnored, route, reason);
  decision.commit = event.commit;
  return decision;
}

}  // namespace

absl::string_view WebhookOutcomeName(WebhookOutcome outcome) { return RowOf(outcome).name; }

bool IsWebhookTarget(absl::string_view target) {
  return absl::StartsWith(target, "/webhook/") || absl::StartsWith(target, "/listener/");
}

WebhookDecision DecideWebhook(const HttpRequest& request, const FindTarget& find) {
  const std::optional<Route> route = ParseTarget(request.target);
  if (!route.has_value()) {
    return Decided(WebhookOutcome::kUnknownPath, {"unknown", "", ""},
                   "use /webhook/PROVIDER/SYNC or /webhook/PROVIDER/KIND/NAME with github, gitlab, "
                   "gitea or generic, and stack, repo or build");
  }
  if (request.method != "POST") {
    return Decided(WebhookOutcome::kBadMethod, *route, "webhooks are sent by POST");
  }
  if (request.body.size() > kMaxWebhookBody) {
    return Decided(WebhookOutcome::kTooLarge, *route, "the body is larger than 1 MiB");
  }
  const std::optional<WebhookTarget> target = find(route->kind, route->name);
  if (!target.has_value()) {
    return Decided(WebhookOutcome::kUnknownSync, *route,
                   absl::StrCat("there is no such ", route->kind));
  }
  if (!target->enabled) {
    return Decided(WebhookOutcome::kDisabled, *route,
                   absl::StrCat("webhook_enabled is false for this ", route->kind));
  }
  if (target->secret.empty()) {
    return Decided(WebhookOutcome::kNoSecret, *route,
                   absl::StrCat("no secret is set: set webhook_secret of the ", route->kind,
                                " or of the controller"));
  }
  if (!IsAuthentic(request, route->provider, target->secret)) {
    return Decided(WebhookOutcome::kBadSignature, *route,
                   "the signature or token is missing or does not match webhook_secret");
  }
  return DecidePush(request, *route, *target);
}

}  // namespace fairlead::http
