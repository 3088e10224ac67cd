// A server of a benchmark: an agent without a Docker engine.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "grpcpp/grpcpp.h"

#include "base/mutex.h"
#include "fairlead/v1/agent.grpc.pb.h"
#include "fairlead/v1/agent.pb.h"

namespace fairlead::bench {

// Speaks an agent's end of the protocol over a stream of its own and says that each container it
// is told to make runs at once. One thread; ends with the stream or with Stop.
class StubServer {
 public:
  // Connects under `name`. `channel` is to a controller in --dev mode.
  StubServer(std::string name, const std::shared_ptr<grpc::Channel>& channel);
  ~StubServer();
  StubServer(const StubServer&) = delete;
  StubServer& operator=(const StubServer&) = delete;

  // Containers reported so far. Any thread.
  int containers() const { return containers_; }
  // False when the stream has ended. Any thread.
  bool connected() const { return connected_; }
  // Tells the controller that it lives; call every few seconds. Any thread.
  void Beat() ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop();

 private:
  void Run();
  // False when the stream is broken.
  bool Write(const v1::AgentMessage& message) ABSL_LOCKS_EXCLUDED(mutex_);
  // False when the stream is broken.
  bool Answer(const v1::ControllerMessage& message);
  bool Perform(const v1::Action& action);
  bool ReportContainer(const v1::Action& action);

  const std::string name_;
  const std::unique_ptr<v1::AgentService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AgentMessage, v1::ControllerMessage>> stream_;
  // Held over writes: a stream takes one at a time.
  base::Mutex mutex_;
  std::string installation_;
  uint64_t seq_ = 0;
  std::atomic<int> containers_ = 0;
  std::atomic<bool> connected_ = true;
  std::thread thread_;
};

}  // namespace fairlead::bench
