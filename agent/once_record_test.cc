#include "agent/once_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"
#include "base/testing/scratch_folder.h"

namespace fairlead::agent {
namespace {

using ::testing::HasSubstr;

class OnceRecordTest : public ::testing::Test {
 protected:
  // As a new process reads it.
  OnceStanding Begin(const std::string& action, const std::string& what) const {
    const absl::StatusOr<OnceStanding> standing = OnceRecord(notes_).Begin(action, what);
    EXPECT_TRUE(standing.ok()) << standing.status();
    return standing.value_or(OnceStanding{.state = OnceState::kFailed, .message = "no standing"});
  }

  base::ScratchFolder folder_;
  const std::string notes_ = folder_.path() + "/once";
};

TEST_F(OnceRecordTest, IsBegunOnceForEachActionAndName) {
  EXPECT_EQ(Begin("a1", "pre_build").state, OnceState::kBegun);
  EXPECT_EQ(Begin("a1", "pre_build").state, OnceState::kInterrupted);
  EXPECT_EQ(Begin("a1", "on_pull").state, OnceState::kBegun);
  EXPECT_EQ(Begin("a2/../a1", "pre_build").state, OnceState::kBegun);
}

TEST_F(OnceRecordTest, TheEndIsRemembered) {
  Begin("a1", "pre_build");
  Begin("a1", "on_pull");
  ASSERT_TRUE(OnceRecord(notes_).End("a1", "pre_build", absl::OkStatus()).ok());
  ASSERT_TRUE(OnceRecord(notes_).End("a1", "on_pull", absl::NotFoundError("no \"x\"")).ok());
  EXPECT_EQ(Begin("a1", "pre_build").state, OnceState::kSucceeded);
  const OnceStanding failed = Begin("a1", "on_pull");
  EXPECT_EQ(failed.state, OnceState::kFailed);
  EXPECT_EQ(failed.message, "no \"x\"");
}

TEST_F(OnceRecordTest, AForgottenActionLeavesNothing) {
  Begin("a1", "pre_build");
  OnceRecord(notes_).Forget("a1");
  OnceRecord(notes_).Forget("never seen");
  EXPECT_EQ(Begin("a1", "pre_build").state, OnceState::kBegun);
}

TEST_F(OnceRecordTest, WithoutANoteNothingIsBegun) {
  // A file stands where the folder would be.
  ASSERT_TRUE(base::WriteFileAtomically(notes_, "x").ok());
  EXPECT_FALSE(OnceRecord(notes_).Begin("a1", "pre_build").ok());
}

TEST_F(OnceRecordTest, ADamagedNoteStopsTheAction) {
  Begin("a1", "pre_build");
  for (const auto& entry : std::filesystem::directory_iterator(notes_)) {
    ASSERT_TRUE(base::WriteFileAtomically(entry.path().string(), "{\"pre_bu").ok());
  }
  const absl::StatusOr<OnceStanding> standing = OnceRecord(notes_).Begin("a1", "pre_build");
  EXPECT_EQ(standing.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(standing.status().message()), HasSubstr("what was begun"));
}

}  // namespace
}  // namespace fairlead::agent
