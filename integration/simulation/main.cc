// Runs many seeds of the simulation, or replays one with its trace.
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "base/clock.h"
#include "base/mutex.h"
#include "integration/simulation/run.h"

namespace fairlead::simulation {
namespace {

struct Settings {
  uint64_t first = 1;
  uint64_t seeds = 10'000;
  unsigned jobs = 2;
  std::size_t agents = 0;
  std::string report;
};

// Of all runs together.
struct Totals {
  uint64_t runs = 0;
  uint64_t agents = 0;
  absl::Duration simulated;
  absl::Duration longest_settling;
  std::map<std::string, uint64_t> counts;
  std::vector<uint64_t> failed;
};

void PrintFailure(const RunOptions& options, const RunResult& result) {
  for (const std::string& violation : result.violations) {
    std::cout << "seed " << options.seed << ": " << violation << "\n";
  }
  std::cout << "  replay: " << ReplayCommand(options) << "\n" << std::flush;
}

class Campaign {
 public:
  explicit Campaign(const Settings& settings) : settings_(settings), next_(settings.first) {}

  Totals RunAll() {
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < settings_.jobs; ++i) threads.emplace_back([this] { Work(); });
    for (std::thread& thread : threads) thread.join();
    base::MutexLock lock(mutex_);
    return totals_;
  }

 private:
  void Work() {
    const uint64_t end = settings_.first + settings_.seeds;
    for (uint64_t seed = next_++; seed < end; seed = next_++) {
      const RunOptions options{.seed = seed, .agents = settings_.agents};
      Add(options, RunSeed(options));
    }
  }

  void Add(const RunOptions& options, const RunResult& result) ABSL_LOCKS_EXCLUDED(mutex_) {
    base::MutexLock lock(mutex_);
    ++totals_.runs;
    totals_.agents += result.agents;
    totals_.simulated += result.time;
    totals_.longest_settling = std::max(totals_.longest_settling, result.settled_in);
    for (const auto& [what, count] : result.counts) totals_.counts[what] += count;
    if (result.violations.empty()) return;
    totals_.failed.push_back(options.seed);
    PrintFailure(options, result);
  }

  const Settings settings_;
  std::atomic<uint64_t> next_;
  base::Mutex mutex_;
  Totals totals_ ABSL_GUARDED_BY(mutex_);
};

void WriteReport(const Settings& settings, const Totals& totals, absl::Duration took) {
  boost::json::object counts;
  for (const auto& [what, count] : totals.counts) counts[what] = count;
  boost::json::array failed;
  for (const uint64_t seed : totals.failed) failed.push_back(seed);
  const boost::json::object report = {
      {"first_seed", settings.first},
      {"seeds", totals.runs},
      {"agents", totals.agents},
      {"simulated_hours", absl::ToDoubleHours(totals.simulated)},
      {"longest_settling_seconds", absl::ToDoubleSeconds(totals.longest_settling)},
      {"took_seconds", absl::ToDoubleSeconds(took)},
      {"jobs", settings.jobs},
      {"failed_seeds", std::move(failed)},
      {"counts", std::move(counts)}};
  std::ofstream(settings.report) << boost::json::serialize(report) << "\n";
}

int RunMany(const Settings& settings) {
  const absl::Time began = base::Clock::Real().Now();
  const Totals totals = Campaign(settings).RunAll();
  const absl::Duration took = base::Clock::Real().Now() - began;
  std::cout << absl::StrFormat(
      "%d seeds, %d agents, %.0f simulated hours in %.0f s; longest settling %.0f s\n", totals.runs,
      totals.agents, absl::ToDoubleHours(totals.simulated), absl::ToDoubleSeconds(took),
      absl::ToDoubleSeconds(totals.longest_settling));
  for (const auto& [what, count] : totals.counts) {
    std::cout << absl::StrFormat("  %-44s %10d\n", what, count);
  }
  std::cout << totals.failed.size() << " seeds with violations\n";
  if (!settings.report.empty()) WriteReport(settings, totals, took);
  return totals.failed.empty() ? EXIT_SUCCESS : EXIT_FAILURE;
}

int Replay(const RunOptions& options) {
  const RunResult result = RunSeed(options);
  for (const std::string& line : result.trace) std::cout << line << "\n";
  std::cout << absl::StrFormat("seed %d: %d agents, %d events, trace %016x, %d violations\n",
                               options.seed, result.agents, result.trace_lines, result.trace_hash,
                               result.violations.size());
  if (result.violations.empty()) return EXIT_SUCCESS;
  PrintFailure(options, result);
  return EXIT_FAILURE;
}

int Main(int argc, char** argv) {
  CLI::App app("Runs Fairlead's controller and agents in simulated worlds.");
  Settings settings;
  RunOptions single;
  single.seed = 0;
  app.add_option("--seeds", settings.seeds, "How many");
  app.add_option("--first", settings.first, "The first seed");
  app.add_option("--jobs", settings.jobs, "Threads")->check(CLI::Range(1, 256));
  app.add_option("--agents", settings.agents, "In every world; 0: as the seed has it");
  app.add_option("--report", settings.report, "Write figures to this file, as JSON");
  app.add_option("--seed", single.seed, "Only this one");
  app.add_flag("--trace", single.keep_trace, "Print what happens");
  CLI11_PARSE(app, argc, argv);
  if (single.seed == 0) return RunMany(settings);
  single.agents = settings.agents;
  return Replay(single);
}

}  // namespace
}  // namespace fairlead::simulation

int main(int argc, char** argv) { return fairlead::simulation::Main(argc, argv); }
