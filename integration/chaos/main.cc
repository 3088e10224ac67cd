// Runs the chaos suite, or replays a part of it.
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

#include "absl/strings/str_format.h"
#include "gtest/gtest.h"
#include "integration/chaos/campaign.h"

namespace fairlead::chaos {
namespace {

// Engines would go on without us: a signal ends the run after its round.
std::atomic<bool> stopping = false;

void PrintTotals(const CampaignReport& report, int kinds) {
  std::cout << absl::StrFormat(
      "%d rounds, %d commits in %.0f s; %d restarts asked, %d seen; %d retries by the operator; "
      "longest way to rest %.1f s\n",
      report.rounds, report.commits, absl::ToDoubleSeconds(report.took), report.restarts,
      report.restarts_seen, report.retries, absl::ToDoubleSeconds(report.longest_rest));
  for (int kind = 0; kind < kinds; ++kind) {
    const char* const name = NameOf(static_cast<FaultKind>(kind));
    const auto found = report.faults.find(name);
    std::cout << absl::StrFormat("  %-18s %5d\n", name,
                                 found == report.faults.end() ? 0 : found->second);
  }
  std::cout << report.violations.size() << " violations\n";
}

int Main(int argc, char** argv) {
  CLI::App app("Runs a real fleet under faults and checks it after each round. Needs root.");
  CampaignOptions options;
  options.directory = FAIRLEAD_BINARY_DIR "/chaos";
  options.print = [](const std::string& line) { std::cout << line << std::endl; };
  options.should_stop = [] { return stopping.load(); };
  std::string report_file;
  app.add_option("--seed", options.seed, "Decides everything")->capture_default_str();
  app.add_option("--rounds", options.rounds, "How many")->capture_default_str();
  app.add_option("--controllers", options.controllers, "2: on one PostgreSQL database")
      ->check(CLI::Range(1, 2))
      ->capture_default_str();
  app.add_option("--first", options.first, "The first round")->capture_default_str();
  app.add_option("--report", report_file, "Write figures to this file, as JSON");
  app.add_option("--directory", options.directory, "Logs and engines")->capture_default_str();
  app.add_option("--network", options.network, "Names the network namespaces")
      ->check([](const std::string& name) { return name.size() > 8 ? "too long" : ""; })
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (geteuid() != 0) {
    std::cerr << "chaos: needs root, for network namespaces and small disks\n";
    return EXIT_FAILURE;
  }
  for (const int number : {SIGINT, SIGTERM}) {
    std::signal(number, [](int) { stopping = true; });
  }
  const CampaignReport report = Campaign(options).Run();
  PrintTotals(report, options.controllers > 1 ? kSharedFaultKinds : kFaultKinds);
  if (!report_file.empty()) std::ofstream(report_file) << ToJson(options, report) << "\n";
  const bool all_ran = report.rounds == options.rounds;
  return report.violations.empty() && all_ran ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace fairlead::chaos

int main(int argc, char** argv) {
  // The tools of integration tests report what goes wrong as test failures.
  testing::InitGoogleTest(&argc, argv);
  return fairlead::chaos::Main(argc, argv);
}
