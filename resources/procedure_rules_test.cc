#include "resources/procedure_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

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
  EXPECT_THAT(faults[0].message, HasSubstr("stage \"one\": ClearRepoCache is not carried out: "));
  EXPECT_THAT(faults[0].suggestion, HasSubstr("RunSync"));
}

TEST(ProcedureRulesTest, ParametersThatAreNotActedOnAreNamed) {
  const auto faults = FindProcedureFaults(
      Read("executions = [{ execution = { type = \"RunSync\", params = { sync = \"main\", "
           "resources = [\"a\"] } } }]\n"));
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_THAT(faults[0].message,
              HasSubstr("resources of RunSync is not carried out: what a commit declares"));
  EXPECT_THAT(faults[0].suggestion, HasSubstr("resource_sync of its own"));
}

TEST(ProcedureRulesTest, WhatHasNoMeaningHereSaysWhyAndWhatToDo) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"\"CommitSync\", params.sync = \"main\"", "fairlead export"},
      {"\"RotateCoreKeys\"", "--tls-cert"},
      {"\"RotateAllServerKeys\"", "--tls-cert"},
      {"\"RunSync\", params = { sync = \"main\", resource_type = \"Stack\" }", "match_tags"},
      {"\"GlobalAutoUpdate\", params.skip_auto_update = true", "leave it out"}};
  for (const auto& [type, way] : cases) {
    const auto faults = FindProcedureFaults(
        Read(absl::StrCat("executions = [{ execution = { type = ", type, " } }]\n")));
    ASSERT_EQ(faults.size(), 1u) << type;
    EXPECT_THAT(faults[0].message, HasSubstr(" is not carried out: ")) << type;
    EXPECT_THAT(faults[0].suggestion, HasSubstr(way)) << type;
  }
}

TEST(ProcedureRulesTest, ServicesAndStopTermsAreRefusedWhereTheyCannotBeSound) {
  const auto count = [](const std::string& type, const std::string& params) {
    return FindProcedureFaults(Read(absl::StrCat("executions = [{ execution = { type = \"", type,
                                                 "\", params = { ", params, " } } }]\n")))
        .size();
  };
  for (const char* type :
       {"DeployStack", "StartStack", "PauseStack", "UnpauseStack", "StopStack", "DestroyStack"}) {
    EXPECT_EQ(count(type, "stack = \"web\", services = [\"a\"]"), 1u) << type;
    EXPECT_EQ(count(type, "stack = \"web\", services = []"), 0u) << type;
  }
  for (const char* type : {"PullStack", "RestartStack"}) {
    EXPECT_EQ(count(type, "stack = \"web\", services = [\"a\"]"), 0u) << type;
  }
  for (const char* type : {"DeployStack", "DeployStackIfChanged"}) {
    EXPECT_EQ(count(type, "stack = \"web\", stop_time = 5"), 1u) << type;
  }
  for (const char* type : {"StopStack", "DestroyStack"}) {
    EXPECT_EQ(count(type, "stack = \"web\", stop_time = 5"), 0u) << type;
  }
  EXPECT_EQ(count("Deploy", "deployment = \"web\", stop_signal = \"SIGINT\""), 1u);
  EXPECT_EQ(count("Deploy", "deployment = \"web\", stop_time = 5"), 1u);
  EXPECT_EQ(count("StopDeployment", "deployment = \"web\", signal = \"SIGINT\", time = 5"), 0u);
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
