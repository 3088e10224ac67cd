#include "controller/actions/execution_terms.h"

#include <gtest/gtest.h>

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
    EXPECT_EQ(terms.verb == Verb::kNotActedOn, !field.rule->not_yet().empty()) << terms.type;
    if (terms.verb != Verb::kNotActedOn) ++acted_on;
  }
  EXPECT_EQ(acted_on, 61);
}

TEST(ExecutionTermsTest, ParametersThatAreNotActedOnMakeItRefused) {
  v1::Execution execution;
  execution.mutable_stop_deployment()->set_deployment("web");
  EXPECT_EQ(ComputeTerms(execution).verb, Verb::kStop);
  EXPECT_EQ(ComputeTerms(execution).target.ToString(), "deployment/web");
  execution.mutable_stop_deployment()->set_time(5);
  EXPECT_EQ(ComputeTerms(execution).verb, Verb::kNotActedOn);
  EXPECT_EQ(ComputeTerms(execution).not_yet, "time");
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
