#include "controller/http/webhook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "controller/http/endpoints.h"

namespace fairlead::http {
namespace {

using ::testing::HasSubstr;
using Headers = std::map<std::string, std::string>;

constexpr char kSecret[] = "correct horse";
constexpr char kCommit[] = "4f2a91c04f2a91c04f2a91c04f2a91c04f2a91c0";

// By another library than the code under test uses.
std::string HmacOf(const std::string& body, const std::string& secret = kSecret) {
  std::array<unsigned char, 32> mac;
  unsigned length = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(body.data()), body.size(), mac.data(), &length);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(mac.data()), mac.size()));
}

std::string PushTo(const std::string& ref, const std::string& file = "stacks/web.toml") {
  return absl::StrCat(R"({"ref":")", ref,
                      R"(","before":"1111111111111111111111111111111111111111","after":")", kCommit,
                      R"(","commits":[{"added":[],"modified":[")", file, R"("],"removed":[]}]})");
}

HttpRequest Post(const std::string& target, const std::string& body, Headers headers) {
  return {.method = "POST", .target = target, .headers = std::move(headers), .body = body};
}

HttpRequest Signed(const std::string& target, const std::string& body, Headers headers = {}) {
  headers["x-hub-signature-256"] = absl::StrCat("sha256=", HmacOf(body));
  return Post(target, body, std::move(headers));
}

std::optional<WebhookTarget> Find(const std::string& kind, const std::string& name) {
  WebhookTarget target{.name = name, .secret = kSecret, .branch = "main"};
  if (kind != "resource_sync") return name == "shop" ? std::optional(target) : std::nullopt;
  if (name == "main" || name == "team/a b") return target;
  if (name == "some") {
    target.paths = {"./stacks/", "top.toml"};
    return target;
  }
  if (name == "off") {
    target.enabled = false;
    return target;
  }
  if (name == "open") {
    target.secret = "";
    return target;
  }
  if (name == "any") {
    target.branch = "";
    return target;
  }
  return std::nullopt;
}

struct Case {
  std::string name;
  HttpRequest request;
  WebhookOutcome outcome;
  int status;
};

void ExpectAll(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const WebhookDecision decision = DecideWebhook(c.request, Find);
    EXPECT_EQ(decision.outcome, c.outcome)
        << c.name << ": " << WebhookOutcomeName(decision.outcome) << " " << decision.reply.body;
    EXPECT_EQ(decision.reply.status, c.status) << c.name;
    EXPECT_THAT(decision.reply.body, Not(HasSubstr(kSecret))) << c.name;
  }
}

TEST(WebhookTest, AuthenticPushesAreAccepted) {
  const std::string body = PushTo("refs/heads/main");
  ExpectAll({
      {"github", Signed("/webhook/github/main", body, {{"x-github-event", "push"}}),
       WebhookOutcome::kAccepted, 202},
      {"gitea by its own header",
       Post("/webhook/gitea/main", body, {{"x-gitea-signature", HmacOf(body)}}),
       WebhookOutcome::kAccepted, 202},
      {"gitea by the other header", Signed("/webhook/gitea/main", body), WebhookOutcome::kAccepted,
       202},
      {"gitlab",
       Post("/webhook/gitlab/main", body,
            {{"x-gitlab-token", kSecret}, {"x-gitlab-event", "Push Hook"}}),
       WebhookOutcome::kAccepted, 202},
      {"generic signature", Signed("/webhook/generic/main", body), WebhookOutcome::kAccepted, 202},
      {"generic token", Post("/webhook/generic/main", body, {{"x-fairlead-token", kSecret}}),
       WebhookOutcome::kAccepted, 202},
      {"generic bearer without a body",
       Post("/webhook/generic/main", "", {{"authorization", absl::StrCat("Bearer ", kSecret)}}),
       WebhookOutcome::kAccepted, 202},
      {"older path, github", Signed("/listener/github/sync/main/sync", body),
       WebhookOutcome::kAccepted, 202},
      {"older path, gitlab",
       Post("/listener/gitlab/sync/main/refresh", body, {{"x-gitlab-token", kSecret}}),
       WebhookOutcome::kAccepted, 202},
      {"stack", Signed("/webhook/gitea/stack/shop", body), WebhookOutcome::kAccepted, 202},
      {"repo", Signed("/webhook/github/repo/shop", body), WebhookOutcome::kAccepted, 202},
      {"build", Signed("/webhook/github/build/shop", body), WebhookOutcome::kAccepted, 202},
      {"older path, build", Signed("/listener/github/build/shop", body), WebhookOutcome::kAccepted,
       202},
      {"older path, stack", Signed("/listener/github/stack/shop/deploy", body),
       WebhookOutcome::kAccepted, 202},
      {"older path, repo", Signed("/listener/github/repo/shop/pull", body),
       WebhookOutcome::kAccepted, 202},
      {"encoded name and query", Signed("/webhook/github/team%2Fa%20b?x=1", body),
       WebhookOutcome::kAccepted, 202},
      {"no branch wanted", Signed("/webhook/github/any", PushTo("refs/heads/dev")),
       WebhookOutcome::kAccepted, 202},
  });
}

TEST(WebhookTest, AcceptedNamesWhatIsAskedOfARepo) {
  const std::string body = PushTo("refs/heads/main");
  for (const char* verb : {"clone", "pull", "build"}) {
    const WebhookDecision decision =
        DecideWebhook(Signed(absl::StrCat("/listener/github/repo/shop/", verb), body), Find);
    EXPECT_EQ(decision.outcome, WebhookOutcome::kAccepted) << verb;
    EXPECT_EQ(decision.kind, "repo");
    EXPECT_EQ(decision.verb, verb);
  }
  EXPECT_EQ(DecideWebhook(Signed("/webhook/github/repo/shop", body), Find).verb, "");
}

TEST(WebhookTest, AcceptedNamesSyncAndCommit) {
  const WebhookDecision decision =
      DecideWebhook(Signed("/webhook/github/main", PushTo("refs/heads/main")), Find);
  EXPECT_EQ(decision.name, "main");
  EXPECT_EQ(decision.commit, kCommit);
  EXPECT_EQ(decision.provider, "github");
  EXPECT_EQ(decision.reply.content_type, "application/json");
  EXPECT_EQ(decision.reply.body, "{\"result\":\"accepted\",\"sync\":\"main\"}\n");
}

TEST(WebhookTest, AStackIsNamedAsSuch) {
  const WebhookDecision decision =
      DecideWebhook(Signed("/webhook/github/stack/shop", PushTo("refs/heads/dev")), Find);
  EXPECT_EQ(decision.kind, "stack");
  EXPECT_EQ(decision.name, "shop");
  EXPECT_EQ(decision.reason, "the push is to refs/heads/dev, the stack follows main");
  EXPECT_THAT(decision.reply.body, HasSubstr("\"stack\":\"shop\""));
}

TEST(WebhookTest, ForgedOrUnknownIsRefused) {
  const std::string body = PushTo("refs/heads/main");
  const std::string prefixed = absl::StrCat("sha256=", HmacOf(body));
  HttpRequest get = Signed("/webhook/github/main", body);
  get.method = "GET";
  const std::string large = R"({"a":")" + std::string(1u << 20, 'x') + "\"}";
  ExpectAll({
      {"no signature", Post("/webhook/github/main", body, {}), WebhookOutcome::kBadSignature, 401},
      {"other body", Post("/webhook/github/main", body + " ", {{"x-hub-signature-256", prefixed}}),
       WebhookOutcome::kBadSignature, 401},
      {"other secret",
       Post("/webhook/github/main", body,
            {{"x-hub-signature-256", absl::StrCat("sha256=", HmacOf(body, "wrong"))}}),
       WebhookOutcome::kBadSignature, 401},
      {"old hash",
       Post("/webhook/github/main", body,
            {{"x-hub-signature", absl::StrCat("sha1=", HmacOf(body))}}),
       WebhookOutcome::kBadSignature, 401},
      {"no prefix", Post("/webhook/github/main", body, {{"x-hub-signature-256", HmacOf(body)}}),
       WebhookOutcome::kBadSignature, 401},
      {"token where a signature belongs",
       Post("/webhook/github/main", body, {{"x-gitlab-token", kSecret}}),
       WebhookOutcome::kBadSignature, 401},
      {"signature where a token belongs", Signed("/webhook/gitlab/main", body),
       WebhookOutcome::kBadSignature, 401},
      {"wrong token", Post("/webhook/gitlab/main", body, {{"x-gitlab-token", "correct hors"}}),
       WebhookOutcome::kBadSignature, 401},
      {"wrong bearer", Post("/webhook/generic/main", body, {{"authorization", "Bearer "}}),
       WebhookOutcome::kBadSignature, 401},
      {"basic login",
       Post("/webhook/generic/main", body, {{"authorization", absl::StrCat("Basic ", kSecret)}}),
       WebhookOutcome::kBadSignature, 401},
      {"empty secret, empty token", Post("/webhook/gitlab/open", body, {{"x-gitlab-token", ""}}),
       WebhookOutcome::kNoSecret, 403},
      {"disabled", Signed("/webhook/github/off", body), WebhookOutcome::kDisabled, 403},
      {"unknown sync", Signed("/webhook/github/none", body), WebhookOutcome::kUnknownSync, 404},
      {"unknown provider", Signed("/webhook/cvs/main", body), WebhookOutcome::kUnknownPath, 404},
      {"no name", Signed("/webhook/github/", body), WebhookOutcome::kUnknownPath, 404},
      {"broken escape", Signed("/webhook/github/ma%i", body), WebhookOutcome::kUnknownPath, 404},
      {"unknown stack", Signed("/listener/github/stack/main/deploy", body),
       WebhookOutcome::kUnknownSync, 404},
      {"other kind", Signed("/listener/github/build/shop/build", body),
       WebhookOutcome::kUnknownPath, 404},
      {"other verb", Signed("/listener/github/repo/shop/deploy", body),
       WebhookOutcome::kUnknownPath, 404},
      {"other provider of older paths", Signed("/listener/gitea/stack/shop/deploy", body),
       WebhookOutcome::kUnknownPath, 404},
      {"method", get, WebhookOutcome::kBadMethod, 405},
      {"size", Signed("/webhook/github/main", large), WebhookOutcome::kTooLarge, 413},
      {"truncated body", Signed("/webhook/github/main", body.substr(0, 40)),
       WebhookOutcome::kBadBody, 400},
      {"empty body", Signed("/webhook/github/main", ""), WebhookOutcome::kBadBody, 400},
      {"not an object", Signed("/webhook/github/main", "[]"), WebhookOutcome::kBadBody, 400},
      {"form without payload",
       Signed("/webhook/github/main", "a=b",
              {{"content-type", "application/x-www-form-urlencoded"}}),
       WebhookOutcome::kBadBody, 400},
  });
}

TEST(WebhookTest, EmptySecretSaysWhatToSet) {
  const WebhookDecision decision =
      DecideWebhook(Post("/webhook/gitlab/open", "{}", {{"x-gitlab-token", ""}}), Find);
  EXPECT_THAT(decision.reply.body, HasSubstr("webhook_secret"));
}

TEST(WebhookTest, AuthenticButIrrelevantIsIgnored) {
  ExpectAll({
      {"ping", Signed("/webhook/github/main", R"({"zen":"x"})", {{"x-github-event", "ping"}}),
       WebhookOutcome::kPing, 200},
      {"forged ping", Post("/webhook/github/main", "{}", {{"x-github-event", "ping"}}),
       WebhookOutcome::kBadSignature, 401},
      {"other event",
       Signed("/webhook/github/main", PushTo("refs/heads/main"), {{"x-github-event", "issues"}}),
       WebhookOutcome::kIgnored, 200},
      {"other branch", Signed("/webhook/github/main", PushTo("refs/heads/dev")),
       WebhookOutcome::kIgnored, 200},
      {"branch that only ends alike", Signed("/webhook/github/main", PushTo("refs/heads/x/main")),
       WebhookOutcome::kIgnored, 200},
      {"tag of the branch's name", Signed("/webhook/github/main", PushTo("refs/tags/main")),
       WebhookOutcome::kAccepted, 202},
      {"other folder", Signed("/webhook/github/some", PushTo("refs/heads/main", "docs/readme.md")),
       WebhookOutcome::kIgnored, 200},
      {"folder of a similar name",
       Signed("/webhook/github/some", PushTo("refs/heads/main", "stacks2/web.toml")),
       WebhookOutcome::kIgnored, 200},
      {"folder", Signed("/webhook/github/some", PushTo("refs/heads/main")),
       WebhookOutcome::kAccepted, 202},
      {"file", Signed("/webhook/github/some", PushTo("refs/heads/main", "top.toml")),
       WebhookOutcome::kAccepted, 202},
      {"files not told", Signed("/webhook/github/some", R"({"ref":"refs/heads/main"})"),
       WebhookOutcome::kAccepted, 202},
  });
}

TEST(WebhookTest, IgnoredSaysWhy) {
  const WebhookDecision decision =
      DecideWebhook(Signed("/webhook/github/main", PushTo("refs/heads/dev")), Find);
  EXPECT_EQ(decision.reason, "the push is to refs/heads/dev, the sync follows main");
  EXPECT_EQ(decision.reply.body,
            "{\"result\":\"ignored\",\"sync\":\"main\",\"reason\":\"the push is to "
            "refs/heads/dev, the sync follows main\"}\n");
}

TEST(WebhookTest, FormsAreRead) {
  const std::string body = "other=1&payload=%7B%22ref%22%3A+%22refs%2Fheads%2Fdev%22%7D";
  const WebhookDecision decision =
      DecideWebhook(Signed("/webhook/github/main", body,
                           {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"}}),
                    Find);
  EXPECT_EQ(decision.outcome, WebhookOutcome::kIgnored) << decision.reply.body;
  EXPECT_THAT(decision.reason, HasSubstr("refs/heads/dev"));
}

TEST(EndpointsTest, AnswersByAddress) {
  absl::Status ready = absl::UnavailableError("the store is not open");
  std::vector<WebhookDecision> seen;
  const Endpoints endpoints = {
      .ready = [&] { return ready; },
      .metrics = [] { return std::string("up 1\n"); },
      .find_target = Find,
      .on_webhook = [&](const WebhookDecision& decision) { seen.push_back(decision); }};
  const auto get = [&](const std::string& target) {
    return Serve(endpoints, {.method = "GET", .target = target});
  };
  EXPECT_EQ(get("/healthz").status, 200);
  EXPECT_EQ(get("/readyz").status, 503);
  EXPECT_EQ(get("/readyz").body, "not ready: the store is not open\n");
  ready = absl::OkStatus();
  EXPECT_EQ(get("/readyz?verbose").status, 200);
  EXPECT_EQ(get("/metrics").body, "up 1\n");
  EXPECT_THAT(get("/metrics").content_type, HasSubstr("version=0.0.4"));
  EXPECT_EQ(get("/").status, 404);
  EXPECT_EQ(get("/metrics/x").status, 404);
  EXPECT_EQ(Serve(endpoints, {.method = "POST", .target = "/healthz"}).status, 405);
  EXPECT_EQ(Serve({}, {.method = "GET", .target = "/metrics"}).status, 404);

  const std::string body = PushTo("refs/heads/main");
  EXPECT_EQ(Serve(endpoints, Signed("/webhook/github/main", body)).status, 202);
  EXPECT_EQ(Serve(endpoints, Post("/webhook/github/main", body, {})).status, 401);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].name, "main");
  EXPECT_EQ(WebhookOutcomeName(seen[1].outcome), "bad_signature");
}

TEST(EndpointsTest, MetricsAreForThoseWhoMaySeeThem) {
  const Endpoints endpoints = {.metrics = [] { return std::string("up 1\n"); },
                               .check_metrics = [](const HttpRequest& request) -> absl::Status {
                                 if (request.Header("authorization").empty())
                                   return absl::UnauthenticatedError("who?");
                                 if (request.Header("authorization") == "Bearer good")
                                   return absl::OkStatus();
                                 return absl::PermissionDeniedError("not you");
                               }};
  const auto get = [&](const std::map<std::string, std::string>& headers) {
    return Serve(endpoints, {.method = "GET", .target = "/metrics", .headers = headers});
  };
  EXPECT_EQ(get({}).status, 401);
  EXPECT_EQ(get({}).headers.at("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(get({{"authorization", "Bearer other"}}).status, 403);
  EXPECT_EQ(get({{"authorization", "Bearer good"}}).body, "up 1\n");
  EXPECT_EQ(Serve(endpoints, {.method = "GET", .target = "/healthz"}).status, 200);
}

}  // namespace
}  // namespace fairlead::http
