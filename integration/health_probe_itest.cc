// Health checks that the agent makes itself.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kWeb[] = "deployment/web";
// Serves what is in /www.
constexpr char kServe[] = "exec httpd -f -p 8080 -h /www";
constexpr char kReady[] = "echo ok > /www/health; exec httpd -f -p 8080 -h /www";

// fl/exits:1 has no health check of its own.
std::string Web(const std::string& script, const std::string& check,
                const std::string& timeout = "60s", const std::string& more = "") {
  return absl::StrCat("[[deployment]]\nname = \"web\"\n[deployment.config]\nserver = \"host-1\"\n",
                      "image = \"fl/exits:1\"\ntermination_timeout = 1\nhealth_timeout = \"",
                      timeout, "\"\ncommand = \"sh -c '", script, "'\"\nhealthcheck = { ", check,
                      ", interval = \"300ms\", timeout = \"2s\", retries = 2 }\n", more);
}

constexpr char kHttp[] = "http = \"http://web:8080/health\"";

class HealthProbeTest : public testing::Test {
 protected:
  HealthProbeTest() : fleet_({.agents_beside_containers = true}) {}
  void SetUp() override { ASSERT_OK(fleet_.Start()); }

  void InWeb(const std::string& script) {
    fleet_.engine().Docker({"exec", "web", "sh", "-c", script});
  }
  std::string WebField(const std::string& field) {
    return fleet_.engine().Docker({"inspect", "--format", field, "web"});
  }

  MiniFleet fleet_;
};

TEST_F(HealthProbeTest, DependentsWaitForIt) {
  fleet_.repository().Write("late.toml", ToToml({.name = "late", .after = "\"web\""}));
  const std::string commit = fleet_.PushFile("web.toml", Web(kServe, kHttp));
  EXPECT_OK(fleet_.WaitStory(kWeb, ":8080/health: 404 Not Found"));
  EXPECT_EQ(fleet_.Condition("deployment/late"), "BLOCKED");
  EXPECT_THAT(fleet_.engine().Containers("deployment/late"), IsEmpty());

  InWeb("echo ok > /www/health");

  EXPECT_OK(fleet_.WaitConverged(commit));
  EXPECT_OK(fleet_.WaitRunning("deployment/late", "fl/app:1"));
  EXPECT_EQ(WebField("{{json .State.Health}}"), "null") << "docker has no check of its own";
}

TEST_F(HealthProbeTest, AnUnhealthyOneIsDegradedAndThenRestarted) {
  const std::string commit = fleet_.PushFile("web.toml", Web(kReady, kHttp, "15s"));
  ASSERT_OK(fleet_.WaitConverged(commit));
  const std::string id = fleet_.engine().IdOf("web");
  const std::string started = WebField("{{.State.StartedAt}}");

  InWeb("rm /www/health");

  EXPECT_OK(fleet_.WaitCondition(kWeb, "DEGRADED", absl::Seconds(10)));
  EXPECT_THAT(fleet_.Story(kWeb), HasSubstr("is unhealthy: GET http://172.30.0."));
  EXPECT_THAT(fleet_.Story(kWeb), HasSubstr(":8080/health: 404 Not Found"));
  EXPECT_EQ(WebField("{{.State.StartedAt}}"), started) << "it is given its time";
  // The restart makes the file again.
  EXPECT_OK(WaitFor("a restart", [&] { return WebField("{{.State.StartedAt}}") != started; }));
  EXPECT_OK(fleet_.WaitConverged(commit));
  EXPECT_EQ(fleet_.engine().IdOf("web"), id) << "restarted, not replaced";
}

TEST_F(HealthProbeTest, ANewOneThatIsNeverHealthyIsRolledBack) {
  ASSERT_OK(fleet_.WaitConverged(fleet_.PushFile("web.toml", Web(kReady, kHttp, "5s"))));
  const std::string id = fleet_.engine().IdOf("web");

  fleet_.PushFile("web.toml", Web(kReady, "http = \"http://web:8080/nowhere\"", "5s"));

  EXPECT_OK(fleet_.WaitCondition(kWeb, "DEGRADED"));
  EXPECT_OK(WaitFor("the old container", [&] { return fleet_.engine().IdOf("web") == id; }));
  EXPECT_OK(fleet_.WaitStory(kWeb, "was not healthy within 5s: GET http://"));
  EXPECT_OK(fleet_.WaitStory(kWeb, ":8080/nowhere: 404 Not Found"));
  EXPECT_OK(fleet_.WaitRunning(kWeb, "fl/exits:1"));
}

TEST_F(HealthProbeTest, ARestartedAgentKnowsItsProbes) {
  const std::string commit = fleet_.PushFile("web.toml", Web(kReady, kHttp));
  ASSERT_OK(fleet_.WaitConverged(commit));
  const std::string id = fleet_.engine().IdOf("web");

  fleet_.agent().Kill();
  InWeb("rm /www/health");
  ASSERT_OK(fleet_.StartAgent(1));

  EXPECT_OK(fleet_.WaitStory(kWeb, "is unhealthy: GET http://"));
  InWeb("echo ok > /www/health");
  EXPECT_OK(fleet_.WaitConverged(commit));
  EXPECT_EQ(fleet_.engine().IdOf("web"), id);
}

TEST_F(HealthProbeTest, AnAcceptedConnectionIsEnoughAndHostIsTheHostsOwn) {
  const std::string commit =
      fleet_.PushFile("web.toml", Web("sleep 2; exec httpd -f -p 8080 -h /www", "tcp = \":8080\"",
                                      "60s", "network = \"host\"\n"));
  EXPECT_OK(fleet_.WaitStory(kWeb, "connect to 127.0.0.1:8080: connection refused"));
  EXPECT_OK(fleet_.WaitConverged(commit));
}

TEST_F(HealthProbeTest, ANetworkWithoutAddressIsRefused) {
  fleet_.PushFile("web.toml", Web(kReady, kHttp, "60s", "network = \"none\"\n"));
  EXPECT_OK(fleet_.WaitCondition(kWeb, "INVALID"));
  EXPECT_THAT(fleet_.Story(kWeb), HasSubstr("has no address that the agent could ask"));
  EXPECT_EQ(fleet_.engine().IdOf("web"), "");
}

}  // namespace
}  // namespace fairlead::integration
