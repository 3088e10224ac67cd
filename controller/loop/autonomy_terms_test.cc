#include "controller/loop/autonomy_terms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "absl/strings/str_cat.h"

#include "resources/spec_hash.h"
#include "resources/toml_reader.h"

namespace fairlead::loop {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kServers[] = R"(
[[server]]
name = "edge"
config.autonomy = "heal"
config.autonomy_ttl = "2h"
[[server]]
name = "core"
)";

const resources::SpecHasher& Hasher() {
  static const auto* const hasher = new resources::SpecHasher("test", std::string(32, 'k'));
  return *hasher;
}

sync::PlanInput Declare(const std::string& toml) {
  auto source = std::make_shared<sync::SourceSnapshot>();
  source->origin = "api";
  source->files.push_back(std::make_shared<const resources::ParsedFile>(
      resources::ReadToml("a.toml", absl::StrCat(kServers, toml), v1::DIALECT_TOML)));
  sync::PlanInput input;
  input.desired = sync::BuildDesiredState({source}, Hasher(), {}, nullptr);
  return input;
}

std::string Deployment(const std::string& name, const std::string& more = "",
                       const std::string& server = "edge") {
  return absl::StrCat("[[deployment]]\nname = \"", name, "\"\n", more, "config.server = \"", server,
                      "\"\nconfig.image = \"img:1\"\n");
}

TEST(AutonomyTermsTest, AreThoseOfTheServer) {
  const auto terms = ComputeAutonomyTerms(Declare(Deployment("web")));

  EXPECT_TRUE(terms.at("edge").heal());
  EXPECT_EQ(terms.at("edge").ttl().seconds(), 7200);
  EXPECT_THAT(terms.at("edge").leave_alone(), IsEmpty());
  EXPECT_FALSE(terms.at("core").heal()) << "off by default";
}

TEST(AutonomyTermsTest, WithoutATtlItIsADay) {
  const auto terms =
      ComputeAutonomyTerms(Declare("[[server]]\nname = \"far\"\nconfig.autonomy = \"heal\"\n"));

  EXPECT_EQ(terms.at("far").ttl().seconds(), 24 * 3600);
}

TEST(AutonomyTermsTest, ADisabledServerHealsNothing) {
  const auto terms = ComputeAutonomyTerms(
      Declare("[[server]]\nname = \"far\"\nconfig.autonomy = \"heal\"\nconfig.enabled = false\n"));

  EXPECT_FALSE(terms.at("far").heal());
}

TEST(AutonomyTermsTest, LeaveAloneWhatTheControllerWouldNotHeal) {
  sync::PlanInput input = Declare(absl::StrCat(
      Deployment("web"), Deployment("held"), Deployment("failed"),
      Deployment("quiet", "heal = false\n"), Deployment("seen", "deploy = false\n"),
      Deployment("off", "state = \"stopped\"\n"), Deployment("other", "heal = false\n", "core")));
  input.holds["deployment/held"].set_who("ana");
  for (const std::string name : {"deployment/failed", "deployment/web"}) {
    auto entry = std::make_shared<v1::InventoryEntry>();
    entry->set_server("edge");
    entry->set_applied_hash("applied");
    input.inventory[name] = entry;
    input.failed_specs[name][name == "deployment/web" ? "older" : "applied"].set_reason("exited");
  }

  EXPECT_THAT(ComputeAutonomyTerms(input).at("edge").leave_alone(),
              ElementsAre("deployment/failed", "deployment/held", "deployment/off",
                          "deployment/quiet", "deployment/seen"));
}

TEST(AutonomyTermsTest, LeaveAloneWhatIsNotDeclaredThereAnyMore) {
  sync::PlanInput input = Declare(absl::StrCat(Deployment("web"), Deployment("moved", "", "core")));
  for (const char* name : {"web", "moved", "gone"}) {
    auto entry = std::make_shared<v1::InventoryEntry>();
    entry->set_server("edge");
    input.inventory[absl::StrCat("deployment/", name)] = entry;
  }

  EXPECT_THAT(ComputeAutonomyTerms(input).at("edge").leave_alone(),
              ElementsAre("deployment/gone", "deployment/moved"));
}

TEST(AutonomyTermsTest, AServerThatCannotBeReadKeepsItsTerms) {
  EXPECT_FALSE(
      ComputeAutonomyTerms(Declare("[[server]]\nname = \"far\"\nconfig.autonomy = \"heel\"\n"))
          .contains("far"));
}

TEST(AutonomyWatchTest, SpeaksWhenSomethingMayHaveChanged) {
  AutonomyWatch watch;
  sync::PlanInput input = Declare(Deployment("web"));
  EXPECT_FALSE(watch.Update(input).empty());
  EXPECT_TRUE(watch.Update(input).empty());

  input.holds["deployment/web"].set_who("ana");
  EXPECT_THAT(watch.Update(input).at("edge").leave_alone(), ElementsAre("deployment/web"));
  EXPECT_TRUE(watch.Update(input).empty());

  input.holds.clear();
  input.failed_specs["deployment/web"]["h"].set_reason("exited");
  EXPECT_FALSE(watch.Update(input).empty());
}

TEST(AutonomyWatchTest, SaysNothingBeforeEverySourceIsRead) {
  AutonomyWatch watch;
  sync::PlanInput input = Declare(Deployment("web"));
  auto partial = std::make_shared<sync::DesiredState>(*input.desired);
  partial->complete = false;
  input.desired = partial;

  EXPECT_TRUE(watch.Update(input).empty());
}

}  // namespace
}  // namespace fairlead::loop
