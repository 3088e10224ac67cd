// Files that are wrong: the error names the place, the rest goes on, a right file recovers.
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/testing/mini_fleet.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// A fleet in which `web` runs version 1 from web.toml and `other` stands by.
class BadFileTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK(fleet_.Start());
    fleet_.repository().Write("other.toml", ToToml({.name = "other"}));
    ASSERT_OK(fleet_.WaitConverged(fleet_.PushFile("web.toml", Good("1"))));
    web_ = fleet_.engine().IdOf("web");
  }

  static std::string Good(const std::string& version) {
    return ToToml({.name = "web", .image = absl::StrCat("fl/app:", version)});
  }

  // After the bad commit: web is what it was, and `other` follows a change of the same commit.
  void ExpectRestGoesOn() {
    EXPECT_OK(fleet_.WaitRunning("deployment/other", "fl/app:2"));
    EXPECT_EQ(fleet_.engine().IdOf("web"), web_) << "the last good spec must stay";
  }

  // Pushes `bad` as web.toml together with a good change of `other`.
  std::string PushBad(const std::string& bad) {
    fleet_.repository().Write("other.toml", ToToml({.name = "other", .image = "fl/app:2"}));
    return fleet_.PushFile("web.toml", bad);
  }

  void ExpectRecovery() {
    EXPECT_OK(fleet_.WaitConverged(fleet_.PushFile("web.toml", Good("3"))));
    EXPECT_OK(fleet_.WaitRunning("deployment/web", "fl/app:3"));
    EXPECT_THAT(fleet_.engine().Containers(), SizeIs(2)) << "no second container";
  }

  // What `fairlead validate` prints about the working tree; it must fail.
  std::string Validate() {
    const CommandResult result = fleet_.Cli({"validate", fleet_.repository().work()});
    EXPECT_EQ(result.exit_code, 1) << result.out;
    return result.out + result.err;
  }

  MiniFleet fleet_;
  std::string web_;
};

TEST_F(BadFileTest, SyntaxError) {
  PushBad("[[deployment]\nname = \"web\"\n");
  EXPECT_OK(fleet_.WaitStory("main", "web.toml"));
  EXPECT_OK(fleet_.WaitCondition("deployment/web", "INVALID"));
  EXPECT_THAT(fleet_.SyncStory(), HasSubstr("\"line\":1"));
  EXPECT_THAT(Validate(), HasSubstr("web.toml:1:"));
  ExpectRestGoesOn();
  ExpectRecovery();
}

TEST_F(BadFileTest, WrongType) {
  PushBad(absl::StrCat(Good("2"), "ports = 8080\n"));
  EXPECT_OK(fleet_.WaitCondition("deployment/web", "INVALID"));
  EXPECT_THAT(fleet_.Story("deployment/web"), HasSubstr("ports"));
  EXPECT_THAT(Validate(), HasSubstr("web.toml:9:"));
  ExpectRestGoesOn();
  ExpectRecovery();
}

TEST_F(BadFileTest, UnknownKeyWithASuggestion) {
  PushBad(absl::StrCat(Good("2"), "enviroment = \"A = b\"\n"));
  EXPECT_OK(fleet_.WaitCondition("deployment/web", "INVALID"));
  const std::string story = fleet_.Story("deployment/web");
  EXPECT_THAT(story, HasSubstr("enviroment"));
  EXPECT_THAT(story, HasSubstr("environment"));
  const std::string text = Validate();
  EXPECT_THAT(text, HasSubstr("web.toml:9:1: error:"));
  EXPECT_THAT(text, HasSubstr("did you mean \"environment\""));
  ExpectRestGoesOn();
  ExpectRecovery();
}

TEST_F(BadFileTest, DuplicateNameNamesBothPlaces) {
  PushBad(absl::StrCat(Good("2"), Good("3")));
  EXPECT_OK(fleet_.WaitCondition("deployment/web", "INVALID"));
  EXPECT_THAT(Validate(), HasSubstr("web.toml:9:"));
  EXPECT_THAT(Validate(), HasSubstr("web.toml:1"));
  ExpectRestGoesOn();
  ExpectRecovery();
}

TEST_F(BadFileTest, DanglingReference) {
  PushBad(ToToml({.name = "web", .image = "fl/app:2", .after = "\"nowhere\""}));
  EXPECT_OK(fleet_.WaitStory("deployment/web", "nowhere"));
  ExpectRestGoesOn();
  ExpectRecovery();
}

TEST_F(BadFileTest, CycleIsNamed) {
  fleet_.repository().Write("other.toml", ToToml({.name = "other", .image = "fl/app:2"}));
  fleet_.repository().Write("x.toml", ToToml({.name = "ring", .after = "\"web\""}));
  fleet_.PushFile("web.toml", ToToml({.name = "web", .image = "fl/app:2", .after = "\"ring\""}));
  EXPECT_OK(fleet_.WaitStory("deployment/web", "deployment/ring"));
  EXPECT_OK(fleet_.WaitStory("deployment/web", "cycle"));
  ExpectRestGoesOn();
  fleet_.repository().Remove("x.toml");
  ExpectRecovery();
}

}  // namespace
}  // namespace fairlead::integration
