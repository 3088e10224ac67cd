#include "controller/secrets/secret_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/log.h"

namespace fairlead::secrets {
namespace {

using ::testing::HasSubstr;

// Answers what it is told to. Thread-safe.
class TestProvider final : public Provider {
 public:
  void Answer(const std::string& path, absl::StatusOr<std::string> answer) {
    base::MutexLock lock(mutex_);
    answers_.insert_or_assign(path, std::move(answer));
  }
  absl::StatusOr<std::string> Read(const std::string& path) override {
    base::MutexLock lock(mutex_);
    const auto found = answers_.find(path);
    return found == answers_.end() ? absl::NotFoundError("no such path") : found->second;
  }

 private:
  base::Mutex mutex_;
  std::map<std::string, absl::StatusOr<std::string>> answers_ ABSL_GUARDED_BY(mutex_);
};

// What a reader has told. Thread-safe.
class Told {
 public:
  void Values(const resources::Variables& values) {
    base::MutexLock lock(mutex_);
    values_ = values;
    changed_.SignalAll();
  }
  void Problem(const std::string& variable, const std::string& why) {
    base::MutexLock lock(mutex_);
    problems_.push_back(variable + ": " + why);
    changed_.SignalAll();
  }
  // Waits until it is so; the value that it has in the end.
  resources::VariableValue WaitFor(const std::string& name,
                                   const std::function<bool(const resources::VariableValue&)>& so) {
    base::MutexLock lock(mutex_);
    while (!(values_.contains(name) && so(values_.at(name))) &&
           changed_.WaitFor(mutex_, absl::Seconds(30))) {
    }
    return values_.contains(name) ? values_.at(name) : resources::VariableValue();
  }
  std::size_t problems() {
    base::MutexLock lock(mutex_);
    return problems_.size();
  }
  bool Has(const std::string& name) {
    base::MutexLock lock(mutex_);
    return values_.contains(name);
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  resources::Variables values_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> problems_ ABSL_GUARDED_BY(mutex_);
};

class SecretReaderTest : public ::testing::Test {
 protected:
  SecretReaderTest() {
    auto provider = std::make_unique<TestProvider>();
    provider_ = provider.get();
    Providers providers;
    providers["box"] = {std::move(provider), absl::Milliseconds(5)};
    reader_ = std::make_unique<SecretReader>(
        std::move(providers), base::Clock::Real(),
        [this](const resources::Variables& values) { told_.Values(values); },
        [this](const std::string& variable, const std::string& why) {
          told_.Problem(variable, why);
        });
  }

  Told told_;
  TestProvider* provider_ = nullptr;
  std::unique_ptr<SecretReader> reader_;
};

TEST_F(SecretReaderTest, ReadsAndFollowsWhatChangesThere) {
  provider_->Answer("db", "one");
  reader_->Follow({{"PW", "box:db"}, {"SAME", "box:db"}});
  EXPECT_EQ(told_.WaitFor("PW", [](const auto& v) { return v.value == "one"; }).value, "one");
  EXPECT_EQ(told_.WaitFor("SAME", [](const auto& v) { return v.value == "one"; }).is_secret, true);
  provider_->Answer("db", "two");
  EXPECT_EQ(told_.WaitFor("PW", [](const auto& v) { return v.value == "two"; }).value, "two");
}

TEST_F(SecretReaderTest, KeepsTheValueWhileTheProviderIsAway) {
  provider_->Answer("db", "one");
  reader_->Follow({{"PW", "box:db"}});
  told_.WaitFor("PW", [](const auto& v) { return v.value == "one"; });
  provider_->Answer("db", absl::UnavailableError("it is sealed"));
  while (told_.problems() == 0) {
    provider_->Answer("other", "");
  }
  EXPECT_EQ(told_.WaitFor("PW", [](const auto&) { return true; }).value, "one");
  provider_->Answer("db", "two");
  EXPECT_EQ(told_.WaitFor("PW", [](const auto& v) { return v.value == "two"; }).value, "two");
}

TEST_F(SecretReaderTest, SaysWhyThereIsNoValue) {
  provider_->Answer("db", absl::PermissionDeniedError("the token may not"));
  provider_->Answer("empty", "");
  reader_->Follow({{"PW", "box:db"}, {"E", "box:empty"}, {"N", "nobody:x"}, {"B", "bare"}});
  const auto why = [&](const std::string& name, const std::string& part) {
    return told_
        .WaitFor(name, [&](const auto& v) { return v.why_none.find(part) != std::string::npos; })
        .why_none;
  };
  EXPECT_THAT(why("PW", "may not"), HasSubstr("box:db: the token may not"));
  EXPECT_THAT(why("E", "value is"), HasSubstr("box:empty: its value is empty"));
  EXPECT_THAT(why("N", "no provider"), HasSubstr("no provider \"nobody\""));
  EXPECT_THAT(why("N", "no provider"), HasSubstr("it has box"));
  EXPECT_THAT(why("B", "no provider"), HasSubstr("no provider \"bare\""));
}

TEST_F(SecretReaderTest, ForgetsWhatNobodyDeclaresAnyMore) {
  provider_->Answer("db", "one");
  reader_->Follow({{"PW", "box:db"}});
  told_.WaitFor("PW", [](const auto& v) { return v.value == "one"; });
  reader_->Follow({});
  EXPECT_FALSE(told_.Has("PW"));
}

}  // namespace
}  // namespace fairlead::secrets
