#include "integration/simulation/run.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

#include "integration/simulation/invariants.h"
#include "integration/simulation/storm.h"
#include "integration/simulation/world.h"

namespace fairlead::simulation {
namespace {

// After the last fault all must be at rest within this.
constexpr absl::Duration kBound = absl::Minutes(30);
// Rest is what stays so for this long.
constexpr absl::Duration kStill = absl::Seconds(15);
// What an engine hid or lied about shows with the next list: a minute, behind a call that hangs,
// on a clock that was set back.
constexpr absl::Duration kListed = absl::Minutes(3);
constexpr absl::Duration kLook = absl::Seconds(3);

std::size_t AgentsOf(const RunOptions& options, SeededRandom& random) {
  const std::size_t drawn = random.Chance(0.9)   ? 1 + random.Below(4)
                            : random.Chance(0.9) ? 5 + random.Below(11)
                                                 : 16 + random.Below(35);
  return options.agents == 0 ? drawn : options.agents;
}

// Lets time pass until the world is at rest; false, with a violation, when that takes too long.
bool Settle(World& world) {
  Timeline& timeline = world.stage().timeline;
  const absl::Time bound = timeline.now() + kBound;
  absl::Time moved = timeline.now();
  while (timeline.now() < bound) {
    timeline.RunUntil(timeline.now() + kLook);
    if (!IsAtRest(world)) moved = timeline.now();
    if (timeline.now() - moved >= kStill) return true;
  }
  world.stage().Violate("not at rest ", absl::FormatDuration(kBound),
                        " after the last fault: ", WhyNotAtRest(world));
  return false;
}

// What failed only because of the storm is tried again by an operator, and holds end: then there
// is no excuse any more.
void AskAgain(World& world) {
  const std::shared_ptr<const loop::LoopView> view = world.controller().View();
  for (const auto& [name, wish] : world.committed()) {
    const std::string resource = absl::StrCat("deployment/", name);
    loop::OperatorRequest request;
    request.resource = resource;
    request.who = "ann";
    if (view->input.holds.contains(resource)) {
      request.kind = loop::OperatorRequest::Kind::kRelease;
      world.controller().Request(request);
    }
    if (wish.CanBeWell() && (view->input.failed_specs.contains(resource) ||
                             view->input.failed_attempts.contains(resource))) {
      request.kind = loop::OperatorRequest::Kind::kRetry;
      world.controller().Request(request);
    }
  }
  world.controller().AllowDelete(1000);
}

void Play(World& world, RunResult& result) {
  Stage& stage = world.stage();
  world.Boot();
  stage.timeline.RunUntil(stage.timeline.now() +
                          stage.random.Between(absl::Seconds(1), absl::Minutes(1)));
  const std::size_t storms = 1 + stage.random.Below(2);
  for (std::size_t i = 0; i < storms && stage.violations.empty(); ++i) {
    Storm(world, stage.random.Between(absl::Seconds(30), absl::Minutes(5)));
    if (stage.random.Chance(0.5)) world.fleet().Mend();
    world.Commit();
    const absl::Time calm = stage.timeline.now();
    stage.timeline.RunUntil(calm + kListed);
    if (!Settle(world)) return;
    result.settled_in = std::max(result.settled_in, stage.timeline.now() - calm);
    CheckAtRest(world);
    AskAgain(world);
    if (!Settle(world)) return;
    CheckAtRest(world);
  }
}

}  // namespace

RunResult RunSeed(const RunOptions& options) {
  RunResult result;
  Stage stage(options.seed, options.keep_trace, options.plant);
  result.agents = AgentsOf(options, stage.random);
  {
    World world(stage, result.agents);
    stage.stormy = false;
    Play(world, result);
    result.time = stage.timeline.now() - stage.began;
  }
  result.counts = std::move(stage.counts);
  result.violations = std::move(stage.violations);
  result.trace_hash = stage.trace.hash();
  result.trace_lines = stage.trace.count();
  result.trace = stage.trace.lines();
  return result;
}

std::string ReplayCommand(const RunOptions& options) {
  std::string command = absl::StrCat("simulate --seed ", options.seed, " --trace");
  if (options.agents != 0) absl::StrAppend(&command, " --agents ", options.agents);
  return command;
}

}  // namespace fairlead::simulation
