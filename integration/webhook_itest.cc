// Webhooks and the other HTTP endpoints of a running controller.
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "boost/json.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/http.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSecret[] = "open sesame";

// A fleet that polls once an hour: only webhooks bring commits.
class WebhookTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(fleet_.Start());
    fleet_.repository().Write("a.toml", ToToml({.name = "alpha"}));
    commit_ = fleet_.repository().Commit("alpha");
    fleet_.repository().Push();
    body_ = absl::StrCat(R"({"ref":"refs/heads/main","after":")", commit_, R"(","commits":[]})");
  }

  int Post(const std::string& target, const std::map<std::string, std::string>& headers,
           const std::string& body) {
    const auto answer = HttpPost(fleet_.http(), target, headers, body);
    return answer.ok() ? answer->status : 0;
  }

  void ExpectNotFetched() { EXPECT_THAT(fleet_.SyncStory(), Not(HasSubstr(commit_))); }

  void ExpectGoodOneWorks() {
    EXPECT_EQ(Post("/webhook/github/main",
                   {{"X-Hub-Signature-256", GitHubSignature(kSecret, body_)}}, body_),
              202);
    EXPECT_OK(fleet_.WaitConverged(commit_));
    EXPECT_OK(fleet_.WaitRunning("deployment/alpha", "fl/app:1"));
  }

  MiniFleet fleet_{FleetOptions{.poll_interval = "1h", .webhook_secret = kSecret}};
  std::string commit_;
  std::string body_;
};

TEST_F(WebhookTest, EveryProviderDeploys) {
  ExpectGoodOneWorks();
  const auto push = [&](const std::string& image) {
    fleet_.repository().Write("a.toml", ToToml({.name = "alpha", .image = image}));
    commit_ = fleet_.repository().Commit(image);
    fleet_.repository().Push();
  };
  push("fl/app:2");
  EXPECT_EQ(Post("/webhook/gitlab/main", {{"X-Gitlab-Token", kSecret}}, body_), 202);
  EXPECT_OK(fleet_.WaitConverged(commit_));
  push("fl/app:3");
  EXPECT_EQ(Post("/listener/github/sync/main/sync",
                 {{"X-Hub-Signature-256", GitHubSignature(kSecret, body_)}}, body_),
            202);
  EXPECT_OK(fleet_.WaitConverged(commit_));
  EXPECT_OK(fleet_.WaitRunning("deployment/alpha", "fl/app:3"));
}

TEST_F(WebhookTest, BadSignatureIsRefused) {
  EXPECT_EQ(Post("/webhook/github/main",
                 {{"X-Hub-Signature-256", GitHubSignature("another secret", body_)}}, body_),
            401);
  EXPECT_EQ(Post("/webhook/github/main", {}, body_), 401);
  EXPECT_EQ(Post("/webhook/gitlab/main", {{"X-Gitlab-Token", "open sesamf"}}, body_), 401);
  ExpectNotFetched();
  ExpectGoodOneWorks();
}

TEST_F(WebhookTest, HugeBodyIsRefused) {
  const std::string huge(3 << 20, 'x');
  EXPECT_EQ(
      Post("/webhook/github/main", {{"X-Hub-Signature-256", GitHubSignature(kSecret, huge)}}, huge),
      413);
  ExpectNotFetched();
  ExpectGoodOneWorks();
}

TEST_F(WebhookTest, TruncatedBodyIsRefused) {
  const std::string half = body_.substr(0, body_.size() / 2);
  // Signed and complete, but not JSON.
  EXPECT_EQ(
      Post("/webhook/github/main", {{"X-Hub-Signature-256", GitHubSignature(kSecret, half)}}, half),
      400);
  // Shorter than it says.
  const auto answer =
      SendRaw(fleet_.http(),
              absl::StrCat(
                  "POST /webhook/github/main HTTP/1.1\r\nHost: x\r\nContent-Length: ", body_.size(),
                  "\r\nX-Hub-Signature-256: ", GitHubSignature(kSecret, body_), "\r\n\r\n", half),
              /*close_after_send=*/true);
  if (answer.ok()) {
    EXPECT_EQ(answer->status, 400);
  }
  ExpectNotFetched();
  ExpectGoodOneWorks();
}

TEST_F(WebhookTest, OtherBranchIsIgnored) {
  const std::string other = R"({"ref":"refs/heads/else","commits":[]})";
  EXPECT_EQ(Post("/webhook/github/main", {{"X-Hub-Signature-256", GitHubSignature(kSecret, other)}},
                 other),
            200);
  ExpectNotFetched();
  ExpectGoodOneWorks();
}

TEST_F(WebhookTest, UnknownSyncIsNotFound) {
  EXPECT_EQ(Post("/webhook/github/nothing",
                 {{"X-Hub-Signature-256", GitHubSignature(kSecret, body_)}}, body_),
            404);
  ExpectGoodOneWorks();
}

TEST_F(WebhookTest, HealthAndMetricsAnswer) {
  for (const char* path : {"/healthz", "/readyz"}) {
    const auto answer = HttpGet(fleet_.http(), path);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(answer->status, 200) << path << " " << answer->body;
  }
  ExpectGoodOneWorks();
  const auto metrics = HttpGet(fleet_.http(), "/metrics");
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  for (const char* name :
       {"fairlead_plan_duration_seconds_bucket", "fairlead_fetch_duration_seconds_count",
        "fairlead_actions_total", "fairlead_resources{", "fairlead_agents_connected 1",
        "fairlead_webhooks_total"}) {
    EXPECT_THAT(metrics->body, HasSubstr(name));
  }
  ASSERT_OK(base::WriteFileAtomically(fleet_.directory() + "/metrics", metrics->body));
  const CommandResult lint = RunCommand(
      {"sh", "-c", absl::StrCat("promtool check metrics < ", fleet_.directory(), "/metrics")});
  EXPECT_EQ(lint.exit_code, 0) << lint.out << lint.err;
}

TEST_F(WebhookTest, PrometheusScrapes) {
  const std::string listen = absl::StrCat("127.0.0.1:", FreePort());
  const std::string config = fleet_.directory() + "/prometheus.yml";
  ASSERT_OK(base::WriteFileAtomically(
      config,
      absl::StrCat("global: {scrape_interval: 500ms}\nscrape_configs:\n  - job_name: fairlead\n",
                   "    static_configs: [{targets: ['", fleet_.http(), "']}]\n"),
      0644));
  Process prometheus;
  ASSERT_OK(prometheus.Start(
      {"prometheus", "--config.file=" + config,
       "--storage.tsdb.path=" + fleet_.directory() + "/tsdb", "--web.listen-address=" + listen},
      fleet_.directory() + "/prometheus.log"));
  // The value of a query as Prometheus answers it.
  const auto ask = [&](const std::string& query) -> std::string {
    const auto answer = HttpGet(listen, absl::StrCat("/api/v1/query?query=", query));
    return answer.ok() ? answer->body : "";
  };
  EXPECT_OK(WaitFor("a good scrape",
                    [&] { return absl::StrContains(ask("up{job=\"fairlead\"}"), ",\"1\"]"); }));
  EXPECT_OK(WaitFor("our agent in Prometheus", [&] {
    return absl::StrContains(ask("fairlead_agents_connected"), ",\"1\"]");
  })) << TailOf(prometheus.log(), 20);
}

}  // namespace
}  // namespace fairlead::integration
