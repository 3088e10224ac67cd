#include "integration/chaos/campaign.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include <boost/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "integration/testing/process.h"
#include "integration/testing/wait.h"

namespace fairlead::chaos {

using integration::WaitFor;

namespace {

constexpr absl::Duration kStill = absl::Seconds(1);
// A way to rest that takes so long is worth a word.
constexpr absl::Duration kSlow = absl::Seconds(15);
// An operator looks twice before acting, and not more often than this.
constexpr absl::Duration kRetryPause = absl::Seconds(3);

absl::Time Now() { return base::Clock::Real().Now(); }

// Containers as far as a change of them shows, to see that nothing goes on.
std::string Shape(const Observation& seen) {
  std::string shape;
  for (const SeenContainer& one : seen.containers) {
    absl::StrAppend(&shape, one.server, one.id, one.state, one.started_at, "\n");
  }
  return shape;
}

// Resources that no commit and no shell has touched, and that had to be well all the time.
std::set<std::string> UntouchedBy(const Round& round, const World& before) {
  std::set<std::string> untouched;
  for (const auto& [name, item] : before.items) {
    bool touched = IsHeldUp(before, name);
    for (const ScriptedCommit& commit : round.commits) {
      const auto found = commit.world.items.find(name);
      touched = touched || found == commit.world.items.end() || found->second.spec != item.spec ||
                IsHeldUp(commit.world, name);
    }
    const std::string resource = ResourceOf(name, item);
    for (const Fault& fault : round.faults) {
      touched |= fault.kind == FaultKind::kRemoveContainer && fault.resource == resource;
    }
    if (!touched) untouched.insert(resource);
  }
  return untouched;
}

}  // namespace

std::string ToJson(const CampaignOptions& options, const CampaignReport& report) {
  boost::json::object faults;
  const int kinds = options.controllers > 1 ? kSharedFaultKinds : kFaultKinds;
  for (int kind = 0; kind < kinds; ++kind) {
    const char* const name = NameOf(static_cast<FaultKind>(kind));
    const auto found = report.faults.find(name);
    faults[name] = found == report.faults.end() ? 0 : found->second;
  }
  boost::json::array violations;
  for (const std::string& one : report.violations) violations.emplace_back(one);
  return boost::json::serialize(
      boost::json::object{{"seed", options.seed},
                          {"first", options.first},
                          {"controllers", options.controllers},
                          {"rounds", report.rounds},
                          {"faults", std::move(faults)},
                          {"commits", report.commits},
                          {"restarts_asked", report.restarts},
                          {"restarts_seen", report.restarts_seen},
                          {"retries", report.retries},
                          {"seconds", absl::ToDoubleSeconds(report.took)},
                          {"longest_rest_seconds", absl::ToDoubleSeconds(report.longest_rest)},
                          {"violations", std::move(violations)}});
}

Campaign::Campaign(CampaignOptions options)
    : options_(std::move(options)), script_(options_.seed, options_.controllers) {}

CampaignReport Campaign::Run(const std::function<void(Fleet&)>& plant) {
  const absl::Time began = Now();
  for (int skipped = 1; skipped < options_.first; ++skipped) script_.Next();
  for (int done = 0; done < options_.rounds; ++done) {
    if (options_.should_stop != nullptr && options_.should_stop()) break;
    if (fleet_ == nullptr && !StartFleet()) break;
    const World before = script_.model().world();
    const Round round = script_.Next();
    const absl::Time start = Now();
    Violations violations = RunRound(round);
    for (std::string& one : CheckAll(UntouchedBy(round, before))) {
      violations.push_back(std::move(one));
    }
    ++report_.rounds;
    Print(round, violations, Now() - start);
    for (const std::string& one : violations) {
      report_.violations.push_back(absl::StrCat("round ", round.number, ": ", one));
    }
    if (!violations.empty()) EndFleet(true);
  }
  if (fleet_ != nullptr && plant != nullptr) {
    plant(*fleet_);
    rested_ = fleet_->Observe();
    report_.planted = CheckRest(script_.model().Expect(), head_, rested_);
    for (std::string& one : CheckAll({})) report_.planted.push_back(std::move(one));
  }
  if (fleet_ != nullptr) EndFleet(false);
  report_.took = Now() - began;
  return report_;
}

bool Campaign::StartFleet() {
  const absl::Time began = Now();
  const Model& model = script_.model();
  by_hand_ = {};
  retried_.clear();
  rested_ = {};
  fleet_ = std::make_unique<Fleet>(options_.directory, options_.network, options_.controllers);
  storm_ = std::make_unique<Storm>(*fleet_, by_hand_);
  // What is flawed now shall find what was good before.
  Model good;
  good.Commit(model.GoodWorld());
  const absl::StatusOr<std::string> first = fleet_->Start(good.world());
  options_.print(
      absl::StrFormat("processes up after %.1f s", absl::ToDoubleSeconds(Now() - began)));
  Violations violations;
  if (first.ok()) {
    head_ = *first;
    violations = WaitForRest(good.Expect());
  } else {
    violations.push_back(first.status().ToString());
  }
  if (violations.empty()) {
    head_ = fleet_->Push(model.world(), "as before the round");
    violations = WaitForRest(model.Expect());
  }
  before_ = rested_;
  options_.print(
      absl::StrFormat("fleet at rest after %.1f s", absl::ToDoubleSeconds(Now() - began)));
  if (violations.empty()) return true;
  for (const std::string& one : violations) options_.print("  start: " + one);
  report_.violations.push_back(absl::StrCat("start: ", absl::StrJoin(violations, "; ")));
  EndFleet(true, "-start");
  return false;
}

void Campaign::EndFleet(bool keep_logs, const char* suffix) {
  for (const auto& [kind, count] : storm_->counts()) report_.faults[kind] += count;
  for (const EngineEvent& event : fleet_->Events()) {
    report_.restarts_seen += event.what == "restart" && !event.resource.empty() ? 1 : 0;
  }
  storm_ = nullptr;
  fleet_ = nullptr;
  if (!keep_logs) return;
  std::error_code failed;
  const std::string kept = absl::StrCat(options_.directory, "-kept-", report_.rounds, suffix);
  std::filesystem::remove_all(kept, failed);
  std::filesystem::rename(options_.directory, kept, failed);
  options_.print(absl::StrCat("  logs: ", kept));
}

void Campaign::Weather(const Round& round) {
  std::vector<std::pair<absl::Duration, std::function<void()>>> moments;
  for (const ScriptedCommit& commit : round.commits) {
    moments.emplace_back(commit.at,
                         [this, &commit] { head_ = fleet_->Push(commit.world, commit.subject); });
  }
  for (const Fault& fault : round.faults) {
    moments.emplace_back(fault.at, [this, &fault] { storm_->Begin(fault); });
    moments.emplace_back(fault.at + fault.span, [this, &fault] { storm_->End(fault); });
  }
  for (const ScriptedRestart& restart : round.restarts) {
    moments.emplace_back(restart.at, [this, &restart] {
      ++by_hand_.restarts[restart.resource];
      fleet_->Ask({"restart", restart.resource});
    });
  }
  std::stable_sort(moments.begin(), moments.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  const absl::Time start = Now();
  for (const auto& [at, act] : moments) {
    const auto is_due = [this, due = start + at] {
      Supervise();
      return Now() >= due;
    };
    WaitFor("the moment", is_due, absl::Minutes(1), absl::Milliseconds(5))
        .IgnoreError();  // It comes.
    act();
  }
}

Violations Campaign::RunRound(const Round& round) {
  report_.commits += static_cast<int>(round.commits.size());
  report_.restarts += static_cast<int>(round.restarts.size());
  Weather(round);
  storm_->Calm();
  return WaitForRest(script_.model().Expect());
}

Violations Campaign::WaitForRest(const Expectation& expectation) {
  const absl::Time began = Now();
  Violations violations;
  std::string last;
  std::string shape;
  absl::Time still_since = began;
  WaitFor(
      "rest",
      [&] {
        Supervise();
        rested_ = fleet_->Observe();
        violations = CheckRest(expectation, head_, rested_);
        const std::string now_shape = Shape(rested_);
        if (!violations.empty() || now_shape != shape) {
          still_since = Now();
          shape = now_shape;
          if (!violations.empty()) last = violations.front();
          Retry(expectation, rested_);
          return false;
        }
        return Now() - still_since >= kStill;
      },
      options_.patience, absl::Milliseconds(100))
      .IgnoreError();  // What is missing is in `violations`.
  const absl::Duration took = Now() - began;
  if (violations.empty() && took >= options_.patience) {
    violations.emplace_back("containers go on changing");
  }
  if (violations.empty() && took >= kSlow) options_.print("  slow, at last for: " + last);
  fleet_->EndQuestions();
  report_.longest_rest = std::max(report_.longest_rest, took);
  violations.insert(violations.end(), ended_.begin(), ended_.end());
  ended_.clear();
  return violations;
}

void Campaign::Supervise() {
  for (std::string& one : fleet_->Supervise()) ended_.push_back(std::move(one));
}

void Campaign::Retry(const Expectation& expectation, const Observation& seen) {
  for (const auto& [resource, expected] : expectation.declared) {
    const auto status = seen.resources.find(resource);
    if (!expected.must_converge || status == seen.resources.end()) continue;
    const SeenResource& now = status->second;
    const bool crashes = now.condition == "CRASH_LOOP" || now.gate == "BACKOFF";
    const bool failed = now.gate == "FAILED" || now.condition == "DEGRADED";
    if (!crashes && !failed) {
      retried_.erase(resource);
      continue;
    }
    const auto [first, is_new] = retried_.emplace(resource, Now());
    if (is_new || Now() - first->second < kRetryPause) continue;
    first->second = Now();
    ++report_.retries;
    fleet_->Ask({"retry", resource});
    if (now.condition == "CRASH_LOOP") fleet_->Ask({"start", resource});
  }
}

Violations Campaign::CheckAll(const std::set<std::string>& untouched) {
  Violations violations = CheckEvents(fleet_->Events(), by_hand_);
  const auto add = [&violations](Violations more) {
    std::move(more.begin(), more.end(), std::back_inserter(violations));
  };
  add(CheckBystanders(before_, rested_));
  add(CheckKept(untouched, before_, rested_));
  add(fleet_->SecretsInLogs());
  if (const Database* const database = fleet_->database(); database != nullptr) {
    add(CheckOffices(database->Offices()));
    add(CheckIssued(database->Issued()));
  }
  for (const std::vector<std::string>& asked : {std::vector<std::string>{"status"},
                                                {"events", "-o", "json"},
                                                {"export"},
                                                {"plan", "-o", "json"}}) {
    const auto answer = fleet_->Cli(asked);
    add(CheckSecrets("fairlead " + asked.front(), answer.out + answer.err));
  }
  before_ = rested_;
  return violations;
}

void Campaign::Print(const Round& round, const Violations& violations, absl::Duration took) const {
  std::map<std::string, int> kinds;
  for (const Fault& fault : round.faults) ++kinds[NameOf(fault.kind)];
  std::vector<std::string> faults;
  for (const auto& [kind, count] : kinds) {
    faults.push_back(count == 1 ? kind : absl::StrCat(count, " ", kind));
  }
  options_.print(absl::StrFormat("round %3d  %d commits  %-60s %s  %4.1f s", round.number,
                                 round.commits.size(), absl::StrJoin(faults, ", "),
                                 violations.empty() ? "ok" : "VIOLATED",
                                 absl::ToDoubleSeconds(took)));
  if (violations.empty()) return;
  for (const std::string& one : violations) options_.print("  " + one);
  options_.print(absl::StrCat("  seed ", options_.seed, ", round ", round.number,
                              "; replay: chaos --seed ", options_.seed, " --first ", round.number,
                              " --rounds 1 --controllers ", options_.controllers));
  options_.print(Describe(round));
}

}  // namespace fairlead::chaos
