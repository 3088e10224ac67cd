#include "controller/actions/execution_terms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"

#include "fairlead/v1/options.pb.h"
#include "resources/field_table.h"

namespace fairlead::actions {
namespace {

v1::Execution ExecutionOf(const google::protobuf::FieldDescriptor* member) {
  v1::Execution execution;
  execution.GetReflection()->MutableMessage(&execution, member);
  return execution;
}

TEST(ExecutionTermsTest, WhatTheFilesCallNotActedOnIsWhatARunRefuses) {
  const auto& table = resources::FieldsOf(v1::Execution::descriptor());
  EXPECT_EQ(table.fields.size(), 82u);
  int acted_on = 0;
  for (const resources::Field& field : table.fields) {
    const ExecutionTerms terms = ComputeTerms(ExecutionOf(field.descriptor));
    EXPECT_EQ(terms.type, field.rule->type());
    EXPECT_EQ(terms.verb == Verb::kNotActedOn, !terms.refusal.empty()) << terms.type;
    const bool is_said =
        !field.rule->not_yet().empty() || absl::StartsWith(field.rule->doc(), "Not carried out: ");
    EXPECT_EQ(terms.verb == Verb::kNotActedOn, is_said) << terms.type;
    if (terms.verb != Verb::kNotActedOn) ++acted_on;
  }
  EXPECT_EQ(acted_on, 63);
}

TEST(ExecutionTermsTest, ParametersThatAreNotActedOnMakeItRefused) {
  v1::Execution execution;
  execution.mutable_stop_deployment()->set_deployment("web");
  EXPECT_EQ(ComputeTerms(execution).verb, Verb::kStop);
  EXPECT_EQ(ComputeTerms(execution).target.ToString(), "deployment/web");
  execution.mutable_stop_deployment()->set_time(5);
  EXPECT_EQ(ComputeTerms(execution).verb, Verb::kStop);
  EXPECT_EQ(StopWishOf(execution).seconds, 5);
  execution.mutable_stop_stack()->add_services("a");
  EXPECT_EQ(ComputeTerms(execution).verb, Verb::kNotActedOn);
  EXPECT_THAT(ComputeTerms(execution).refusal,
              ::testing::StartsWith("services of StopStack is not carried out: a hold is of a "));
  execution.mutable_restart_stack();
  EXPECT_EQ(ComputeTerms(execution).verb, Verb::kRestart);
  execution.mutable_restart_stack()->add_services("a");
  EXPECT_EQ(ComputeTerms(execution).verb, Verb::kRestartServices);
}

TEST(ExecutionTermsTest, DescribesForPeople) {
  v1::Execution execution;
  execution.mutable_batch_deploy()->set_pattern("web-*\ndb");
  EXPECT_EQ(DescribeExecution(execution), "BatchDeploy \"web-*, db\"");
  execution.mutable_run_sync()->set_sync("main");
  EXPECT_EQ(DescribeExecution(execution), "RunSync resource_sync/main");
  execution.mutable_sleep();
  EXPECT_EQ(DescribeExecution(execution), "Sleep");
}

}  // namespace
}  // namespace fairlead::actions
