#include "controller/access/sessions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/proto_time.h"
#include "base/testing/simulated_clock.h"
#include "controller/store/testing/fake_store.h"

namespace fairlead::access {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Optional;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

using Groups = std::vector<std::string>;

// Keeps a write waiting until it is told to go on.
class SlowStore final : public store::FakeStore {
 public:
  absl::Status Apply(const store::StoreBatch& batch) override {
    {
      base::MutexLock lock(mutex_);
      waits_ = true;
      changed_.SignalAll();
      while (held_) changed_.Wait(mutex_);
    }
    return FakeStore::Apply(batch);
  }
  void Hold() {
    base::MutexLock lock(mutex_);
    held_ = true;
    waits_ = false;
  }
  void AwaitWrite() {
    base::MutexLock lock(mutex_);
    while (!waits_) changed_.Wait(mutex_);
  }
  void GoOn() {
    base::MutexLock lock(mutex_);
    held_ = false;
    changed_.SignalAll();
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  bool waits_ ABSL_GUARDED_BY(mutex_) = false;
};

class SessionsTest : public ::testing::Test {
 protected:
  SessionsTest() {
    PutUser([](v1::LocalUser& user) { user.set_name("ann"); });
    Restart();
  }
  // As after a crash: only what is stored is there.
  void Restart(const SessionLimits& limits = {}) {
    sessions_ = std::make_unique<Sessions>(*store_.Load(), store_, clock_.Now(), limits);
  }
  template <typename Change>
  void PutUser(const Change& change) {
    change(ann_);
    EXPECT_TRUE(store_.Apply({.put_users = {ann_}}).ok());
  }
  std::string Open(const std::string& user = "ann") {
    return sessions_->Open(user, clock_.Now()).token;
  }
  std::string OpenClaimed(const std::string& user, const Groups& groups) {
    return sessions_->Open(user, clock_.Now(), groups).token;
  }
  std::optional<Session> Find(const std::string& token) {
    return sessions_->Find(*ParseSecret(token), clock_.Now());
  }
  bool IsOpen(const std::string& token) { return Find(token).has_value(); }
  void End(const std::string& token) { sessions_->End(ParseSecret(token)->id); }
  std::vector<std::string> StoredIds() {
    std::vector<std::string> ids;
    const auto image = store_.Load();
    for (const v1::SessionRecord& record : image->sessions) ids.push_back(record.id());
    return ids;
  }

  SlowStore store_;
  base::SimulatedClock clock_;
  v1::LocalUser ann_;
  std::unique_ptr<Sessions> sessions_;
};

TEST_F(SessionsTest, GoOnAfterARestartAndEndAtTheirTime) {
  const std::string local = Open();
  const std::string claimed = OpenClaimed("bob", {"web", "ops"});
  const std::string without = OpenClaimed("eve", {});
  clock_.Advance(absl::Hours(11));
  Restart();
  ASSERT_TRUE(IsOpen(local));
  EXPECT_EQ(Find(local)->user, "ann");
  EXPECT_EQ(Find(local)->begun, clock_.Now() - absl::Hours(11));
  EXPECT_EQ(Find(local)->expires, clock_.Now() + absl::Hours(1));
  EXPECT_FALSE(Find(local)->claimed_groups.has_value());
  ASSERT_TRUE(IsOpen(claimed));
  EXPECT_THAT(Find(claimed)->claimed_groups, Optional(ElementsAre("web", "ops")));
  ASSERT_TRUE(IsOpen(without));
  EXPECT_THAT(Find(without)->claimed_groups, Optional(IsEmpty()));
  Secret wrong = *ParseSecret(local);
  wrong.secret = ParseSecret(claimed)->secret;
  EXPECT_FALSE(sessions_->Find(wrong, clock_.Now()).has_value());
  clock_.Advance(absl::Hours(1));
  EXPECT_FALSE(IsOpen(local));
}

TEST_F(SessionsTest, TokenIsNotInTheStore) {
  const Secret token = *ParseSecret(Open());
  const auto image = store_.Load();
  ASSERT_THAT(image->sessions, SizeIs(1));
  EXPECT_EQ(image->sessions[0].secret_hash(), Sha256(token.secret));
  EXPECT_THAT(image->sessions[0].SerializeAsString(), Not(HasSubstr(token.secret)));
}

TEST_F(SessionsTest, ExpiredOnesAreDeletedWithTheNextWrite) {
  Open();
  clock_.Advance(absl::Hours(12));
  Restart();
  EXPECT_THAT(StoredIds(), SizeIs(1));
  const std::string second = Open();
  EXPECT_THAT(StoredIds(), ElementsAre(ParseSecret(second)->id));
  clock_.Advance(absl::Hours(12));
  EXPECT_FALSE(IsOpen(second));
  const std::string third = Open();
  EXPECT_THAT(StoredIds(), ElementsAre(ParseSecret(third)->id));
}

TEST_F(SessionsTest, WhatIsEndedStaysEndedAfterARestart) {
  const std::string kept = Open();
  const std::string changed = Open();
  const std::string left = OpenClaimed("bob", {"web"});
  End(left);
  sessions_->EndAllOf("ann", ParseSecret(kept)->id);
  EXPECT_THAT(StoredIds(), ElementsAre(ParseSecret(kept)->id));
  Restart();
  EXPECT_TRUE(IsOpen(kept));
  EXPECT_FALSE(IsOpen(changed));
  EXPECT_FALSE(IsOpen(left));
}

TEST_F(SessionsTest, DoNotComeBackForAUserWhoIsNotTheSame) {
  const std::string local = Open();
  const std::string claimed = OpenClaimed("bob", {"web"});
  PutUser([](v1::LocalUser& user) { user.set_disabled(true); });
  Restart();
  PutUser([](v1::LocalUser& user) { user.set_disabled(false); });
  EXPECT_FALSE(IsOpen(local));
  EXPECT_TRUE(IsOpen(claimed));

  const std::string again = Open();
  clock_.Advance(absl::Seconds(1));
  PutUser([this](v1::LocalUser& user) {
    *user.mutable_password_changed() = base::ToProto(clock_.Now());
  });
  const std::string after = Open();
  v1::LocalUser bob;
  bob.set_name("bob");
  ASSERT_TRUE(store_.Apply({.put_users = {bob}}).ok());
  Restart();
  EXPECT_FALSE(IsOpen(again));
  EXPECT_TRUE(IsOpen(after));
  EXPECT_FALSE(IsOpen(claimed));

  ASSERT_TRUE(store_.Apply({.delete_users = {"ann"}}).ok());
  Restart();
  EXPECT_FALSE(IsOpen(after));
}

TEST_F(SessionsTest, BeginWhileTheStoreRefusesAndAreWrittenLater) {
  std::vector<std::string> warnings;
  const base::LogSink sink = [&warnings](base::LogLevel, absl::string_view,
                                         absl::string_view message) {
    warnings.emplace_back(message);
  };
  base::SetThreadLogSink(&sink);
  store_.apply_fails = true;
  const std::string token = Open();
  base::SetThreadLogSink(nullptr);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("would forget 1 ")));
  EXPECT_TRUE(IsOpen(token));
  EXPECT_THAT(StoredIds(), IsEmpty());
  store_.apply_fails = false;
  sessions_->End("nothing");
  EXPECT_THAT(StoredIds(), ElementsAre(ParseSecret(token)->id));
  Restart();
  EXPECT_TRUE(IsOpen(token));
}

TEST_F(SessionsTest, EndAtOnceWhileTheStoreRefusesAndAreDeletedLater) {
  const std::string first = Open();
  const std::string second = Open();
  const std::string kept = Open();
  store_.apply_fails = true;
  End(first);
  sessions_->EndAllOf("ann", ParseSecret(kept)->id);
  const std::string never = OpenClaimed("bob", {"web"});
  End(never);
  EXPECT_FALSE(IsOpen(first));
  EXPECT_FALSE(IsOpen(second));
  EXPECT_FALSE(IsOpen(never));
  EXPECT_THAT(StoredIds(), SizeIs(3));
  store_.apply_fails = false;
  const std::string next = OpenClaimed("bob", {"web"});
  EXPECT_THAT(StoredIds(), UnorderedElementsAre(ParseSecret(kept)->id, ParseSecret(next)->id));
}

TEST_F(SessionsTest, EndedOneThatTheStoreStillHasLivesAgainAfterACrash) {
  const std::string token = Open();
  store_.apply_fails = true;
  End(token);
  store_.apply_fails = false;
  Restart();
  EXPECT_TRUE(IsOpen(token));
  clock_.Advance(absl::Hours(12));
  EXPECT_FALSE(IsOpen(token));
}

TEST_F(SessionsTest, OldestGoesFromTheStoreTooWhenThereAreTooMany) {
  Restart({.most = 2});
  const std::string first = Open();
  clock_.Advance(absl::Seconds(1));
  const std::string second = Open();
  clock_.Advance(absl::Seconds(1));
  const std::string third = Open();
  EXPECT_FALSE(IsOpen(first));
  EXPECT_TRUE(IsOpen(second));
  EXPECT_THAT(StoredIds(), UnorderedElementsAre(ParseSecret(second)->id, ParseSecret(third)->id));
  // Also where it was written with a wider limit.
  Restart({.most = 1});
  EXPECT_FALSE(IsOpen(second));
  EXPECT_TRUE(IsOpen(third));
  sessions_->End("nothing");
  EXPECT_THAT(StoredIds(), ElementsAre(ParseSecret(third)->id));
}

TEST_F(SessionsTest, WhatIsToBeDeletedIsBounded) {
  Restart({.most = 2});
  const std::string first = Open();
  const std::string second = Open();
  store_.apply_fails = true;
  for (int i = 0; i < 10; ++i) {
    clock_.Advance(absl::Seconds(1));
    Open();
  }
  store_.apply_fails = false;
  sessions_->End("nothing");
  // Those of the beginning were given up.
  EXPECT_THAT(StoredIds(), SizeIs(4));
  EXPECT_FALSE(IsOpen(first));
  EXPECT_FALSE(IsOpen(second));
}

TEST_F(SessionsTest, WhoAsksDoesNotWaitForTheStore) {
  const std::string token = Open();
  store_.Hold();
  std::thread login([this] { Open(); });
  store_.AwaitWrite();
  EXPECT_TRUE(IsOpen(token));
  std::thread logout([this, &token] { End(token); });
  while (IsOpen(token)) std::this_thread::yield();
  store_.GoOn();
  login.join();
  logout.join();
  EXPECT_THAT(StoredIds(), SizeIs(1));
}

TEST_F(SessionsTest, StoreHoldsWhatManyThreadsHaveLeft) {
  std::vector<std::thread> threads;
  std::vector<std::string> kept(4);
  threads.reserve(kept.size());
  for (std::string& token : kept) {
    threads.emplace_back([this, &token] {
      for (int i = 0; i < 50; ++i) {
        End(Open());
        if (i % 10 == 0) sessions_->EndAllOf("nobody", "");
      }
      token = Open();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(StoredIds(), SizeIs(kept.size()));
  Restart();
  for (const std::string& token : kept) EXPECT_TRUE(IsOpen(token));
}

}  // namespace
}  // namespace fairlead::access
