#include "integration/bench/stub_server.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

#include "base/clock.h"

namespace fairlead::bench {

namespace {

google::protobuf::Timestamp ToProto(absl::Time time) {
  google::protobuf::Timestamp proto;
  proto.set_seconds(absl::ToUnixSeconds(time));
  proto.set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(absl::ToUnixSeconds(time)))));
  return proto;
}

}  // namespace

StubServer::StubServer(std::string name, const std::shared_ptr<grpc::Channel>& channel)
    : name_(std::move(name)),
      stub_(v1::AgentService::NewStub(channel)),
      stream_(stub_->Connect(&context_)),
      thread_([this] { Run(); }) {}

StubServer::~StubServer() {
  Stop();
  thread_.join();
}

void StubServer::Stop() { context_.TryCancel(); }

bool StubServer::Write(const v1::AgentMessage& message) {
  const base::MutexLock lock(mutex_);
  return stream_->Write(message);
}

void StubServer::Beat() {
  v1::AgentMessage heartbeat;
  *heartbeat.mutable_heartbeat()->mutable_now() = ToProto(base::Clock::Real().Now());
  // A broken stream shows in connected().
  Write(heartbeat);
}

void StubServer::Run() {
  v1::AgentMessage hello;
  hello.mutable_hello()->set_server(name_);
  hello.mutable_hello()->set_instance_id(absl::StrCat("stub-", name_));
  hello.mutable_hello()->set_version(FAIRLEAD_VERSION);
  hello.mutable_hello()->set_protocol(1);
  hello.mutable_hello()->set_cpus(16);
  *hello.mutable_hello()->mutable_now() = ToProto(base::Clock::Real().Now());
  bool good = Write(hello);
  v1::ControllerMessage message;
  while (good && stream_->Read(&message)) {
    good = Answer(message);
  }
  connected_ = false;
}

bool StubServer::Answer(const v1::ControllerMessage& message) {
  switch (message.message_case()) {
    case v1::ControllerMessage::kWelcome: {
      installation_ = message.welcome().installation();
      v1::AgentMessage snapshot;
      snapshot.mutable_snapshot()->set_seq(++seq_);
      snapshot.mutable_snapshot()->mutable_state()->set_engine_up(true);
      v1::AgentMessage journal;
      journal.mutable_journal();
      return Write(snapshot) && Write(journal);
    }
    case v1::ControllerMessage::kDispatch:
      return Perform(message.dispatch().action());
    case v1::ControllerMessage::kGoodbye:
      return false;
    default:
      return true;
  }
}

bool StubServer::Perform(const v1::Action& action) {
  if (action.has_apply_container() && !ReportContainer(action)) {
    return false;
  }
  v1::AgentMessage outcome;
  outcome.mutable_outcome()->set_action_id(action.id());
  outcome.mutable_outcome()->set_resource(action.resource());
  outcome.mutable_outcome()->set_status(v1::ACTION_STATUS_SUCCEEDED);
  outcome.mutable_outcome()->set_container_id(absl::StrCat(name_, "/", action.resource()));
  return Write(outcome);
}

bool StubServer::ReportContainer(const v1::Action& action) {
  v1::AgentMessage delta;
  delta.mutable_delta()->set_seq(++seq_);
  v1::Container& container = *delta.mutable_delta()->mutable_change()->add_upsert_containers();
  container.set_id(absl::StrCat(name_, "/", action.resource()));
  container.set_name(action.apply_container().spec().name());
  container.set_image(action.apply_container().spec().image());
  container.set_restart_policy(action.apply_container().spec().restart_policy());
  container.set_state(v1::CONTAINER_STATE_RUNNING);
  container.set_health(v1::CONTAINER_HEALTH_HEALTHY);
  *container.mutable_created_at() = ToProto(base::Clock::Real().Now());
  *container.mutable_started_at() = ToProto(base::Clock::Real().Now());
  container.set_installation(installation_);
  container.set_resource(action.resource());
  container.set_spec_hash(action.spec_hash());
  container.set_action(action.id());
  ++containers_;
  return Write(delta);
}

}  // namespace fairlead::bench
