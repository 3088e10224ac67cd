// Specs that are well written but cannot run.
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
using ::testing::Not;
using ::testing::SizeIs;

// A fleet in which `web` runs version 1 and `other` stands by.
class BadImageTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(fleet_.Start());
    fleet_.repository().Write("other.toml", ToToml({.name = "other"}));
    ASSERT_OK(fleet_.WaitConverged(fleet_.PushFile("web.toml", ToToml({.name = "web"}))));
    other_ = fleet_.engine().IdOf("other");
    web_ = fleet_.engine().IdOf("web");
  }

  void PushImage(const std::string& image) {
    commit_ =
        fleet_.PushFile("web.toml", ToToml({.name = "web", .image = image, .min_ready = "1500ms"}));
  }

  void ExpectRecovery() {
    PushImage("fl/app:3");
    EXPECT_OK(fleet_.WaitConverged(commit_));
    EXPECT_OK(fleet_.WaitRunning("deployment/web", "fl/app:3"));
    EXPECT_EQ(fleet_.engine().IdOf("other"), other_);
    EXPECT_THAT(fleet_.engine().Containers(), SizeIs(2));
  }

  // Version 1 runs, its very container, and the new spec is not tried again by itself.
  void ExpectRolledBack() {
    EXPECT_OK(fleet_.WaitCondition("deployment/web", "DEGRADED"));
    EXPECT_OK(fleet_.WaitRunning("deployment/web", "fl/app:1"));
    EXPECT_EQ(fleet_.engine().IdOf("web"), web_) << "the kept container must be put back";
    EXPECT_OK(HoldsFor(
        "the failed spec is left alone", [&] { return fleet_.engine().IdOf("web") == web_; },
        absl::Seconds(2)));
    EXPECT_EQ(fleet_.engine().IdOf("other"), other_);
  }

  MiniFleet fleet_;
  std::string other_;
  std::string web_;
  std::string commit_;
};

TEST_F(BadImageTest, MissingImageChangesNothing) {
  PushImage("fl/nowhere:9");
  EXPECT_OK(fleet_.WaitStory("deployment/web", "fl/nowhere:9"));
  EXPECT_OK(fleet_.WaitStory("deployment/web", "pull"));
  EXPECT_OK(fleet_.WaitRunning("deployment/web", "fl/app:1"));
  EXPECT_EQ(fleet_.engine().IdOf("web"), web_) << "a failed pull must not stop the old container";
  // Nor keep it from being healed.
  fleet_.engine().Docker({"rm", "-f", "web"});
  EXPECT_OK(fleet_.WaitRunning("deployment/web", "fl/app:1"));
  // The image comes: by itself, without another commit.
  fleet_.engine().Docker({"tag", "fl/app:2", "fl/nowhere:9"});
  EXPECT_OK(fleet_.WaitRunning("deployment/web", "fl/nowhere:9", 1, absl::Seconds(90)));
  EXPECT_OK(fleet_.WaitConverged(commit_));
  ExpectRecovery();
  fleet_.engine().Docker({"rmi", "fl/nowhere:9"});
}

TEST_F(BadImageTest, ExitsAtOnceAndIsRolledBack) {
  PushImage("fl/exits:1");
  ExpectRolledBack();
  EXPECT_THAT(fleet_.Story("deployment/web"), HasSubstr("boom: bad option"))
      << "the failed one's last lines belong to the story";
  ExpectRecovery();
}

TEST_F(BadImageTest, NeverHealthyIsRolledBack) {
  PushImage("fl/sick:1");
  ExpectRolledBack();
  ExpectRecovery();
}

TEST_F(BadImageTest, RetryTriesAFailedSpecAgain) {
  PushImage("fl/exits:1");
  ExpectRolledBack();
  // The cause is gone: the same reference is a good image now.
  fleet_.engine().Docker({"tag", "fl/exits:1", "fl/kept:1"});
  fleet_.engine().Docker({"tag", "fl/app:2", "fl/exits:1"});
  const CommandResult retried = fleet_.Cli({"retry", "deployment/web"});
  EXPECT_EQ(retried.exit_code, 0) << retried.err;
  EXPECT_OK(fleet_.WaitConverged(commit_));
  EXPECT_NE(fleet_.engine().IdOf("web"), web_);
  fleet_.engine().Docker({"tag", "fl/kept:1", "fl/exits:1"});
  fleet_.engine().Docker({"rmi", "fl/kept:1"});
}

TEST_F(BadImageTest, PortTakenIsNamedAndHealsWhenFreed) {
  fleet_.engine().Docker({"run", "-d", "--name", "squatter", "-p", "8099:80", "fl/app:1"});
  commit_ = fleet_.PushFile(
      "web.toml", ToToml({.name = "web", .image = "fl/app:2", .config = "ports = \"8099: 80\"\n"}));
  EXPECT_OK(fleet_.WaitStory("deployment/web", "8099"));
  EXPECT_OK(fleet_.WaitRunning("deployment/web", "fl/app:1"));
  EXPECT_NE(fleet_.engine().IdOf("squatter"), "") << "foreign containers are never touched";
  EXPECT_EQ(fleet_.engine().IdOf("other"), other_);

  fleet_.engine().Docker({"rm", "-f", "squatter"});
  // Whether it waits for its backoff or for a person is said; a person may shorten either.
  fleet_.Cli({"retry", "deployment/web"});
  EXPECT_OK(fleet_.WaitRunning("deployment/web", "fl/app:2", 1, absl::Seconds(90)));
  EXPECT_OK(fleet_.WaitConverged(commit_));
}

TEST_F(BadImageTest, NameHeldByAForeignContainerBlocks) {
  fleet_.engine().Docker({"run", "-d", "--name", "mine", "fl/app:1"});
  const std::string foreign = fleet_.engine().IdOf("mine");
  commit_ = fleet_.PushFile("mine.toml", ToToml({.name = "mine"}));
  EXPECT_OK(fleet_.WaitCondition("deployment/mine", "BLOCKED"));
  EXPECT_THAT(fleet_.Story("deployment/mine"), HasSubstr(foreign.substr(0, 12)));
  EXPECT_EQ(fleet_.engine().IdOf("mine"), foreign);

  fleet_.engine().Docker({"rm", "-f", "mine"});
  EXPECT_OK(fleet_.WaitRunning("deployment/mine", "fl/app:1"));
  EXPECT_OK(fleet_.WaitConverged(commit_));
}

TEST_F(BadImageTest, DependentsOfAFailedOneWait) {
  fleet_.repository().Write("late.toml", ToToml({.name = "late", .after = "\"broken\""}));
  fleet_.PushFile("broken.toml",
                  ToToml({.name = "broken", .image = "fl/exits:1", .min_ready = "1500ms"}));
  EXPECT_OK(fleet_.WaitCondition("deployment/late", "BLOCKED"));
  EXPECT_THAT(fleet_.Story("deployment/late"), HasSubstr("deployment/broken"));
  EXPECT_THAT(fleet_.engine().Containers("deployment/late"), IsEmpty());
  const std::string commit =
      fleet_.PushFile("broken.toml", ToToml({.name = "broken", .image = "fl/app:1"}));
  EXPECT_OK(fleet_.WaitConverged(commit));
  EXPECT_OK(fleet_.WaitRunning("deployment/late", "fl/app:1"));
}

}  // namespace
}  // namespace fairlead::integration
