// The service, the registry and the table behind a real gRPC server, with raw client streams.
#include "controller/agents/agent_service.h"

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "base/mutex.h"
#include "base/testing/simulated_clock.h"
#include "controller/agents/agent_registry.h"

namespace fairlead::agents {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Keeps a word for each event, in order; a test waits for the words it needs.
class RecordingEvents final : public loop::AgentEvents {
 public:
  void OnHost(std::shared_ptr<const sync::HostLive> host) override {
    Note(host->server + (host->online ? " online " : " offline ") +
         std::to_string(host->containers.size()));
  }
  void OnOutcome(const std::string& server, const v1::ActionOutcome& outcome) override {
    Note(server + " outcome " + outcome.action_id());
  }
  void OnProgress(const std::string& server, const v1::ActionProgress& progress) override {
    Note(server + " progress " + progress.phase());
  }
  void OnJournal(const std::string& server, uint64_t session, const v1::JournalReport&) override {
    session_ = session;
    Note(server + " journal");
  }
  void OnActionLog(const std::string& server, const v1::ActionLog& log) override {
    Note(server + " log " + log.action_id());
  }
  void OnNotice(const std::string& server, const v1::AgentNotice& notice) override {
    Note(server + " notice " + notice.message());
  }

  // The words up to and with `word`, which are forgotten; all of them when it does not come.
  std::vector<std::string> Until(const std::string& word) {
    base::MutexLock lock(mutex_);
    std::vector<std::string> seen;
    for (;;) {
      while (words_.empty()) {
        if (!changed_.WaitFor(mutex_, absl::Seconds(20))) {
          ADD_FAILURE() << "did not come: " << word;
          return seen;
        }
      }
      seen.push_back(words_.front());
      words_.pop_front();
      if (seen.back() == word) return seen;
    }
  }

  // Whose journal came last.
  uint64_t session() const { return session_; }

 private:
  void Note(std::string word) {
    base::MutexLock lock(mutex_);
    words_.push_back(std::move(word));
    changed_.SignalAll();
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  std::deque<std::string> words_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> session_ = 0;
};

class RecordingObserver final : public loop::Observer {
 public:
  void OnAgents(uint32_t connected) override {
    base::MutexLock lock(mutex_);
    connected_.push_back(connected);
  }
  std::vector<uint32_t> connected() {
    base::MutexLock lock(mutex_);
    return connected_;
  }

 private:
  base::Mutex mutex_;
  std::vector<uint32_t> connected_ ABSL_GUARDED_BY(mutex_);
};

// An agent as far as the wire shows one.
class RawAgent {
 public:
  explicit RawAgent(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(v1::AgentService::NewStub(channel)) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    stream_ = stub_->Connect(&context_);
  }
  ~RawAgent() {
    context_.TryCancel();
    if (!finished_) stream_->Finish();
  }

  void Hello(const std::string& server, const std::string& instance) {
    v1::AgentMessage message;
    message.mutable_hello()->set_server(server);
    message.mutable_hello()->set_instance_id(instance);
    message.mutable_hello()->set_version("1.2.3");
    message.mutable_hello()->set_protocol(1);
    stream_->Write(message);
  }
  void Journal() {
    v1::AgentMessage message;
    message.mutable_journal();
    stream_->Write(message);
  }
  void Snapshot(uint64_t seq) {
    v1::AgentMessage message;
    message.mutable_snapshot()->set_seq(seq);
    message.mutable_snapshot()->mutable_state()->set_engine_up(true);
    stream_->Write(message);
  }
  void Delta(uint64_t seq, const std::string& container) {
    v1::AgentMessage message;
    message.mutable_delta()->set_seq(seq);
    message.mutable_delta()->mutable_change()->add_upsert_containers()->set_id(container);
    stream_->Write(message);
  }
  void Outcome(const std::string& action) {
    v1::AgentMessage message;
    message.mutable_outcome()->set_action_id(action);
    stream_->Write(message);
  }
  void Logs(uint64_t request_id, const std::string& text, bool end) {
    v1::AgentMessage message;
    message.mutable_logs()->set_request_id(request_id);
    message.mutable_logs()->set_end(end);
    if (!text.empty()) message.mutable_logs()->add_lines()->set_text(text);
    stream_->Write(message);
  }

  // The next message; empty at the end of the stream.
  v1::ControllerMessage Read() {
    v1::ControllerMessage message;
    if (!stream_->Read(&message)) message.Clear();
    return message;
  }
  grpc::Status Finish() {
    v1::ControllerMessage message;
    while (stream_->Read(&message)) {
    }
    finished_ = true;
    return stream_->Finish();
  }
  void Leave() {
    stream_->WritesDone();
    Finish();
  }

 private:
  std::unique_ptr<v1::AgentService::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AgentMessage, v1::ControllerMessage>> stream_;
  bool finished_ = false;
};

class AgentServiceTest : public ::testing::Test {
 protected:
  void SetUp() override { Serve({.require_certificate = false}); }
  void TearDown() override {
    registry_->Shutdown();
    server_->Shutdown();
  }

  void Serve(const AgentServiceOptions& options) {
    registry_ = std::make_unique<AgentRegistry>(
        SessionTerms{.installation = "inst", .hash_key = "key", .hash_key_id = "k1"}, clock_,
        &observer_);
    registry_->SetEvents(&events_);
    service_ = std::make_unique<AgentService>(*registry_, options);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }
  void ServeAgain(const AgentServiceOptions& options) {
    TearDown();
    server_.reset();
    Serve(options);
  }

  std::unique_ptr<RawAgent> Dial() {
    // A channel of its own: channels to one address would share a connection.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return std::make_unique<RawAgent>(grpc::CreateCustomChannel(
        "127.0.0.1:" + std::to_string(port_), grpc::InsecureChannelCredentials(), arguments));
  }
  // An agent whose host is online, all its answers read.
  std::unique_ptr<RawAgent> DialOnline(const std::string& server, const std::string& instance) {
    auto agent = Dial();
    agent->Hello(server, instance);
    EXPECT_TRUE(agent->Read().has_welcome());
    agent->Journal();
    agent->Snapshot(1);
    EXPECT_EQ(agent->Read().acknowledge().seq(), 1u);
    events_.Until(server + " online 0");
    return agent;
  }

  base::SimulatedClock clock_;
  RecordingEvents events_;
  RecordingObserver observer_;
  std::unique_ptr<AgentRegistry> registry_;
  std::unique_ptr<AgentService> service_;
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;
};

TEST_F(AgentServiceTest, AgentIsWelcomedAndItsHostComesOnline) {
  auto agent = Dial();
  agent->Hello("edge-1", "i1");
  EXPECT_EQ(agent->Read().welcome().installation(), "inst");
  agent->Journal();
  agent->Snapshot(1);
  agent->Delta(2, "a");
  EXPECT_THAT(events_.Until("edge-1 online 1"),
              ElementsAre("edge-1 journal", "edge-1 online 0", "edge-1 online 1"));
  const auto live = registry_->Live();
  ASSERT_TRUE(live->hosts.contains("edge-1"));
  EXPECT_TRUE(live->hosts.at("edge-1")->online);
  EXPECT_EQ(registry_->Live(), live) << "an unchanged state is the same object";
  ASSERT_THAT(registry_->Agents(), SizeIs(1));
  EXPECT_EQ(registry_->Agents()[0].version, "1.2.3");
  agent->Leave();
  events_.Until("edge-1 offline 1");
  EXPECT_TRUE(live->hosts.at("edge-1")->online) << "a state that was handed out never changes";
  EXPECT_FALSE(registry_->Live()->hosts.at("edge-1")->online);
  EXPECT_THAT(registry_->Agents(), IsEmpty());
  registry_->Shutdown();
  EXPECT_THAT(observer_.connected(), ElementsAre(1, 0));
}

TEST_F(AgentServiceTest, NewerSessionOfTheSameInstanceReplacesTheOlder) {
  auto older = DialOnline("edge-1", "i1");
  auto newer = Dial();
  newer->Hello("edge-1", "i1");
  EXPECT_TRUE(newer->Read().has_welcome());
  EXPECT_EQ(older->Read().goodbye().reason(), v1::Goodbye::REASON_REPLACED);
  EXPECT_EQ(older->Finish().error_code(), grpc::StatusCode::ABORTED);
  newer->Journal();
  newer->Snapshot(1);
  EXPECT_THAT(events_.Until("edge-1 online 0"),
              ElementsAre("edge-1 offline 0", "edge-1 journal", "edge-1 online 0"));
}

TEST_F(AgentServiceTest, OtherInstanceIsTurnedAway) {
  auto holder = DialOnline("edge-1", "i1");
  auto rival = Dial();
  rival->Hello("edge-1", "i2");
  const v1::Goodbye goodbye = rival->Read().goodbye();
  EXPECT_EQ(goodbye.reason(), v1::Goodbye::REASON_NAME_TAKEN);
  EXPECT_EQ(rival->Finish().error_code(), grpc::StatusCode::ALREADY_EXISTS);
  events_.Until("edge-1 notice " + goodbye.message());
  EXPECT_TRUE(registry_->Live()->hosts.at("edge-1")->online);
}

TEST_F(AgentServiceTest, AClockThatIsSetCutsNobodyAndMakesNoHostOld) {
  auto agent = DialOnline("edge-1", "i1");
  const absl::Duration before = registry_->Live()->hosts.at("edge-1")->clock_offset;
  clock_.Jump(absl::Hours(2));
  registry_->Tick(clock_.Now());
  events_.Until("edge-1 online 0");
  EXPECT_TRUE(registry_->Live()->hosts.at("edge-1")->online);
  EXPECT_EQ(registry_->Live()->hosts.at("edge-1")->clock_offset, before - absl::Hours(2));
}

TEST_F(AgentServiceTest, GapIsAnsweredWithRequestSnapshot) {
  auto agent = DialOnline("edge-1", "i1");
  agent->Delta(3, "b");
  EXPECT_TRUE(agent->Read().has_request_snapshot());
  agent->Snapshot(4);
  EXPECT_EQ(agent->Read().acknowledge().seq(), 4u);
}

TEST_F(AgentServiceTest, ActionsArriveInOrderAndTheOutcomeIsTold) {
  auto agent = DialOnline("edge-1", "i1");
  for (int i = 0; i < 500; ++i) {
    v1::Action action;
    action.set_id("action-" + std::to_string(i));
    ASSERT_TRUE(registry_->Dispatch("edge-1", events_.session(), action));
  }
  ASSERT_TRUE(registry_->Cancel("edge-1", "action-7", "superseded"));
  for (int i = 0; i < 500; ++i) {
    ASSERT_EQ(agent->Read().dispatch().action().id(), "action-" + std::to_string(i));
  }
  EXPECT_EQ(agent->Read().cancel().action_id(), "action-7");
  agent->Outcome("action-7");
  events_.Until("edge-1 outcome action-7");
  ASSERT_TRUE(registry_->AcknowledgeOutcome("edge-1", "action-7"));
  EXPECT_EQ(agent->Read().acknowledge_outcome().action_id(), "action-7");
}

TEST_F(AgentServiceTest, NothingIsSentToAServerWithoutASession) {
  EXPECT_FALSE(registry_->Dispatch("edge-1", events_.session(), v1::Action()));
  EXPECT_FALSE(registry_->Cancel("edge-1", "a", "b"));
  EXPECT_FALSE(registry_->AcknowledgeOutcome("edge-1", "a"));
  EXPECT_EQ(registry_->StartLogs("edge-1", v1::LogRequest(), [](const v1::LogLines&) {}), 0u);
}

TEST_F(AgentServiceTest, AgentThatDoesNotReadIsCutOff) {
  ServeAgain({.require_certificate = false, .queue_messages = 16});
  auto agent = DialOnline("edge-1", "i1");
  v1::Action action;
  action.set_spec_hash(std::string(1 << 20, 'x'));
  int sent = 0;
  while (sent < 1000 && registry_->Dispatch("edge-1", events_.session(), action)) ++sent;
  EXPECT_GE(sent, 16);
  EXPECT_LT(sent, 1000);
  events_.Until("edge-1 offline 0");
  EXPECT_FALSE(registry_->Dispatch("edge-1", events_.session(), action));
  EXPECT_FALSE(agent->Finish().ok());
}

TEST_F(AgentServiceTest, MessageBeyondTheByteLimitCutsTheSession) {
  ServeAgain({.require_certificate = false, .queue_bytes = 1000});
  auto agent = DialOnline("edge-1", "i1");
  v1::Action action;
  action.set_spec_hash(std::string(1001, 'x'));
  EXPECT_FALSE(registry_->Dispatch("edge-1", events_.session(), action));
  events_.Until("edge-1 offline 0");
  EXPECT_FALSE(agent->Finish().ok());
}

TEST_F(AgentServiceTest, SilentSessionIsEndedByTick) {
  auto agent = DialOnline("edge-1", "i1");
  clock_.Advance(absl::Seconds(14));
  registry_->Tick(clock_.Now());
  EXPECT_THAT(registry_->Agents(), SizeIs(1));
  clock_.Advance(absl::Seconds(1));
  registry_->Tick(clock_.Now());
  events_.Until("edge-1 offline 0");
  EXPECT_FALSE(agent->Finish().ok());
}

TEST_F(AgentServiceTest, LogLinesReachTheAskerUntilTheEnd) {
  auto agent = DialOnline("edge-1", "i1");
  base::Mutex mutex;
  base::CondVar ended;
  std::string text;
  bool end = false;
  v1::LogRequest request;
  request.set_resource("deployment/web");
  const uint64_t id = registry_->StartLogs("edge-1", request, [&](const v1::LogLines& lines) {
    base::MutexLock lock(mutex);
    for (const auto& line : lines.lines()) text += line.text();
    end = lines.end();
    if (end) ended.SignalAll();
  });
  ASSERT_NE(id, 0u);
  const v1::LogRequest arrived = agent->Read().logs();
  EXPECT_EQ(arrived.resource(), "deployment/web");
  agent->Logs(arrived.request_id(), "one ", false);
  agent->Logs(arrived.request_id(), "two", true);
  base::MutexLock lock(mutex);
  while (!end) ASSERT_TRUE(ended.WaitFor(mutex, absl::Seconds(20)));
  EXPECT_EQ(text, "one two");
}

TEST_F(AgentServiceTest, CancelledLogsStayQuiet) {
  auto agent = DialOnline("edge-1", "i1");
  const uint64_t id = registry_->StartLogs("edge-1", v1::LogRequest(), [](const v1::LogLines&) {
    ADD_FAILURE() << "called after the cancel";
  });
  registry_->CancelLogs(id);
  EXPECT_TRUE(agent->Read().has_logs());
  EXPECT_EQ(agent->Read().cancel_logs().request_id(), id);
  agent->Logs(id, "late", true);
  // Told in order: once the outcome is told, the lines were passed over.
  agent->Outcome("a1");
  events_.Until("edge-1 outcome a1");
}

TEST_F(AgentServiceTest, ShutdownSaysGoodbyeAndTakesNobodyAfterIt) {
  auto agent = DialOnline("edge-1", "i1");
  registry_->Shutdown();
  EXPECT_EQ(agent->Read().goodbye().reason(), v1::Goodbye::REASON_SHUTTING_DOWN);
  EXPECT_EQ(agent->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  events_.Until("edge-1 offline 0");
  auto late = Dial();
  late->Hello("edge-2", "i2");
  EXPECT_EQ(late->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(AgentServiceTest, ShutdownDoesNotWaitForAnAgentThatDoesNotRead) {
  auto agent = DialOnline("edge-1", "i1");
  v1::Action action;
  action.set_spec_hash(std::string(1 << 20, 'x'));
  for (int i = 0; i < 40; ++i)
    ASSERT_TRUE(registry_->Dispatch("edge-1", events_.session(), action));
  registry_->Shutdown();
  EXPECT_THAT(registry_->Agents(), IsEmpty());
  EXPECT_FALSE(agent->Finish().ok());
}

TEST_F(AgentServiceTest, PeerWithoutCertificateIsRefusedWhereOneIsNeeded) {
  ServeAgain({.require_certificate = true});
  auto agent = Dial();
  agent->Hello("edge-1", "i1");
  const grpc::Status status = agent->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(), HasSubstr("no client certificate"));
  EXPECT_THAT(registry_->Agents(), IsEmpty());
}

TEST(ServerOfCertificateTest, OnlyTheSingleServerNameCounts) {
  struct Case {
    std::vector<std::string> names;
    std::string server;
    std::string error;
  };
  const std::vector<Case> cases = {
      {{"fairlead://server/edge-1"}, "edge-1", ""},
      {{"fairlead://server/rack/7"}, "rack/7", ""},
      {{}, "", "no client certificate"},
      {{"fairlead://server/"}, "", "not for fairlead://server/NAME"},
      {{"edge-1"}, "", "\"edge-1\""},
      {{"fairlead://user/edge-1"}, "", "not for"},
      {{"fairlead://server/a", "fairlead://server/b"}, "", "has 2"},
      {{"fairlead://server/a", "a.example"}, "", "has 2"},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(testing::PrintToString(test.names));
    const auto server = ServerOfCertificate(test.names);
    if (test.error.empty()) {
      ASSERT_TRUE(server.ok()) << server.status();
      EXPECT_EQ(*server, test.server);
    } else {
      EXPECT_EQ(server.status().code(), absl::StatusCode::kPermissionDenied);
      EXPECT_THAT(std::string(server.status().message()), HasSubstr(test.error));
    }
  }
}

}  // namespace
}  // namespace fairlead::agents
