// A whole controller in the process of its test, without agents.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <grpcpp/grpcpp.h>

#include "base/testing/scratch_folder.h"
#include "controller/controller.h"
#include "fairlead/v1/service.grpc.pb.h"

namespace fairlead::controller {

// Its ports are free ones of loopback, its data directory is `data` in a folder of the test.
class ControllerFixture : public ::testing::Test {
 protected:
  // With --dev.
  ControllerOptions Options() {
    ControllerOptions options;
    options.dev = true;
    options.listen = "127.0.0.1:0";
    options.http_listen = "127.0.0.1:0";
    options.data_dir = folder_.File("data");
    options.on_first_token = [this](const std::string& token) { first_token_ = token; };
    return options;
  }
  // Stops the one before.
  void Start(const ControllerOptions& options) {
    controller_.reset();
    auto started = Controller::Start(options);
    ASSERT_TRUE(started.ok()) << started.status();
    controller_ = *std::move(started);
    if (!options.dev) return;
    channel_ = grpc::CreateChannel(controller_->grpc_address(), grpc::InsecureChannelCredentials());
  }

  // Requires: started with --dev.
  template <typename Service>
  std::unique_ptr<typename Service::Stub> StubOf() const {
    return Service::NewStub(channel_);
  }
  // An empty token is none.
  static void Bear(grpc::ClientContext& context, const std::string& token) {
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  }
  template <typename Stub, typename Request, typename Response>
  static grpc::Status Call(const std::unique_ptr<Stub>& stub,
                           grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                        Response*),
                           const Request& request, Response* response,
                           const std::string& token = "") {
    grpc::ClientContext context;
    Bear(context, token);
    return (stub.get()->*method)(&context, request, response);
  }
  // All of its problems are failures of the test.
  grpc::Status Apply(const std::string& toml, const std::string& token = "") const {
    v1::ApplyRequest request;
    v1::SourceFile& file = *request.add_files();
    file.set_path("all.toml");
    file.set_content(toml);
    v1::ApplyResponse response;
    const grpc::Status status = Call(StubOf<v1::ResourceService>(),
                                     &v1::ResourceService::Stub::Apply, request, &response, token);
    EXPECT_TRUE(response.problems().empty()) << response.DebugString();
    return status;
  }

  const base::ScratchFolder folder_;
  // Of the first admin, while there is none.
  std::string first_token_;
  std::unique_ptr<Controller> controller_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace fairlead::controller
