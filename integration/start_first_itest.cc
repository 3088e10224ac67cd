// strategy = "start_first": a client that connects by name sees no replacement.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "boost/json.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

namespace json = boost::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kWeb[] = "deployment/web";
// Listens a second after its start, and ends what it has begun when it is stopped.
constexpr char kServe[] =
    "sleep 1; httpd -f -p 80 -h /www & p=$!; sleep 0.3; touch /tmp/ready; "
    "trap \"kill $p; sleep 1.5; exit 0\" TERM; wait $p";

std::string Web(const std::string& image, const std::string& script = kServe) {
  return ToToml({.name = "web",
                 .image = image,
                 .config = absl::StrCat("network = \"apps\"\nstrategy = \"start_first\"\n",
                                        "command = '''sh -c '", script, "' '''\n")});
}

// A client in the network of another container.
class NameClient {
 public:
  explicit NameClient(const MiniFleet& fleet)
      : fleet_(fleet), result_(absl::StrCat(fleet.directory(), "/client.json")) {}

  absl::Status Start() {
    const Engine& engine = fleet_.engine();
    engine.Docker({"run", "-d", "--name", "client", "--network", "apps", "fl/app:1"});
    const std::string pid = engine.Docker({"inspect", "--format", "{{.State.Pid}}", "client"});
    const std::string script = FAIRLEAD_SOURCE_DIR "/integration/testing/name_client.py";
    return process_.Start(engine.InNetwork({"nsenter", absl::StrCat("--net=/proc/", pid, "/ns/net"),
                                            "python3", script, "web", result_}),
                          absl::StrCat(fleet_.directory(), "/client.log"));
  }

  // What it saw until now; it ends.
  json::object Stop() {
    EXPECT_TRUE(process_.Running()) << TailOf(process_.log(), 20);
    process_.Stop();
    const auto text = base::ReadFile(result_);
    EXPECT_TRUE(text.ok()) << text.status();
    return text.ok() ? MiniFleet::AsObject(json::parse(*text)) : json::object();
  }

 private:
  const MiniFleet& fleet_;
  const std::string result_;
  Process process_;
};

// `web` serves its version 1 in network apps, and a client has begun.
class StartFirstTest : public testing::Test {
 protected:
  StartFirstTest() : client_(fleet_) {}

  void SetUp() override {
    ASSERT_OK(fleet_.Start());
    fleet_.engine().Docker({"network", "create", "apps"});
    ASSERT_OK(fleet_.WaitConverged(fleet_.PushFile("web.toml", Web("fl/app:1"))));
    ASSERT_OK(client_.Start());
  }

  // Waits until a container of this name is there in this state.
  absl::Status WaitForContainer(const std::string& name, const std::string& state) {
    return WaitFor(
        absl::StrCat(name, " to be ", state),
        [&] {
          for (const EngineContainer& one : fleet_.engine().Containers(kWeb)) {
            if (one.name == name && one.state == state) return true;
          }
          return false;
        },
        absl::Seconds(20), absl::Milliseconds(1));
  }

  void RestartAgent() {
    fleet_.agent().Kill();
    ASSERT_OK(fleet_.StartAgent(1));
  }

  // The client has had no failure and has seen each of `images`.
  void ExpectUndisturbed(const std::vector<std::string>& images) {
    const json::object seen = client_.Stop();
    EXPECT_THAT(seen.at("failures").as_array(), IsEmpty()) << json::serialize(seen);
    for (const std::string& image : images) {
      EXPECT_TRUE(seen.at("pages").as_object().contains(image)) << json::serialize(seen);
    }
    RecordProperty("client", std::string(json::serialize(seen)));
    seen_ = seen;
  }

  MiniFleet fleet_;
  NameClient client_;
  json::object seen_;
};

TEST_F(StartFirstTest, NoConnectionIsRefusedThroughReplacementsAndARollback) {
  for (const char* image : {"fl/app:2", "fl/app:3"}) {
    ASSERT_OK(fleet_.WaitConverged(fleet_.PushFile("web.toml", Web(image))));
    EXPECT_OK(fleet_.WaitRunning(kWeb, image));
  }
  const std::string good = fleet_.engine().IdOf("web");

  fleet_.PushFile(
      "web.toml",
      Web("fl/sick:1", "echo cannot reach the database; trap \"exit 0\" TERM; sleep 60 & wait"));
  ASSERT_OK(WaitForContainer("web.fairlead-new", "running"));
  ASSERT_OK(fleet_.WaitCondition(kWeb, "DEGRADED"));
  ASSERT_OK(fleet_.WaitRunning(kWeb, "fl/app:3"));

  EXPECT_THAT(fleet_.Story(kWeb), HasSubstr("cannot reach the database"));
  EXPECT_EQ(fleet_.engine().IdOf("web"), good) << "the old one has never stopped";
  ExpectUndisturbed({"fl/app:1", "fl/app:2", "fl/app:3"});
  EXPECT_GT(seen_.at("held_to_the_old").to_number<int>(), 0)
      << "a connection that was open when the name went: " << json::serialize(seen_);
}

TEST_F(StartFirstTest, AnAgentKilledInTheOverlapGoesOn) {
  std::string commit = fleet_.PushFile("web.toml", Web("fl/app:2"));
  ASSERT_OK(WaitForContainer("web.fairlead-new", "running"));
  ASSERT_NO_FATAL_FAILURE(RestartAgent());
  ASSERT_OK(fleet_.WaitConverged(commit));
  EXPECT_OK(fleet_.WaitRunning(kWeb, "fl/app:2"));

  commit = fleet_.PushFile("web.toml", Web("fl/app:3"));
  ASSERT_OK(WaitForContainer("web.fairlead-old", "running"));
  ASSERT_NO_FATAL_FAILURE(RestartAgent());
  ASSERT_OK(fleet_.WaitConverged(commit));
  EXPECT_OK(fleet_.WaitRunning(kWeb, "fl/app:3"));

  ExpectUndisturbed({"fl/app:1", "fl/app:2", "fl/app:3"});
}

TEST_F(StartFirstTest, WhatCannotBeThereTwiceIsRefusedWithAReason) {
  const std::string id = fleet_.engine().IdOf("web");

  fleet_.PushFile("web.toml", absl::StrCat(Web("fl/app:2"), "ports = \"18080:80\"\n"));

  ASSERT_OK(fleet_.WaitCondition(kWeb, "INVALID"));
  EXPECT_THAT(fleet_.Story(kWeb), AllOf(HasSubstr("two containers cannot hold host port 18080"),
                                        HasSubstr("or use strategy = \\\"recreate\\\"")));
  EXPECT_EQ(fleet_.engine().IdOf("web"), id);
  EXPECT_THAT(fleet_.engine().Containers(kWeb), SizeIs(1));
  ExpectUndisturbed({"fl/app:1"});
}

}  // namespace
}  // namespace fairlead::integration
