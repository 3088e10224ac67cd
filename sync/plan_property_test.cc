// Laws of planning over random worlds and their histories. A failure prints the seed of its
// world; the same seed gives the same world.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "sync/gates.h"
#include "sync/testing/model_world.h"

namespace fairlead::sync {
namespace {

constexpr uint32_t kFirstSeed = 20231114;
constexpr int kWorlds = 200;

// A random fleet with a text for each resource, so that single ones can be changed.
class RandomFleet {
 public:
  // In a clean one everything gets healthy in the end.
  RandomFleet(uint32_t seed, bool clean) : random_(seed), clean_(clean) {
    servers_ = Pick(1, 3);
    const int count = Pick(2, 9);
    for (int i = 0; i < count; ++i) resources_[i] = Make(i);
    prune_ = clean || Pick(0, 2) > 0;
  }

  // Something new in the repository.
  void Commit() {
    ++revision_;
    const int changes = Pick(1, 3);
    for (int i = 0; i < changes; ++i) {
      const int which = Pick(0, 9);
      if (Pick(0, 3) == 0 && resources_.size() > 2) {
        // In a clean world nothing that is needed goes.
        if (!clean_ || !IsNamed(which)) resources_.erase(which);
      } else {
        resources_[which] = Make(which);
      }
    }
    tag_ = Pick(1, 3);
  }

  // Something happens on a host.
  void Disturb(ModelWorld& world) {
    for (const auto& [server, host] : std::map<std::string, HostLive>(world.hosts())) {
      for (const auto& [id, container] : host.containers) {
        const int what = Pick(0, 11);
        v1::Container changed = *container;
        if (what == 0) {
          world.RemoveContainer(server, id);
        } else if (what == 1) {
          changed.set_state(v1::CONTAINER_STATE_EXITED);
          changed.set_exit_code(137);
          *changed.mutable_finished_at() = ToProto(world.now());
          world.Change(server, changed);
        } else if (what == 2) {
          (*changed.mutable_section_hash())["environment"] = "by-hand";
          world.Change(server, changed);
        } else if (what == 3) {
          changed.set_restart_policy("by-hand");
          world.Change(server, changed);
        }
      }
    }
  }

  SourceText Source(bool failed = false) {
    SourceText source;
    source.origin = "resource_sync/main";
    source.name = "main";
    source.revision = absl::StrCat("r", revision_);
    source.prune = prune_;
    if (failed) source.prune_blocker = "the last fetch failed";
    std::string& base = source.files["a.toml"];
    for (int i = 0; i < servers_; ++i) {
      absl::StrAppend(&base, "[[server]]\nname = \"edge-", i, "\"\n");
    }
    absl::StrAppend(&base, "[[variable]]\nname = \"TAG\"\nvalue = \"", tag_, "\"\n");
    for (const auto& [i, text] : resources_) source.files[absl::StrCat("r", i, ".toml")] = text;
    return source;
  }

  int servers() const { return servers_; }
  int Pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

 private:
  bool IsNamed(int which) const {
    const std::string name = absl::StrCat("\"app", which, "\", ");
    return std::any_of(resources_.begin(), resources_.end(), [&name](const auto& resource) {
      return resource.second.find(name) != std::string::npos;
    });
  }

  std::string Image() {
    if (Pick(0, 7) == 0) return absl::StrCat("job:", Pick(1, 3));
    if (!clean_ && Pick(0, 4) == 0) return absl::StrCat("bad:", Pick(1, 3));
    if (!clean_ && Pick(0, 6) == 0) return absl::StrCat("slow:", Pick(1, 3));
    return absl::StrCat("img:", Pick(1, 3));
  }

  std::string Make(int i) {
    const std::string image = Image();
    const std::string server = absl::StrCat("edge-", Pick(0, servers_ - 1));
    const bool stack = i % 4 == 3;
    std::string text =
        absl::StrCat("[[", stack ? "stack" : "deployment", "]]\nname = \"app", i, "\"\n");
    // Only names before its own: no cycles in a clean world.
    std::vector<std::string> after;
    for (int j = 0; j < i; ++j) {
      if (Pick(0, 3) == 0 && resources_.contains(j))
        after.push_back(absl::StrCat("\"app", j, "\""));
    }
    if (!clean_ && Pick(0, 9) == 0) after.push_back("\"app9\"");
    text += "after = [";
    for (const std::string& name : after) absl::StrAppend(&text, name, ", ");
    text += "]\n";
    const int state = clean_ ? 9 : Pick(0, 9);
    if (state == 0) text += "state = \"stopped\"\n";
    if (state == 1) text += "state = \"absent\"\n";
    if (state == 2) text += "heal = false\n";
    if (state == 3) text += "deploy = false\n";
    if (Pick(0, 3) == 0) text += "restart_with_dependency = true\n";
    if (stack) {
      absl::StrAppend(&text, "[stack.config]\nserver = \"", server,
                      "\"\nfile_contents = \"\"\"\nservices: {app: {image: \"", image,
                      "\"}}\n\"\"\"\n");
      return text;
    }
    absl::StrAppend(&text, "[deployment.config]\nserver = \"", server, "\"\nimage = \"", image,
                    "\"\n");
    if (image[0] == 'j') text += "restart = \"no\"\n";
    if (Pick(0, 3) == 0) text += "environment = \"TAG=[[TAG]]\"\n";
    if (Pick(0, 2) == 0) text += "network = \"apps\"\nstrategy = \"start_first\"\n";
    if (!clean_ && Pick(0, 5) == 0) text += "rollback = false\n";
    if (!clean_ && Pick(0, 9) == 0) text += "enviroment = \"typo\"\n";
    return text;
  }

  std::mt19937 random_;
  const bool clean_;
  int servers_ = 1;
  int tag_ = 1;
  int revision_ = 1;
  bool prune_ = true;
  std::map<int, std::string> resources_;
};

bool MayStart(const v1::Step& step) {
  return step.gate().kind() == v1::Gate::KIND_OPEN && step.action() != v1::STEP_ACTION_WAIT &&
         step.action() != v1::STEP_ACTION_BLOCKED;
}

// Plans in every way there is and holds the laws that need only one plan.
class Planner {
 public:
  explicit Planner(ModelWorld& world) : world_(world) {}

  // The plan holds until the next one.
  const PlanResult& Plan() {
    const PlanInput& input = world_.Look();
    const std::set<resources::ResourceId> dirty = world_.TakeDirty();
    auto full = ComputePlan(input);
    EXPECT_TRUE(full.ok()) << full.status();
    const std::string fingerprint = Fingerprint(*full);
    EXPECT_EQ(fingerprint, Fingerprint(*ComputePlan(input))) << "planned twice";
    if (planned_) {
      const auto incremental = ComputePlan(input, result_, dirty);
      EXPECT_EQ(WritePlan(input, *full), WritePlan(input, *incremental)) << "incremental";
      EXPECT_EQ(fingerprint, Fingerprint(*incremental)) << "incremental";
      // What is kept from pass to pass is what is tested.
      result_ = *incremental;
    } else {
      result_ = *std::move(full);
    }
    planned_ = true;
    EXPECT_GT(result_.wake_at, input.now) << WritePlan(input, result_);
    CheckSums(input);
    CheckRemovals(input);
    CheckDependencies(input);
    return result_;
  }

 private:
  void CheckSums(const PlanInput& input) {
    const v1::Plan& plan = result_.plan;
    EXPECT_EQ(plan.unchanged() + static_cast<size_t>(plan.steps_size()), result_.decisions.size());
    std::set<std::string> known;
    for (const auto& [id, resource] : input.desired->resources) known.insert(id.ToString());
    for (const auto& [resource, entry] : input.inventory) known.insert(resource);
    for (const auto& [id, decision] : result_.decisions) {
      EXPECT_TRUE(known.contains(id.ToString()) || decision->rule == 1) << id.ToString();
    }
    EXPECT_GE(result_.decisions.size(), known.size());
    EXPECT_EQ(result_.step_index.size(), static_cast<size_t>(plan.steps_size()));
  }

  void CheckRemovals(const PlanInput& input) {
    bool blocked = !input.desired->complete;
    for (const auto& [origin, source] : input.desired->sources) {
      blocked = blocked || !source.prune_blocker.empty();
    }
    for (const v1::Step& step : result_.plan.steps()) {
      if (step.action() != v1::STEP_ACTION_PRUNE) continue;
      EXPECT_TRUE(input.inventory.contains(step.resource())) << step.resource();
      EXPECT_FALSE(blocked) << step.resource() << " pruned although a source failed";
      const auto id = resources::ResourceId::Parse(step.resource());
      EXPECT_FALSE(input.desired->resources.contains(*id)) << step.resource();
    }
  }

  void CheckDependencies(const PlanInput& input) {
    for (const v1::Step& step : result_.plan.steps()) {
      const auto id = resources::ResourceId::Parse(step.resource());
      const Decision& decision = *result_.decisions.at(*id);
      const auto desired = input.desired->resources.find(*id);
      if (!MayStart(step) || !IsForward(step.action()) || decision.uses_good_spec) continue;
      for (const auto& dependency : desired->second->after) {
        const Decision& before = *result_.decisions.at(dependency);
        if (step.heal()) {
          EXPECT_FALSE(before.open_step) << step.resource();
        } else {
          EXPECT_TRUE(before.satisfied && !before.degraded) << step.resource();
        }
      }
    }
  }

  ModelWorld& world_;
  PlanResult result_;
  bool planned_ = false;
};

using Actions = std::set<v1::StepAction>;

// Plans and performs until nothing happens any more; the last plan. Adds what it performed.
const PlanResult& Settle(ModelWorld& world, Planner& planner, RandomFleet& fleet,
                         Actions& performed) {
  constexpr int kRounds = 400;
  const absl::Time end = world.now() + absl::Hours(2);
  const PlanResult* result = nullptr;
  for (int round = 0; round < kRounds; ++round) {
    result = &planner.Plan();
    world.Note(*result);
    bool acted = !result->new_failures.empty();
    const v1::Plan plan = result->plan;
    for (const v1::Step& step : plan.steps()) {
      // Not all at once: agents take their time.
      if (!MayStart(step) || fleet.Pick(0, 2) == 0) continue;
      const auto id = resources::ResourceId::Parse(step.resource());
      world.Perform(step, *result->decisions.at(*id));
      performed.insert(step.action());
      acted = true;
    }
    if (testing::Test::HasFailure()) return *result;
    if (acted) continue;
    const bool skipped = std::any_of(plan.steps().begin(), plan.steps().end(), MayStart);
    if (skipped) continue;
    world.AdvanceTo(world.now() + absl::Milliseconds(1));
    if (result->wake_at == absl::InfiniteFuture() || result->wake_at > end) return *result;
    world.AdvanceTo(std::max(world.now(), result->wake_at));
  }
  ADD_FAILURE() << "no end after " << kRounds << " rounds:\n" << WritePlan(world.Look(), *result);
  return *result;
}

class PlanPropertyTest : public testing::Test {
 protected:
  // Worlds in which something never happens prove nothing of it.
  void ExpectPerformed(const Actions& wanted) {
    for (const v1::StepAction action : wanted) {
      EXPECT_TRUE(performed_.contains(action)) << v1::StepAction_Name(action);
    }
  }

  void RunWorld(uint32_t seed, bool clean) {
    SCOPED_TRACE(absl::StrCat("seed ", seed, clean ? " clean" : ""));
    RandomFleet fleet(seed, clean);
    ModelWorld world;
    Planner planner(world);
    for (int i = 0; i < fleet.servers(); ++i) world.Connect(absl::StrCat("edge-", i), true);
    for (int commit = 0; commit < 4 && !HasFailure(); ++commit) {
      world.Declare(fleet.Source());
      const PlanResult& settled = Settle(world, planner, fleet, performed_);
      if (clean) {
        EXPECT_EQ(settled.plan.steps_size(), 0) << WritePlan(world.Look(), settled);
      }
      fleet.Disturb(world);
      if (fleet.Pick(0, 1) == 0) {
        const std::string server = absl::StrCat("edge-", fleet.Pick(0, fleet.servers() - 1));
        world.Connect(server, false);
        Settle(world, planner, fleet, performed_);
        world.Connect(server, true);
      }
      if (fleet.Pick(0, 2) == 0) {
        world.Hold("deployment/app0");
        Settle(world, planner, fleet, performed_);
        world.Release("deployment/app0");
      }
      fleet.Commit();
      if (fleet.Pick(0, 2) == 0) {
        world.Declare(fleet.Source(/*failed=*/true));
        Settle(world, planner, fleet, performed_);
      }
    }
  }

  Actions performed_;
};

TEST_F(PlanPropertyTest, CleanWorldsSettleToAnEmptyPlan) {
  for (int i = 0; i < kWorlds / 2 && !HasFailure(); ++i) {
    RunWorld(kFirstSeed + static_cast<uint32_t>(i), true);
  }
  ExpectPerformed({v1::STEP_ACTION_CREATE, v1::STEP_ACTION_REPLACE, v1::STEP_ACTION_UPDATE,
                   v1::STEP_ACTION_START, v1::STEP_ACTION_STOP, v1::STEP_ACTION_MOVE,
                   v1::STEP_ACTION_PRUNE, v1::STEP_ACTION_FINISH});
}

TEST_F(PlanPropertyTest, WorldsWithFailuresComeToRest) {
  for (int i = 0; i < kWorlds / 2 && !HasFailure(); ++i) {
    RunWorld(kFirstSeed + static_cast<uint32_t>(i), false);
  }
  ExpectPerformed({v1::STEP_ACTION_ROLLBACK, v1::STEP_ACTION_DESTROY, v1::STEP_ACTION_FINISH,
                   v1::STEP_ACTION_REPLACE, v1::STEP_ACTION_START});
}

TEST_F(PlanPropertyTest, SharingWithThePreviousStateChangesNothing) {
  for (int i = 0; i < kWorlds / 2 && !HasFailure(); ++i) {
    SCOPED_TRACE(absl::StrCat("seed ", kFirstSeed + static_cast<uint32_t>(i)));
    RandomFleet fleet(kFirstSeed + static_cast<uint32_t>(i), false);
    std::shared_ptr<const DesiredState> shared;
    for (int commit = 0; commit < 4; ++commit) {
      const std::vector<std::shared_ptr<const SourceSnapshot>> sources = {
          ReadSource(fleet.Source())};
      shared = BuildDesiredState(sources, TestHasher(), {}, shared.get());
      const auto fresh = BuildDesiredState(sources, TestHasher(), {}, nullptr);
      ASSERT_EQ(shared->resources.size(), fresh->resources.size());
      for (const auto& [id, resource] : fresh->resources) {
        EXPECT_TRUE(IsSame(*resource, *shared->resources.at(id))) << id.ToString();
      }
      EXPECT_EQ(*shared->dependents, *fresh->dependents);
      EXPECT_EQ(shared->variables, fresh->variables);
      EXPECT_EQ(shared->secret_files, fresh->secret_files);
      fleet.Commit();
    }
  }
}

}  // namespace
}  // namespace fairlead::sync
