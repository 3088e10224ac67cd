// The calls about runs, against a whole controller without agents.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "controller/testing/controller_fixture.h"
#include "fairlead/v1/service.grpc.pb.h"

namespace fairlead::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kFiles[] = R"(
[[server]]
name = "edge"
[[builder]]
name = "local"
config = { type = "Server", params = { server = "edge" } }
[[build]]
name = "api"
[build.config]
builder = "local"
dockerfile = "FROM scratch"
schedule = "Every day at 03:00"
schedule_timezone = "Europe/Berlin"
[[procedure]]
name = "quick"
[[procedure.config.stage]]
name = "only"
executions = [{ execution = { type = "Sleep", params.duration_ms = 1 } }]
[[procedure]]
name = "slow"
[[procedure.config.stage]]
name = "only"
executions = [{ execution = { type = "Sleep", params.duration_ms = 600000 } }]
)";

class RunRpcTest : public ControllerFixture {
 protected:
  RunRpcTest() {
    Start(Options());
    executions_ = StubOf<v1::ExecutionService>();
    const grpc::Status status = Apply(kFiles);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }

  grpc::Status Run(const std::string& resource, v1::RunResponse* response) {
    v1::RunRequest request;
    request.set_resource(resource);
    request.set_why("a test");
    return Call(executions_, &v1::ExecutionService::Stub::Run, request, response);
  }
  std::string IdOf(const std::string& resource) {
    v1::RunResponse response;
    const grpc::Status status = Run(resource, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.run().id();
  }
  v1::ListRunsResponse ListRuns(const std::string& id, const std::string& resource = "") {
    v1::ListRunsRequest request;
    request.set_id(id);
    request.set_resource(resource);
    v1::ListRunsResponse response;
    const grpc::Status status =
        Call(executions_, &v1::ExecutionService::Stub::ListRuns, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  // The lines, and how the stream ends.
  std::vector<std::string> Log(const std::string& id, bool follow, int64_t tail,
                               grpc::Status* status) {
    v1::RunLogRequest request;
    request.set_id(id);
    request.set_follow(follow);
    request.set_tail(tail);
    grpc::ClientContext context;
    const auto reader = executions_->RunLog(&context, request);
    v1::RunLogResponse response;
    std::vector<std::string> lines;
    while (reader->Read(&response)) {
      for (const auto& line : response.lines()) lines.push_back(line.text());
    }
    *status = reader->Finish();
    return lines;
  }
  // Blocks until the run has ended; every state that was seen.
  std::vector<v1::RunState> Watch(const std::string& id) {
    v1::WatchRunsRequest request;
    request.set_id(id);
    grpc::ClientContext context;
    const auto reader = executions_->WatchRuns(&context, request);
    v1::WatchRunsResponse response;
    std::vector<v1::RunState> states;
    while (reader->Read(&response)) {
      if (!response.has_run()) continue;
      if (states.empty() || states.back() != response.run().state()) {
        states.push_back(response.run().state());
      }
    }
    EXPECT_TRUE(reader->Finish().ok());
    return states;
  }

  std::unique_ptr<v1::ExecutionService::Stub> executions_;
};

TEST_F(RunRpcTest, RunIsDurableWhenItAnswersAndWatchEndsWithIt) {
  const std::string id = IdOf("procedure/quick");
  EXPECT_THAT(ListRuns(id).runs(), SizeIs(1));
  const std::vector<v1::RunState> states = Watch(id);
  ASSERT_FALSE(states.empty());
  EXPECT_EQ(states.back(), v1::RUN_STATE_SUCCEEDED);
  const v1::ListRunsResponse list = ListRuns("", "procedure/quick");
  ASSERT_THAT(list.runs(), SizeIs(1));
  EXPECT_EQ(list.runs(0).who(), "operator");
  EXPECT_EQ(list.runs(0).why(), "a test");
  // A list holds no logs, one run does.
  EXPECT_THAT(list.runs(0).log(), SizeIs(0));
  EXPECT_GT(ListRuns(id).runs(0).log_size(), 0);
}

TEST_F(RunRpcTest, WhatCannotBeRunIsRefusedWithAReason) {
  v1::RunResponse response;
  grpc::Status status = Run("server/edge", &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("cannot be run"));
  status = Run("procedure/none", &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(RunRpcTest, TheLogIsFollowedFromItsBeginToTheEndOfTheRun) {
  const std::string id = IdOf("procedure/quick");
  grpc::Status status;
  const std::vector<std::string> lines = Log(id, true, -1, &status);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(lines,
              ElementsAre("asked for by operator: a test", "stage \"only\" begins",
                          HasSubstr("Sleep: done in"), "stage \"only\" is done", "succeeded"));
  EXPECT_THAT(Log(id, false, 1, &status), ElementsAre("succeeded"));
  Log("none", false, -1, &status);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(RunRpcTest, CancelEndsARunAndWhoFollowsIt) {
  const std::string id = IdOf("procedure/slow");
  v1::CancelRunRequest request;
  request.set_id(id);
  request.set_why("wrong one");
  v1::ExecutionResponse response;
  const auto cancel = [&] {
    return Call(executions_, &v1::ExecutionService::Stub::CancelRun, request, &response);
  };
  const grpc::Status status = cancel();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(Watch(id).back(), v1::RUN_STATE_CANCELLED);
  EXPECT_THAT(ListRuns(id).runs(0).message(), HasSubstr("wrong one"));
  EXPECT_EQ(cancel().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(RunRpcTest, ABuildWaitsForItsBuilderAndHasASchedule) {
  const std::string id = IdOf("build/api");
  std::string message;
  for (int i = 0; i < 500 && message.empty(); ++i) {
    const v1::ListRunsResponse list = ListRuns(id);
    ASSERT_THAT(list.runs(), SizeIs(1));
    message = list.runs(0).stages(0).executions(0).message();
  }
  EXPECT_EQ(message, "waits for builder \"local\": edge is offline");
  v1::ListSchedulesResponse response;
  ASSERT_TRUE(Call(executions_, &v1::ExecutionService::Stub::ListSchedules,
                   v1::ListSchedulesRequest(), &response)
                  .ok());
  ASSERT_THAT(response.schedules(), SizeIs(1));
  EXPECT_EQ(response.schedules(0).resource(), "build/api");
  EXPECT_THAT(response.schedules(0).next(), SizeIs(3));
}

}  // namespace
}  // namespace fairlead::controller
