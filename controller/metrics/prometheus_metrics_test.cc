#include "controller/metrics/prometheus_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/subprocess.h"

namespace fairlead::metrics {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Everything once, so that every family has a series.
void ReportEverything(PrometheusMetrics& metrics) {
  metrics.OnPlanned(absl::Milliseconds(3), 2);
  metrics.OnFetched("main", absl::Seconds(1), absl::OkStatus());
  metrics.OnActionFinished(v1::STEP_ACTION_REPLACE, v1::ACTION_STATUS_SUCCEEDED, absl::Seconds(2));
  metrics.OnDriftFound("deployment");
  metrics.OnDriftHealed("deployment");
  metrics.OnResources({{{"deployment", v1::CONDITION_CONVERGED}, 3}});
  metrics.OnQueueDepth(4);
  metrics.OnAgents(2);
  metrics.OnAgentLag("edge-1", absl::Milliseconds(7));
  metrics.OnWebhook("github", "accepted");
  v1::Event event;
  event.set_type("rolled-back");
  metrics.OnEvent(event);
  metrics.OnConnections("grpc", 3);
  metrics.OnConnectionCut("grpc", "evicted");
  metrics.OnCallLimited();
}

std::vector<std::string> NamesIn(const std::string& text) {
  std::vector<std::string> names;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!absl::StartsWith(line, "# TYPE ")) continue;
    const std::vector<std::string> words = absl::StrSplit(line, ' ');
    names.push_back(words[2]);
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(PrometheusMetricsTest, CountsWhatItIsTold) {
  PrometheusMetrics metrics("1.2.3");
  ReportEverything(metrics);
  metrics.OnFetched("main", absl::Seconds(60), absl::DeadlineExceededError("slow"));
  metrics.OnPlanned(absl::Milliseconds(1), 5);
  const std::string text = metrics.Text();
  for (const char* line : {
           "fairlead_build_info{version=\"1.2.3\"} 1\n",
           "fairlead_plan_duration_seconds_count 2\n",
           "fairlead_plan_duration_seconds_bucket{le=\"0.001\"} 1\n",
           "fairlead_open_steps 5\n",
           "fairlead_queue_depth 4\n",
           "fairlead_agents_connected 2\n",
           "fairlead_agent_lag_seconds{server=\"edge-1\"} 0.007\n",
           "fairlead_drift_found_total{kind=\"deployment\"} 1\n",
           "fairlead_drift_healed_total{kind=\"deployment\"} 1\n",
           "fairlead_events_total{type=\"rolled-back\"} 1\n",
           "fairlead_events_total{type=\"procedure-failed\"} 0\n",
           "fairlead_connections{port=\"grpc\"} 3\n",
           "fairlead_connections_cut_total{port=\"grpc\",reason=\"evicted\"} 1\n",
           "fairlead_calls_limited_total 1\n",
           "fairlead_action_duration_seconds_sum{action=\"replace\"} 2\n",
       }) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  // Labels come in the order of their names.
  EXPECT_THAT(text,
              HasSubstr("fairlead_actions_total{action=\"replace\",outcome=\"succeeded\"} 1"));
  EXPECT_THAT(text,
              HasSubstr("fairlead_webhooks_total{outcome=\"accepted\",provider=\"github\"} 1"));
  EXPECT_THAT(text,
              HasSubstr("fairlead_fetch_duration_seconds_count{outcome=\"ok\",sync=\"main\"} 1"));
  EXPECT_THAT(text, HasSubstr("fairlead_fetch_duration_seconds_count{outcome=\"deadline_exceeded\","
                              "sync=\"main\"} 1"));
}

TEST(PrometheusMetricsTest, ActionsAreZeroBeforeTheFirst) {
  const std::string text = PrometheusMetrics("1").Text();
  EXPECT_THAT(text, HasSubstr("fairlead_actions_total{action=\"rollback\",outcome=\"failed\"} 0"));
  EXPECT_THAT(text, HasSubstr("fairlead_open_steps 0"));
  EXPECT_THAT(text, Not(HasSubstr("action=\"wait\"")));
  EXPECT_THAT(text, Not(HasSubstr("outcome=\"unspecified\"")));
}

TEST(PrometheusMetricsTest, EveryStateOfAKnownKindHasASeries) {
  PrometheusMetrics metrics("1");
  metrics.OnResources({{{"stack", v1::CONDITION_CONVERGED}, 3}});
  EXPECT_THAT(metrics.Text(),
              HasSubstr("fairlead_resources{kind=\"stack\",state=\"converged\"} 3"));
  EXPECT_THAT(metrics.Text(),
              HasSubstr("fairlead_resources{kind=\"stack\",state=\"crash_loop\"} 0"));
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("state=\"unspecified\"")));
  metrics.OnResources({{{"stack", v1::CONDITION_DEGRADED}, 1}});
  EXPECT_THAT(metrics.Text(),
              HasSubstr("fairlead_resources{kind=\"stack\",state=\"converged\"} 0"));
  EXPECT_THAT(metrics.Text(), HasSubstr("fairlead_resources{kind=\"stack\",state=\"degraded\"} 1"));
}

TEST(PrometheusMetricsTest, KindThatVanishedLosesItsSeriesAndMayComeBack) {
  PrometheusMetrics metrics("1");
  metrics.OnResources(
      {{{"stack", v1::CONDITION_CONVERGED}, 3}, {{"deployment", v1::CONDITION_CONVERGED}, 1}});
  metrics.OnResources({{{"deployment", v1::CONDITION_CONVERGED}, 1}});
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("kind=\"stack\"")));
  metrics.OnResources({{{"stack", v1::CONDITION_CONVERGED}, 2}});
  EXPECT_THAT(metrics.Text(),
              HasSubstr("fairlead_resources{kind=\"stack\",state=\"converged\"} 2"));
  EXPECT_THAT(metrics.Text(), Not(HasSubstr("kind=\"deployment\"")));
}

TEST(PrometheusMetricsTest, DriftFoundMakesItsHealedCounterpart) {
  PrometheusMetrics metrics("1");
  metrics.OnDriftFound("stack");
  EXPECT_THAT(metrics.Text(), HasSubstr("fairlead_drift_healed_total{kind=\"stack\"} 0"));
}

TEST(PrometheusMetricsTest, LabelValuesAreEscaped) {
  PrometheusMetrics metrics("1");
  metrics.OnAgentLag("a\"b\nc", absl::Seconds(1));
  EXPECT_THAT(metrics.Text(), HasSubstr("server=\"a\\\"b\\nc\""));
}

TEST(PrometheusMetricsTest, MayBeReadWhileItCounts) {
  PrometheusMetrics metrics("1");
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&metrics] {
      for (int i = 0; i < 100; ++i) ReportEverything(metrics);
    });
  }
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(metrics.Text().empty());
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(metrics.Text(), HasSubstr("fairlead_plan_duration_seconds_count 300\n"));
}

// Both ways: nothing undocumented, nothing documented that is not there.
TEST(PrometheusMetricsTest, DocumentationListsExactlyTheseNames) {
  PrometheusMetrics metrics("1");
  ReportEverything(metrics);
  const auto page = base::ReadFile(FAIRLEAD_SOURCE_DIR "/docs/metrics.md");
  ASSERT_TRUE(page.ok()) << page.status();
  std::vector<std::string> documented;
  for (absl::string_view line : absl::StrSplit(*page, '\n')) {
    if (!absl::StartsWith(line, "| `fairlead_")) continue;
    const std::vector<std::string> parts = absl::StrSplit(line, '`');
    // Of several controllers: OfficeMetrics, which MemberTest holds.
    if (absl::StartsWith(parts[1], "fairlead_controller_")) continue;
    documented.push_back(parts[1].substr(0, parts[1].find('{')));
  }
  std::sort(documented.begin(), documented.end());
  EXPECT_EQ(documented, NamesIn(metrics.Text()));
}

TEST(PrometheusMetricsTest, PromtoolFindsNothingToSay) {
  PrometheusMetrics metrics("1");
  ReportEverything(metrics);
  const auto result = base::RunSubprocess({.argv = {"promtool", "check", "metrics"},
                                           .input = metrics.Text(),
                                           .timeout = absl::Seconds(30)});
  if (absl::IsNotFound(result.status())) GTEST_SKIP() << "SKIPPED: promtool is not installed";
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->exit_code, 0) << result->out << result->err;
  EXPECT_EQ(absl::StrCat(result->out, result->err), "");
}

}  // namespace
}  // namespace fairlead::metrics
