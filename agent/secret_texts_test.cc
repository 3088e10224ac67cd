#include "agent/secret_texts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class SecretTextsTest : public ::testing::Test {
 protected:
  RecordStorage Storage() {
    return {.name = "secrets",
            .read = [this]() -> absl::StatusOr<std::string> {
              if (file_.empty()) return absl::NotFoundError("none");
              return file_;
            },
            .write =
                [this](const std::string& text) {
                  if (disk_full_) return absl::ResourceExhaustedError("disk full");
                  file_ = text;
                  return absl::OkStatus();
                }};
  }

  std::string file_;
  bool disk_full_ = false;
  const resources::SpecHasher hasher_{"k1", std::string(32, 'k')};
};

TEST_F(SecretTextsTest, AnotherRunFindsThemInWhatAContainerHolds) {
  SecretTexts first(Storage());
  ASSERT_TRUE(first.Load().ok());
  ASSERT_TRUE(first.Remember({"hunter2-hunter2", "tok"}, hasher_).ok());
  EXPECT_THAT(file_, Not(HasSubstr("hunter2")));

  SecretTexts second(Storage());
  ASSERT_TRUE(second.Load().ok());
  EXPECT_EQ(second.Redact("uses hunter2-hunter2"), "uses hunter2-hunter2");
  second.Recover({"A=1", "URL=postgres://me:hunter2-hunter2@db/x"}, hasher_);
  EXPECT_EQ(second.Redact("uses hunter2-hunter2"), "uses ***");
  // What no container holds stays unknown.
  EXPECT_EQ(second.Redact("tok"), "tok");
}

TEST_F(SecretTextsTest, AnotherKeyFindsNothing) {
  SecretTexts first(Storage());
  ASSERT_TRUE(first.Remember({"hunter2-hunter2"}, hasher_).ok());
  SecretTexts second(Storage());
  ASSERT_TRUE(second.Load().ok());
  second.Recover({"hunter2-hunter2"}, resources::SpecHasher("k2", std::string(32, 'x')));
  EXPECT_EQ(second.Redact("hunter2-hunter2"), "hunter2-hunter2");
}

TEST_F(SecretTextsTest, WhatCannotBeWrittenIsNotRememberedButRedacted) {
  SecretTexts secrets(Storage());
  disk_full_ = true;
  EXPECT_EQ(secrets.Remember({"hunter2-hunter2"}, hasher_).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(secrets.Redact("hunter2-hunter2"), "***");
  disk_full_ = false;
  EXPECT_TRUE(secrets.Remember({"hunter2-hunter2"}, hasher_).ok());
  EXPECT_THAT(file_, HasSubstr("15"));
}

TEST_F(SecretTextsTest, AFileOfSomethingElseIsRefused) {
  file_ = "no json";
  EXPECT_EQ(SecretTexts(Storage()).Load().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace fairlead::agent
