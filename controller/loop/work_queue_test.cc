#include "controller/loop/work_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

namespace fairlead::loop {
namespace {

TEST(WorkQueueTest, RunsAKeyOnceMoreWhenAddedWhileItRuns) {
  std::promise<void> started;
  std::promise<void> go_on;
  std::promise<void> twice;
  std::atomic<int> runs = 0;
  WorkQueue queue(base::Clock::Real(), 2, [&](const std::string&) {
    const int run = ++runs;
    if (run == 1) {
      started.set_value();
      go_on.get_future().wait();
    }
    if (run == 2) twice.set_value();
  });
  queue.Add("a");
  started.get_future().wait();
  queue.Add("a");
  queue.Add("a");
  EXPECT_EQ(runs, 1);
  go_on.set_value();
  twice.get_future().wait();
  queue.Shutdown();
  EXPECT_EQ(runs, 2);
}

TEST(WorkQueueTest, ASlowKeyDoesNotDelayAnother) {
  std::promise<void> other;
  std::promise<void> release;
  WorkQueue queue(base::Clock::Real(), 2, [&](const std::string& key) {
    if (key == "slow") release.get_future().wait();
    if (key == "fast") other.set_value();
  });
  queue.Add("slow");
  queue.Add("fast");
  other.get_future().wait();
  release.set_value();
}

TEST(WorkQueueTest, RemovedAndLateKeysDoNotRun) {
  std::promise<void> marker;
  std::vector<std::string> ran;
  WorkQueue queue(base::Clock::Real(), 1, [&](const std::string& key) {
    ran.push_back(key);
    if (key == "marker") marker.set_value();
  });
  queue.Add("late", absl::Hours(1));
  queue.Add("gone", absl::Hours(1));
  queue.Remove("gone");
  queue.Add("marker");
  marker.get_future().wait();
  queue.Shutdown();
  EXPECT_THAT(ran, ::testing::ElementsAre("marker"));
}

}  // namespace
}  // namespace fairlead::loop
