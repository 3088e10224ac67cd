#include "integration/simulation/storm.h"

#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace fairlead::simulation {
namespace {

constexpr absl::Duration kShort = absl::Seconds(1);

void DisturbNetwork(World& world) {
  Stage& stage = world.stage();
  Link& link = world.AnyNode().link();
  const std::string& name = world.AnyNode().name();
  switch (stage.random.Below(3)) {
    case 0:
      stage.Fault(name, "link cut");
      return link.Cut(stage.random.Chance(0.5));
    case 1: {
      const absl::Duration time = stage.random.Between(kShort, absl::Seconds(20));
      stage.Fault(name, "link stalls");
      return link.Stall(time);
    }
    default: {
      const absl::Duration time = stage.random.Between(kShort, absl::Seconds(60));
      stage.Fault(name, "partition");
      return link.Partition(time);
    }
  }
}

void DisturbHost(World& world) {
  Stage& stage = world.stage();
  AgentNode& node = world.AnyNode();
  switch (stage.random.Below(6)) {
    case 0:
      return node.Crash("at random", false);
    case 1:
      return node.Crash("at random", true);
    case 2:
      return node.StopEngine(stage.random.Between(kShort, absl::Seconds(60)),
                             stage.random.Chance(0.5));
    case 3: {
      const absl::Duration by = stage.random.Between(absl::Seconds(-90), absl::Seconds(90));
      stage.Fault(node.name(), "clock jumps", " by ", absl::FormatDuration(by));
      return node.host().clock.Jump(by);
    }
    case 4: {
      stage.Fault(node.name(), "clock drifts");
      const double drift = (static_cast<double>(stage.random.Below(2001)) - 1000.0) * 1e-6;
      return node.host().clock.SetDrift(drift);
    }
    default:
      stage.Fault(node.name(), "disk full");
      node.disk().full_until =
          stage.timeline.now() + stage.random.Between(kShort, absl::Seconds(40));
  }
}

void DisturbController(World& world) {
  Stage& stage = world.stage();
  switch (stage.random.Below(3)) {
    case 0:
      return world.controller().Crash("at random");
    case 1:
      stage.Fault("controller", "store full");
      return world.store().FillUpUntil(stage.timeline.now() +
                                       stage.random.Between(kShort, absl::Seconds(20)));
    default: {
      const absl::Duration by = stage.random.Between(absl::Seconds(-20), absl::Seconds(20));
      stage.Fault("controller", "clock jumps", " by ", absl::FormatDuration(by));
      return world.controller().clock().Jump(by);
    }
  }
}

// Somebody with a shell on the host.
void MeddleByHand(World& world) {
  Stage& stage = world.stage();
  AgentNode& node = world.AnyNode();
  const std::vector<std::string> names = node.host().engine.OwnedNames();
  if (names.empty()) return;
  const std::string& name = stage.random.Pick(names);
  static const std::vector<std::string>* const kDoings =
      new std::vector<std::string>{"rm", "stop", "die", "pause", "edit"};
  const std::string& doing = stage.random.Pick(*kDoings);
  stage.Fault(node.name(), absl::StrCat("by hand: ", doing), " ", name);
  if (doing == "rm") {
    node.host().engine.RemoveByHand(name);
  } else if (doing == "edit") {
    node.host().engine.EditByHand(name);
  } else {
    node.host().engine.StopByHand(name, doing);
  }
}

void Operate(World& world) {
  using Kind = loop::OperatorRequest::Kind;
  Stage& stage = world.stage();
  const auto& wishes = world.fleet().wishes();
  const auto wish =
      std::next(wishes.begin(), static_cast<std::ptrdiff_t>(stage.random.Below(wishes.size())));
  loop::OperatorRequest request;
  request.kind =
      std::vector<Kind>{Kind::kStop,    Kind::kStart,   Kind::kRestart,
                        Kind::kRestart, Kind::kRelease, Kind::kRetry}[stage.random.Below(6)];
  request.resource = absl::StrCat("deployment/", wish->first);
  request.who = "ann";
  request.why = "because";
  if (request.kind == Kind::kStop && stage.random.Chance(0.7)) {
    request.expires_at = world.controller().clock().Now() + absl::Minutes(2);
  }
  stage.Count("operator requests");
  world.controller().Request(request);
}

void CommitSomething(World& world) {
  Stage& stage = world.stage();
  world.fleet().Mutate();
  if (stage.random.Chance(0.15)) {
    world.CommitBroken();
  } else {
    world.Commit();
  }
  if (stage.random.Chance(0.5)) world.controller().Fetch();
}

void Incident(World& world) {
  const std::size_t sort = world.stage().random.Below(12);
  if (sort < 3) return CommitSomething(world);
  if (sort < 5) return MeddleByHand(world);
  if (sort < 7) return Operate(world);
  if (sort < 9) return DisturbNetwork(world);
  if (sort < 11) return DisturbHost(world);
  DisturbController(world);
}

}  // namespace

void Storm(World& world, absl::Duration time) {
  Stage& stage = world.stage();
  stage.Say("weather", "a storm begins");
  stage.stormy = true;
  static const std::vector<double>* const kTroubles = new std::vector<double>{0, 0, 0.01, 0.05};
  for (const auto& node : world.nodes()) node->host().trouble = stage.random.Pick(*kTroubles);
  const absl::Time end = stage.timeline.now() + time;
  // Larger fleets see more of everything.
  const double pace = static_cast<double>(world.nodes().size() + 2) / 3.0;
  const absl::Duration gap = stage.random.Between(absl::Seconds(3), absl::Seconds(30)) / pace;
  while (stage.timeline.now() < end) {
    stage.timeline.RunUntil(
        std::min(end, stage.timeline.now() + stage.random.Between(absl::ZeroDuration(), 2 * gap)));
    if (stage.timeline.now() < end) Incident(world);
  }
  stage.stormy = false;
  stage.Say("weather", "the storm is over");
}

}  // namespace fairlead::simulation
