#include "resources/procedure_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

#include "resources/toml_reader.h"

namespace fairlead::resources {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::Procedure Read(const std::string& stage) {
  const ParsedFile file =
      ReadToml("a.toml",
               absl::StrCat("[[procedure]]\nname = \"nightly\"\n[[procedure.config.stage]]\n"
                            "name = \"one\"\n",
                            stage),
               v1::DIALECT_TOML);
  EXPECT_NE(file.declarations.at(0).spec, nullptr);
  return file.declarations.at(0).spec->procedure();
}

TEST(ProcedureRulesTest, AnExecutionThatIsNotActedOnIsNamedAndNoError) {
  const auto faults =
      FindProcedureFaults(Read("executions = [{ execution = { type = \"ClearRepoCache\" } }]\n"));
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].code, "execution-not-acted-on");
  EXPECT_EQ(faults[0].severity, v1::SEVERITY_WARNING);
  EXPECT_THAT(faults[0].message, HasSubstr("stage \"one\": ClearRepoCache is read"));
}

TEST(ProcedureRulesTest, ParametersThatAreNotActedOnAreNamed) {
  const auto faults = FindProcedureFaults(
      Read("executions = [{ execution = { type = \"RestartStack\", params = { stack = \"web\", "
           "services = [\"a\"] } } }]\n"));
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_THAT(faults[0].message, HasSubstr("services of a stack"));
}

TEST(ProcedureRulesTest, WhatIsDisabledIsNotReported) {
  EXPECT_THAT(
      FindProcedureFaults(
          Read("executions = [{ execution = { type = \"ClearRepoCache\" }, enabled = false }]\n")),
      IsEmpty());
  EXPECT_THAT(FindProcedureFaults(Read("enabled = false\nexecutions = [{ execution = { type = "
                                       "\"ClearRepoCache\" } }]\n")),
              IsEmpty());
}

TEST(ProcedureRulesTest, APatternThatCannotBeReadIsAnError) {
  const auto faults = FindProcedureFaults(Read(
      "executions = [{ execution = { type = \"BatchDeploy\", params.pattern = '\\(\\' } }]\n"));
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].code, "bad-value");
  EXPECT_EQ(faults[0].severity, v1::SEVERITY_ERROR);
  EXPECT_THAT(faults[0].message, HasSubstr("stage \"one\": pattern: regex \"(\""));
}

TEST(ProcedureRulesTest, ProceduresRunByNameAndByPattern) {
  const v1::Procedure nightly = Read(
      "executions = [{ execution = { type = \"RunProcedure\", params.procedure = \"a\" } },\n"
      "{ execution = { type = \"BatchRunProcedure\", params.pattern = 'b*' } },\n"
      "{ execution = { type = \"RunProcedure\", params.procedure = \"c\" }, enabled = false }]\n");
  EXPECT_THAT(ProceduresRunBy(nightly, {"a", "b1", "b2", "c"}),
              ElementsAre(ResourceId{"procedure", "a"}, ResourceId{"procedure", "b1"},
                          ResourceId{"procedure", "b2"}));
}

}  // namespace
}  // namespace fairlead::resources
