// One directory of testdata/plans per case: world.txt is planned, expected.plan is what comes
// out. FAIRLEAD_UPDATE_GOLDEN=1 rewrites the expectations; a human reads the difference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "sync/testing/world_text.h"

namespace fairlead::sync {
namespace {

std::filesystem::path Folder() {
  return std::filesystem::path(FAIRLEAD_SOURCE_DIR) / "testdata" / "plans";
}

std::vector<std::string> Cases() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(Folder())) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class PlanGoldenTest : public testing::TestWithParam<std::string> {};

TEST_P(PlanGoldenTest, PlansAsExpected) {
  const std::filesystem::path folder = Folder() / GetParam();
  const auto text = base::ReadFile((folder / "world.txt").string());
  ASSERT_TRUE(text.ok()) << text.status();
  const auto world = ReadWorld(*text);
  ASSERT_TRUE(world.ok()) << world.status();
  const auto result = ComputePlan(world->input);
  ASSERT_TRUE(result.ok()) << result.status();
  const std::string plan = WritePlan(world->input, *result);
  const std::string path = (folder / "expected.plan").string();
  if (std::getenv("FAIRLEAD_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << plan;
    return;
  }
  const auto expected = base::ReadFile(path);
  ASSERT_TRUE(expected.ok()) << expected.status();
  EXPECT_EQ(plan, *expected) << "of the world:\n" << *text;
}

INSTANTIATE_TEST_SUITE_P(Cases, PlanGoldenTest, testing::ValuesIn(Cases()),
                         [](const testing::TestParamInfo<std::string>& param) {
                           std::string name = param.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(PlanGoldenCasesTest, CoverEveryRule) {
  std::set<uint32_t> rules;
  for (const std::string& name : Cases()) {
    const auto text = base::ReadFile((Folder() / name / "world.txt").string());
    ASSERT_TRUE(text.ok()) << name << ": " << text.status();
    const auto world = ReadWorld(*text);
    ASSERT_TRUE(world.ok()) << name << ": " << world.status();
    const auto result = ComputePlan(world->input);
    ASSERT_TRUE(result.ok()) << name << ": " << result.status();
    for (const auto& [id, decision] : result->decisions) rules.insert(decision->rule);
  }
  for (uint32_t rule = 1; rule <= 15; ++rule) EXPECT_TRUE(rules.contains(rule)) << rule;
}

}  // namespace
}  // namespace fairlead::sync
