#include "agent/caretaker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "base/proto_time.h"
#include "base/testing/scratch_folder.h"

namespace fairlead::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);
constexpr char kWeb[] = "deployment/web";

v1::Action Apply(const std::string& resource = kWeb) {
  v1::Action action;
  action.set_id("a1");
  action.set_resource(resource);
  action.set_spec_hash("h1");
  action.add_secrets("hunter22");
  action.mutable_apply_container()->mutable_spec()->set_restart_policy("unless-stopped");
  return action;
}

v1::Action Stop() {
  v1::Action action;
  action.set_id("s1");
  action.set_resource(kWeb);
  action.mutable_stop();
  return action;
}

v1::ActionOutcome OutcomeOf(const v1::Action& action, v1::ActionStatus status) {
  v1::ActionOutcome outcome;
  outcome.set_action_id(action.id());
  outcome.set_resource(action.resource());
  outcome.set_status(status);
  outcome.set_message("port taken");
  return outcome;
}

class CaretakerTest : public ::testing::Test {
 protected:
  CaretakerTest() { Restart(); }

  // A new agent process.
  std::optional<UseInstallation> Restart() {
    caretaker_ = std::make_unique<Caretaker>(folder_.path() + "/applied");
    return caretaker_->Load(now_);
  }
  void Connect(const std::string& installation = "inst") {
    v1::Welcome welcome;
    welcome.set_installation(installation);
    welcome.set_hash_key("key");
    welcome.set_hash_key_id("k1");
    caretaker_->OnWelcome(welcome, now_);
  }
  void Allow(absl::Duration ttl = absl::Hours(1)) {
    v1::AutonomyTerms terms;
    terms.set_heal(true);
    *terms.mutable_ttl() = base::ToProto(ttl);
    caretaker_->OnTerms(terms, now_);
  }
  void Do(const v1::Action& action) {
    ASSERT_TRUE(caretaker_->OnBegun(action).ok());
    caretaker_->OnSucceeded(action);
  }
  // On a host without containers.
  std::vector<v1::Action> Decide() {
    v1::HostState host;
    host.set_engine_up(true);
    return caretaker_->Decide(host, {}, now_);
  }
  // Applied, allowed, and then without a controller for a while.
  void BeAlone() {
    Connect();
    Allow();
    Do(Apply());
    caretaker_->OnDisconnected(now_);
    now_ += absl::Seconds(10);
  }

  base::ScratchFolder folder_;
  absl::Time now_ = kStart;
  std::unique_ptr<Caretaker> caretaker_;
};

TEST_F(CaretakerTest, HealsOnlyWhileDisconnected) {
  Connect();
  Allow();
  Do(Apply());
  now_ += absl::Minutes(1);
  EXPECT_THAT(Decide(), IsEmpty());

  caretaker_->OnDisconnected(now_);
  EXPECT_THAT(Decide(), IsEmpty());
  EXPECT_EQ(caretaker_->wake(), now_ + absl::Seconds(5));
  now_ = caretaker_->wake();
  EXPECT_THAT(Decide(), SizeIs(1));

  Connect();
  EXPECT_EQ(caretaker_->wake(), absl::InfiniteFuture());
}

TEST_F(CaretakerTest, WhatIsUnderWayIsNotBegunAgain) {
  BeAlone();
  const std::vector<v1::Action> heals = Decide();
  ASSERT_THAT(heals, SizeIs(1));
  EXPECT_THAT(Decide(), IsEmpty());

  EXPECT_TRUE(caretaker_->OnHealed(OutcomeOf(heals[0], v1::ACTION_STATUS_FAILED), now_));
  EXPECT_THAT(Decide(), IsEmpty()) << "the next one comes with a delay";
  now_ = caretaker_->wake();
  EXPECT_THAT(Decide(), SizeIs(1));
}

TEST_F(CaretakerTest, OutcomesOfOthersAreNotItsOwn) {
  BeAlone();
  EXPECT_FALSE(caretaker_->OnHealed(OutcomeOf(Apply(), v1::ACTION_STATUS_SUCCEEDED), now_));
}

TEST_F(CaretakerTest, KnowsEverythingAfterARestart) {
  BeAlone();

  const std::optional<UseInstallation> kept = Restart();

  ASSERT_TRUE(kept.has_value());
  EXPECT_EQ(kept->installation, "inst");
  EXPECT_EQ(kept->key_id, "k1");
  EXPECT_EQ(kept->key, "key");
  EXPECT_THAT(Decide(), IsEmpty()) << "the controller may be about to answer";
  now_ += absl::Seconds(5);
  const std::vector<v1::Action> heals = Decide();
  ASSERT_THAT(heals, SizeIs(1));
  EXPECT_EQ(heals[0].secrets(0), "hunter22");
}

TEST_F(CaretakerTest, ActsForNobodyBeforeItWasAllowedTo) {
  Connect();
  Do(Apply());
  caretaker_->OnDisconnected(now_);
  EXPECT_FALSE(Restart().has_value());
  now_ += absl::Hours(1);
  EXPECT_THAT(Decide(), IsEmpty());
}

TEST_F(CaretakerTest, AStopIsDurableBeforeItTakesEffect) {
  Connect();
  Allow();
  Do(Apply());
  ASSERT_TRUE(caretaker_->OnBegun(Stop()).ok());

  // Killed before the outcome.
  now_ += absl::Seconds(10);
  Restart();
  now_ += absl::Seconds(10);
  EXPECT_THAT(Decide(), IsEmpty());
}

TEST_F(CaretakerTest, TheTtlCountsFromTheLastWordAlsoAfterARestart) {
  Connect();
  Allow(absl::Hours(1));
  Do(Apply());
  for (int i = 0; i < 120; ++i) {
    now_ += absl::Minutes(1);
    caretaker_->OnContact(now_);
  }
  // Killed: no word of the disconnect.
  Restart();
  now_ += absl::Minutes(55);
  EXPECT_THAT(Decide(), SizeIs(1));
  Restart();
  now_ += absl::Minutes(6);
  EXPECT_THAT(Decide(), IsEmpty());
}

TEST_F(CaretakerTest, TellsWhatItDidOnceAndAlsoAfterARestart) {
  BeAlone();
  std::vector<v1::Action> heals = Decide();
  caretaker_->OnHealed(OutcomeOf(heals[0], v1::ACTION_STATUS_FAILED), now_);
  now_ = (Decide(), caretaker_->wake());
  heals = Decide();
  caretaker_->OnHealed(OutcomeOf(heals[0], v1::ACTION_STATUS_SUCCEEDED), now_);
  Restart();

  const std::vector<v1::AgentNotice> notices = caretaker_->TakeNotices();

  ASSERT_THAT(notices, SizeIs(2));
  EXPECT_EQ(notices[0].resource(), kWeb);
  EXPECT_TRUE(notices[0].warning());
  EXPECT_THAT(notices[0].message(), HasSubstr("was removed; not healed: port taken"));
  EXPECT_FALSE(notices[1].warning());
  EXPECT_THAT(notices[1].message(), HasSubstr("2023-11-14 22:13:31 UTC: was removed; healed"));
  Restart();
  EXPECT_THAT(caretaker_->TakeNotices(), IsEmpty());
}

TEST_F(CaretakerTest, AFailureThatGoesOnIsToldOnce) {
  BeAlone();
  for (int i = 0; i < 3; ++i) {
    const std::vector<v1::Action> heals = Decide();
    ASSERT_THAT(heals, SizeIs(1));
    caretaker_->OnHealed(OutcomeOf(heals[0], v1::ACTION_STATUS_FAILED), now_);
    Decide();
    now_ = caretaker_->wake();
  }
  EXPECT_THAT(caretaker_->TakeNotices(), SizeIs(1));
}

TEST_F(CaretakerTest, AnotherInstallationEndsAll) {
  BeAlone();
  Connect("other");
  caretaker_->OnDisconnected(now_);
  EXPECT_FALSE(Restart().has_value());
  now_ += absl::Minutes(1);
  EXPECT_THAT(Decide(), IsEmpty());
  Connect("other");
  Allow();
  caretaker_->OnDisconnected(now_);
  now_ += absl::Minutes(1);
  EXPECT_THAT(Decide(), IsEmpty()) << "the bodies were those of the other";
}

TEST_F(CaretakerTest, OnlyItsUserReadsWhatItKeeps) {
  BeAlone();
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path() + "/applied")) {
    struct stat status{};
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 2);
  struct stat status{};
  ASSERT_EQ(::stat((folder_.path() + "/applied").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST_F(CaretakerTest, ADamagedFileIsNotHealedFrom) {
  BeAlone();
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path() + "/applied")) {
    if (entry.path().extension() == ".body") std::ofstream(entry.path()) << "\x0a\xff";
  }
  Restart();
  now_ += absl::Minutes(1);
  EXPECT_THAT(Decide(), IsEmpty());
}

TEST_F(CaretakerTest, NamesOfAnyLengthAreKept) {
  Connect();
  Allow();
  Do(Apply("deployment/" + std::string(500, 'x') + "/../y"));
  caretaker_->OnDisconnected(now_);
  Restart();
  now_ += absl::Minutes(1);
  EXPECT_THAT(Decide(), SizeIs(1));
}

TEST_F(CaretakerTest, AStopThatCannotBeKeptIsRefused) {
  BeAlone();
  std::filesystem::remove_all(folder_.path() + "/applied");
  std::ofstream(folder_.path() + "/applied") << "no folder";

  EXPECT_FALSE(caretaker_->OnBegun(Stop()).ok());
}

}  // namespace
}  // namespace fairlead::agent
