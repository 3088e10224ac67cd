// The short form of the chaos suite, and that it would say so if something were wrong.
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <string>

#include "absl/strings/str_join.h"
#include "controller/store/testing/postgres_cluster.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "integration/chaos/campaign.h"
#include "integration/chaos/world.h"

namespace fairlead::chaos {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;

class ChaosTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "network namespaces and small disks need root";
  }

  static CampaignOptions Options() {
    CampaignOptions options;
    options.directory = FAIRLEAD_BINARY_DIR "/itest/chaos";
    options.network = "chaost";
    options.print = [](const std::string& line) { std::cout << line << std::endl; };
    return options;
  }
};

TEST_F(ChaosTest, AFewRoundsAreCleanAndWhatIsPlantedIsFound) {
  CampaignOptions options = Options();
  options.rounds = 3;
  Campaign campaign(options);
  const CampaignReport report = campaign.Run([](Fleet& fleet) {
    const integration::Engine& engine = *fleet.host(1).engine;
    // By a shell of a host: more than there may be, and what is nobody's business touched.
    engine.Docker({"run", "-d", "--name", "planted", "--label",
                   "dev.fairlead.resource=deployment/planted", "fl/app:1"});
    engine.Docker({"restart", "-t", "0", "bystander"});
    std::ofstream(fleet.controller().log(), std::ios::app) << SecretOf(World()) << "\n";
  });
  EXPECT_EQ(report.rounds, 3);
  EXPECT_THAT(report.violations, IsEmpty());
  EXPECT_THAT(absl::StrJoin(report.planted, "\n"),
              AllOf(HasSubstr("deployment/planted: declared nowhere"), HasSubstr("bystander"),
                    HasSubstr("a secret in")));
}

TEST_F(ChaosTest, AFewRoundsOfTwoControllersOnOneDatabaseAreClean) {
  std::string why;
  if (store::PostgresCluster::Shared(why) == nullptr) GTEST_SKIP() << "SKIPPED: " << why;
  CampaignOptions options = Options();
  options.directory += "-2";
  options.controllers = 2;
  // Its first rounds befall both controllers, the database and the link between them.
  options.seed = 3;
  options.rounds = 4;
  const CampaignReport report = Campaign(options).Run();
  EXPECT_EQ(report.rounds, 4);
  EXPECT_THAT(report.violations, IsEmpty());
  for (const char* fault : {"kill-controller", "crash-database", "cut-database"}) {
    EXPECT_THAT(report.faults, Contains(Key(fault)));
  }
}

}  // namespace
}  // namespace fairlead::chaos
