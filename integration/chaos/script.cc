#include "integration/chaos/script.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "integration/chaos/edits.h"

namespace fairlead::chaos {

namespace {

constexpr absl::Duration kWindow = absl::Milliseconds(1800);

// Each round its own chance, so that it does not depend on how much another one used.
simulation::SeededRandom ChanceOf(uint64_t seed, int round) {
  return simulation::SeededRandom(simulation::SeededRandom(seed).Next() +
                                  static_cast<uint64_t>(round));
}

bool HasServer(FaultKind kind) {
  return kind != FaultKind::kKillController && kind != FaultKind::kStopController &&
         kind != FaultKind::kJumpClock && kind != FaultKind::kCrashDatabase &&
         kind != FaultKind::kCutDatabase;
}

bool HasController(FaultKind kind) {
  return kind == FaultKind::kKillController || kind == FaultKind::kStopController ||
         kind == FaultKind::kCutDatabase;
}

std::string Describe(const Fault& fault) {
  std::string text = NameOf(fault.kind);
  if (!fault.resource.empty()) {
    absl::StrAppend(&text, " of ", fault.resource);
  } else if (HasServer(fault.kind)) {
    absl::StrAppend(&text, " at host-", fault.server);
  } else if (fault.controller != 1) {
    absl::StrAppend(&text, " of controller ", fault.controller);
  }
  if (fault.span > absl::ZeroDuration()) {
    absl::StrAppend(&text, " for ", absl::FormatDuration(fault.span));
  }
  if (fault.jump != absl::ZeroDuration()) {
    absl::StrAppend(&text, " by ", absl::FormatDuration(fault.jump));
  }
  return text;
}

}  // namespace

const char* NameOf(FaultKind kind) {
  constexpr const char* kKindNames[] = {
      "kill-controller", "kill-agent", "kill-dockerd", "kill-container", "remove-container",
      "stop-controller", "stop-agent", "stop-dockerd", "cut-link",       "slow-link",
      "drop-link",       "fill-disk",  "jump-clock",   "crash-database", "cut-database"};
  return kKindNames[static_cast<int>(kind)];
}

std::string Describe(const Round& round) {
  std::vector<std::pair<absl::Duration, std::string>> lines;
  for (const ScriptedCommit& commit : round.commits) {
    lines.emplace_back(commit.at, absl::StrCat("commit: ", commit.subject));
  }
  for (const Fault& fault : round.faults) lines.emplace_back(fault.at, Describe(fault));
  for (const ScriptedRestart& restart : round.restarts) {
    lines.emplace_back(restart.at, absl::StrCat("restart ", restart.resource));
  }
  std::stable_sort(lines.begin(), lines.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text;
  for (const auto& [at, line] : lines) {
    absl::StrAppendFormat(&text, "  %4d ms  %s\n", absl::ToInt64Milliseconds(at), line);
  }
  return text;
}

Script::Script(uint64_t seed, int controllers) : seed_(seed), controllers_(controllers) {
  simulation::SeededRandom random = ChanceOf(seed, 0);
  Editor(random, founded_).Found();
  model_.Commit(founded_);
  model_.Rest();
}

Fault Script::MakeFault(simulation::SeededRandom& random) const {
  Fault fault;
  fault.kind =
      static_cast<FaultKind>(random.Below(controllers_ > 1 ? kSharedFaultKinds : kFaultKinds));
  fault.at = random.Between(absl::ZeroDuration(), kWindow);
  fault.span = random.Between(absl::Milliseconds(100), absl::Milliseconds(1500));
  fault.server = 1 + static_cast<int>(random.Below(kServers));
  if (controllers_ > 1 && HasController(fault.kind)) {
    fault.controller = 1 + static_cast<int>(random.Below(static_cast<uint64_t>(controllers_)));
    // Also longer than an office lasts.
    fault.span = random.Between(absl::Milliseconds(100), absl::Seconds(4));
  }
  if (fault.kind == FaultKind::kKillContainer || fault.kind == FaultKind::kRemoveContainer) {
    const std::string name = random.Pick(model_.world().order);
    fault.resource = ResourceOf(name, model_.world().items.at(name));
    fault.span = absl::ZeroDuration();
  }
  if (fault.kind == FaultKind::kJumpClock) {
    constexpr absl::Duration kJumps[] = {absl::Seconds(7), absl::Seconds(90), absl::Minutes(20),
                                         absl::Hours(2)};
    fault.jump = (random.Chance(0.5) ? 1 : -1) * kJumps[random.Below(4)];
    fault.span = absl::ZeroDuration();
  }
  return fault;
}

Round Script::Next() {
  Round round;
  round.number = ++number_;
  simulation::SeededRandom random = ChanceOf(seed_, round.number);
  std::set<std::string> gone = model_.Gone();
  World world = model_.world();
  const std::size_t commits = 1 + random.Below(3);
  for (std::size_t i = 0; i < commits; ++i) {
    std::vector<std::string> edits;
    const std::size_t count = 1 + random.Below(2);
    for (std::size_t j = 0; j < count; ++j) {
      edits.push_back(Editor(random, world).Edit(gone));
    }
    round.commits.push_back({.at = random.Between(absl::ZeroDuration(), kWindow),
                             .subject = absl::StrJoin(edits, ", "),
                             .world = world});
  }
  // The worlds build on each other; only their moments are sorted.
  std::vector<absl::Duration> moments;
  for (const ScriptedCommit& commit : round.commits) moments.push_back(commit.at);
  std::sort(moments.begin(), moments.end());
  for (std::size_t i = 0; i < commits; ++i) round.commits[i].at = moments[i];
  const std::size_t faults = 1 + random.Below(4);
  for (std::size_t i = 0; i < faults; ++i) round.faults.push_back(MakeFault(random));
  if (random.Chance(0.35)) {
    const std::string name = random.Pick(model_.world().order);
    const Item& item = model_.world().items.at(name);
    if (item.kind == Kind::kService) {
      round.restarts.push_back({.at = random.Between(absl::ZeroDuration(), kWindow),
                                .resource = ResourceOf(name, item)});
    }
  }
  round.length = kWindow;
  for (const Fault& fault : round.faults) {
    round.length = std::max(round.length, fault.at + fault.span);
  }
  for (const ScriptedCommit& commit : round.commits) model_.Commit(commit.world);
  model_.Rest();
  return round;
}

}  // namespace fairlead::chaos
