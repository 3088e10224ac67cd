// Runs the rounds of a script on real fleets and checks each.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "integration/chaos/fleet.h"
#include "integration/chaos/invariants.h"
#include "integration/chaos/script.h"
#include "integration/chaos/storm.h"

namespace fairlead::chaos {

struct CampaignOptions {
  uint64_t seed = 1;
  int rounds = 200;
  // 2: on one PostgreSQL database.
  int controllers = 1;
  // Rounds before it are planned, but not run.
  int first = 1;
  // Logs and engines; made anew. Of a round with violations the logs are kept beside it.
  std::string directory;
  // Of its network namespaces, at most 8 characters.
  std::string network = "chaos";
  // How long a fleet may take to come to rest.
  absl::Duration patience = absl::Seconds(60);
  // Asked before each round; true ends the run in order. Absent: never.
  std::function<bool()> should_stop;
  // Gets each line that people are to read.
  std::function<void(const std::string&)> print;
};

struct CampaignReport {
  int rounds = 0;
  int commits = 0;
  // `fairlead restart`s asked for, and the ones that the engines have seen.
  int restarts = 0;
  int restarts_seen = 0;
  // `fairlead retry` and `start` of what a fault had made fail.
  int retries = 0;
  std::map<std::string, int> faults;
  Violations violations;
  // What was found of that which `plant` did.
  Violations planted;
  absl::Duration took;
  absl::Duration longest_rest;
};

// {seed, rounds, faults, violations, ...} as JSON.
std::string ToJson(const CampaignOptions& options, const CampaignReport& report);

// Confined to one thread.
class Campaign {
 public:
  explicit Campaign(CampaignOptions options);

  // `plant` may do something bad to the fleet after the last round; absent: nothing.
  CampaignReport Run(const std::function<void(Fleet&)>& plant = nullptr);

 private:
  // A fleet at rest, as it is before the next round.
  bool StartFleet();
  void EndFleet(bool keep_logs, const char* suffix = "");
  Violations RunRound(const Round& round);
  void Weather(const Round& round);
  // Waits until all is at rest and stays so for a second.
  Violations WaitForRest(const Expectation& expectation);
  Violations CheckAll(const std::set<std::string>& untouched);
  // Starts again what has ended, at any time; what a signal has ended is a violation.
  void Supervise();
  // What an operator does about what a fault has made fail.
  void Retry(const Expectation& expectation, const Observation& seen);
  void Print(const Round& round, const Violations& violations, absl::Duration took) const;

  const CampaignOptions options_;
  Script script_;
  CampaignReport report_;
  ByHand by_hand_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Storm> storm_;
  // The last observation, and the one at the rest before.
  Observation rested_;
  Observation before_;
  std::string head_;
  std::map<std::string, absl::Time> retried_;
  Violations ended_;
};

}  // namespace fairlead::chaos
