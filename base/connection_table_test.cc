#include "base/connection_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fairlead::base {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

absl::Duration At(int seconds) { return absl::Seconds(seconds); }

TEST(ConnectionTableTest, TheLongestWaitingMakesRoom) {
  ConnectionTable table({.total = 2, .per_address = 2});
  const auto first = table.Add("a", At(0));
  const auto second = table.Add("b", At(1));
  const auto third = table.Add("c", At(2));
  ASSERT_TRUE(third.id.has_value());
  EXPECT_EQ(third.evicted, first.id);
  // It begins to wait anew, so that the other one has waited longest.
  table.SetWaiting(*second.id, At(3));
  EXPECT_EQ(table.Add("d", At(4)).evicted, third.id);
  EXPECT_EQ(table.size(), 2);
}

TEST(ConnectionTableTest, WhoIsBusyStays) {
  ConnectionTable table({.total = 2, .per_address = 2});
  const auto first = table.Add("a", At(0));
  const auto second = table.Add("b", At(0));
  table.SetBusy(*first.id);
  EXPECT_EQ(table.Add("c", At(1)).evicted, second.id);
  table.SetBusy(*first.id);
  const auto third = table.Add("d", At(1));
  table.SetBusy(*third.id);
  const auto refused = table.Add("e", At(2));
  EXPECT_FALSE(refused.id.has_value());
  EXPECT_FALSE(refused.evicted.has_value());
  table.Remove(*first.id);
  EXPECT_TRUE(table.Add("e", At(2)).id.has_value());
}

TEST(ConnectionTableTest, AnAddressTakesFromItselfAlone) {
  ConnectionTable table({.total = 10, .per_address = 2});
  const auto other = table.Add("b", At(0));
  const auto first = table.Add("a", At(1));
  table.Add("a", At(2));
  EXPECT_EQ(table.Add("a", At(3)).evicted, first.id);
  EXPECT_EQ(table.size(), 3);
  table.Remove(*other.id);
  EXPECT_EQ(table.size(), 2);
}

TEST(ConnectionTableTest, WhoWaitsTooLongIsTaken) {
  ConnectionTable table({.total = 10, .per_address = 10, .patience = At(5)});
  const auto slow = table.Add("a", At(0));
  const auto busy = table.Add("a", At(0));
  const auto late = table.Add("a", At(3));
  table.SetBusy(*busy.id);
  EXPECT_THAT(table.TakeOverdue(At(4)), IsEmpty());
  EXPECT_THAT(table.TakeOverdue(At(5)), ElementsAre(*slow.id));
  EXPECT_EQ(table.size(), 2);
  table.SetWaiting(*busy.id, At(6));
  EXPECT_THAT(table.TakeOverdue(At(100)), ElementsAre(*late.id, *busy.id));
  EXPECT_FALSE(table.AnyWaiting());
  EXPECT_EQ(table.size(), 0);
}

TEST(ConnectionTableTest, WhatIsUnknownIsIgnored) {
  ConnectionTable table({});
  table.Remove(7);
  table.SetBusy(7);
  table.SetWaiting(7, At(0));
  EXPECT_EQ(table.size(), 0);
  EXPECT_FALSE(table.AnyWaiting());
}

}  // namespace
}  // namespace fairlead::base
