#include <string>

#include "fairlead/v1/state.pb.h"
#include "gtest/gtest.h"
#include "sync/planner.h"

namespace fairlead::sync {
namespace {

v1::InventoryEntry EntryOf(const std::string& good_hash, v1::RestartMode good,
                           const std::string& applied_hash, v1::RestartMode applied) {
  v1::InventoryEntry entry;
  entry.set_good_hash(good_hash);
  entry.mutable_good()->mutable_deployment()->set_restart(good);
  entry.set_applied_hash(applied_hash);
  entry.mutable_applied()->mutable_deployment()->set_restart(applied);
  return entry;
}

TEST(StandInTest, IsTheOneWhoseHashIsTheTarget) {
  const v1::InventoryEntry entry = EntryOf("a", v1::RESTART_MODE_NO, "b", v1::RESTART_MODE_ALWAYS);
  EXPECT_EQ(LastGood(entry).hash, "a");
  EXPECT_EQ(StandInOf(entry, "a").spec, &entry.good());
  EXPECT_EQ(StandInOf(entry, "b").spec, &entry.applied());
}

// The restart policy is no part of the hash. What the plan compares with and what the action then
// applies must be the same, or the two go on for ever.
TEST(StandInTest, IsTheLaterOfTwoThatDifferOnlyInPlace) {
  const v1::InventoryEntry entry = EntryOf("a", v1::RESTART_MODE_NO, "a", v1::RESTART_MODE_ALWAYS);
  EXPECT_EQ(LastGood(entry).spec, &entry.applied());
  EXPECT_EQ(StandInOf(entry, "a").spec, &entry.applied());
}

TEST(StandInTest, IsWhatWasAppliedWhenNothingWasGoodYet) {
  v1::InventoryEntry entry;
  entry.set_applied_hash("b");
  entry.mutable_applied();
  EXPECT_EQ(LastGood(entry).spec, &entry.applied());
  EXPECT_EQ(LastGood(v1::InventoryEntry()).spec, nullptr);
}

}  // namespace
}  // namespace fairlead::sync
