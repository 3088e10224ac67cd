#include "controller/loop/view_publisher.h"

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace fairlead::loop {
namespace {

using resources::ResourceId;
using ViewPointer = std::shared_ptr<const LoopView>;

// What the loop holds, and changes to it at random.
class World {
 public:
  explicit World(int resources) {
    for (int i = 0; i < resources; ++i) Put(IdOf(i));
  }

  static ResourceId IdOf(int number) { return {"deployment", absl::StrCat("app-", number)}; }

  void Put(const ResourceId& id) {
    input.inventory[id.ToString()] = std::make_shared<const v1::InventoryEntry>();
    result.decisions[id] = std::make_shared<const sync::Decision>();
  }
  void Erase(const ResourceId& id) {
    input.inventory.erase(id.ToString());
    result.decisions.erase(id);
  }
  ViewPointer Publish() { return publisher.Publish(input, result, true); }
  bool IsShownBy(const LoopView& view) const {
    return view.input.inventory == input.inventory && view.result.decisions == result.decisions &&
           view.input.busy == input.busy && view.result.wake_at == result.wake_at;
  }

  sync::PlanInput input;
  sync::PlanResult result;
  ViewPublisher publisher;
};

TEST(ViewPublisherTest, ReusesAPictureThatNobodyReads) {
  World world(100);
  ViewPointer last = world.Publish();
  const LoopView* const first = last.get();
  last = world.Publish();
  world.Put(World::IdOf(7));
  world.publisher.OnChanged(World::IdOf(7));
  last = world.Publish();
  EXPECT_EQ(last.get(), first);
  EXPECT_EQ(last->generation, 3u);
  EXPECT_TRUE(world.IsShownBy(*last));
}

TEST(ViewPublisherTest, LeavesAPictureAloneWhileItIsRead) {
  World world(100);
  const ViewPointer kept = world.Publish();
  const auto entry = kept->input.inventory.at("deployment/app-7");
  for (int round = 0; round < 20; ++round) {
    world.Put(World::IdOf(7));
    world.publisher.OnChanged(World::IdOf(7));
    EXPECT_TRUE(world.IsShownBy(*world.Publish()));
  }
  EXPECT_EQ(kept->generation, 1u);
  EXPECT_EQ(kept->input.inventory.at("deployment/app-7"), entry);
}

TEST(ViewPublisherTest, PicturesOutliveThePublisher) {
  ViewPointer last;
  {
    World world(3);
    last = world.Publish();
  }
  EXPECT_EQ(last->input.inventory.size(), 3u);
}

TEST(ViewPublisherTest, ShowsEveryChangeWhicheverPictureIsReused) {
  constexpr int kResources = 60;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    World world(kResources);
    std::vector<ViewPointer> readers(3);
    for (int round = 0; round < 100; ++round) {
      const unsigned changes = random() % 4;
      for (unsigned i = 0; i < changes; ++i) {
        const ResourceId id = World::IdOf(static_cast<int>(random() % kResources));
        if (random() % 3 == 0) {
          world.Erase(id);
        } else {
          world.Put(id);
        }
        world.publisher.OnChanged(id);
      }
      if (random() % 15 == 0) {
        for (int i = 0; i < kResources; ++i) world.Put(World::IdOf(i));
        world.publisher.OnEverythingChanged();
      }
      world.input.busy["deployment/app-1"] = static_cast<v1::StepAction>(random() % 5);
      world.result.wake_at = absl::FromUnixSeconds(round);
      const ViewPointer view = world.Publish();
      ASSERT_TRUE(world.IsShownBy(*view)) << "round " << round;
      // Some readers let go at once, some late.
      if (random() % 3 == 0) readers[random() % readers.size()] = view;
    }
  }
}

}  // namespace
}  // namespace fairlead::loop
