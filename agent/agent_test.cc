#include "agent/agent.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "base/testing/simulated_clock.h"
#include "fairlead/v1/agent.grpc.pb.h"

namespace fairlead::agent {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(30);

// A mutex whose holders wait for conditions with a long deadline.
class Board {
 public:
  // Changes what conditions look at.
  void Change(const std::function<void()>& change) {
    base::MutexLock lock(mutex_);
    change();
    changed_.SignalAll();
  }
  bool WaitUntil(const std::function<bool()>& condition, absl::Duration patience = kPatience) {
    const absl::Time end = base::Clock::Real().Now() + patience;
    base::MutexLock lock(mutex_);
    while (!condition()) {
      const absl::Duration left = end - base::Clock::Real().Now();
      if (left <= absl::ZeroDuration()) return false;
      changed_.WaitFor(mutex_, left);
    }
    return true;
  }

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
};

class FakeController final : public v1::AgentService::Service {
 public:
  using Stream = grpc::ServerReaderWriter<v1::ControllerMessage, v1::AgentMessage>;

  grpc::Status Connect(grpc::ServerContext* context, Stream* stream) override {
    board.Change([&] {
      context_ = context;
      ++connections;
    });
    v1::AgentMessage message;
    while (stream->Read(&message)) {
      board.Change([&] {
        if (message.has_hello()) {
          const bool refused = refusals > 0;
          if (refused) --refusals;
          stream->Write(refused ? Refusal() : Welcome());
          if (!refused) stream_ = stream;
        }
        received.push_back(message);
      });
    }
    board.Change([&] { stream_ = nullptr; });
    return grpc::Status::OK;
  }

  // On a welcomed stream; waits for one.
  void Send(const v1::ControllerMessage& message) {
    ASSERT_TRUE(board.WaitUntil([&] {
      if (stream_ != nullptr) stream_->Write(message);
      return stream_ != nullptr;
    }));
  }
  void Dispatch(const v1::Action& action) {
    v1::ControllerMessage message;
    *message.mutable_dispatch()->mutable_action() = action;
    Send(message);
  }
  void Drop() {
    board.Change([&] { context_->TryCancel(); });
  }
  // The first message from number `from` on for which `matches` holds.
  std::optional<v1::AgentMessage> WaitFor(
      const std::function<bool(const v1::AgentMessage&)>& matches, std::size_t from = 0) {
    std::optional<v1::AgentMessage> found;
    board.WaitUntil([&] {
      for (std::size_t i = from; i < received.size() && !found.has_value(); ++i) {
        if (matches(received[i])) found = received[i];
      }
      return found.has_value();
    });
    return found;
  }
  std::optional<v1::AgentMessage> WaitForOutcome(const std::string& id) {
    return WaitFor([&](const auto& message) { return message.outcome().action_id() == id; });
  }
  bool WaitUntilClosed() {
    return board.WaitUntil([&] { return stream_ == nullptr; });
  }
  bool WaitForConnections(int number) {
    return board.WaitUntil([&] { return connections >= number; });
  }

  Board board;
  std::vector<v1::AgentMessage> received;
  int connections = 0;
  // So many hellos are refused first.
  int refusals = 0;
  std::string installation = "i1";

 private:
  v1::ControllerMessage Welcome() const {
    v1::ControllerMessage message;
    message.mutable_welcome()->set_installation(installation);
    message.mutable_welcome()->set_hash_key_id("k1");
    message.mutable_welcome()->set_hash_key("secret");
    *message.mutable_welcome()->mutable_heartbeat_interval() =
        base::ToProto(absl::Milliseconds(200));
    return message;
  }
  static v1::ControllerMessage Refusal() {
    v1::ControllerMessage message;
    message.mutable_goodbye()->set_reason(v1::Goodbye::REASON_NAME_TAKEN);
    message.mutable_goodbye()->set_message("edge-1 is taken");
    return message;
  }

  Stream* stream_ = nullptr;
  grpc::ServerContext* context_ = nullptr;
};

class FakeRuntime final : public Runtime {
 public:
  v1::ActionOutcome Run(const v1::Action& action, const ActionContext& context) override {
    board.Change([&] {
      begun.push_back(action.id());
      ++running;
      most_running = std::max(most_running, running);
    });
    if (starts_group) context.on_process_group(::getpid());
    v1::ActionProgress progress;
    progress.set_action_id(action.id());
    progress.set_phase("working");
    context.report(progress);
    v1::ActionLog log;
    log.set_action_id(action.id());
    log.add_lines("line of " + action.id());
    context.log(log);
    // A cancel is polled, as the interface says.
    while (!context.is_cancelled() &&
           !board.WaitUntil([&] { return !held; }, absl::Milliseconds(2))) {
    }
    board.Change([&] { --running; });
    v1::ActionOutcome outcome;
    outcome.set_status(context.is_cancelled() ? v1::ACTION_STATUS_CANCELLED
                                              : v1::ACTION_STATUS_SUCCEEDED);
    return outcome;
  }
  absl::Status Logs(const v1::LogRequest& request,
                    const std::function<void(const v1::LogLines&)>& send,
                    const std::function<bool()>& is_cancelled) override {
    if (request.resource() == "deployment/none") return absl::NotFoundError("no container");
    v1::LogLines lines;
    lines.add_lines()->set_text("hello");
    send(lines);
    while (request.follow() && !is_cancelled()) {
      board.WaitUntil([] { return false; }, absl::Milliseconds(2));
    }
    return absl::OkStatus();
  }
  void SetInstallation(const std::string& name, const std::string&, const std::string&) override {
    board.Change([&] { installation = name; });
  }
  void Forget(const std::string& action_id) override {
    board.Change([&] { forgotten.push_back(action_id); });
  }
  bool WaitForBegun(std::size_t number) {
    return board.WaitUntil([&] { return begun.size() >= number; });
  }
  void Hold() {
    board.Change([&] { held = true; });
  }
  void Release() {
    board.Change([&] { held = false; });
  }

  Board board;
  std::vector<std::string> begun;
  std::vector<std::string> forgotten;
  int running = 0;
  int most_running = 0;
  // Actions wait until it is false.
  bool held = false;
  bool starts_group = false;
  std::string installation;
};

class FakeReporter final : public Reporter {
 public:
  void Start(Callbacks callbacks) override {
    started_with = installation;
    callbacks_ = std::move(callbacks);
    Tell();
  }
  // The callbacks belong to the agent that ends; the next one starts it anew.
  void Stop() override {
    stopped = true;
    callbacks_ = {};
  }
  void SetInstallation(const std::string& name, const std::string&, const std::string&) override {
    installation = name;
    if (callbacks_.on_state) Tell();
  }
  void Refresh() override { Change(); }
  void Change() {
    v1::HostDelta delta;
    delta.add_upsert_containers()->set_id("c2");
    callbacks_.on_delta(delta);
  }

  std::string installation;
  std::string started_with;
  bool stopped = false;

 private:
  void Tell() {
    v1::HostState state;
    state.add_containers()->set_id("c1");
    state.mutable_containers(0)->set_installation(installation);
    callbacks_.on_state(state);
  }

  Callbacks callbacks_;
};

v1::Action MakeAction(const std::string& id, const std::string& resource = "deployment/web") {
  v1::Action action;
  action.set_id(id);
  action.set_resource(resource);
  action.mutable_start();
  return action;
}

class AgentTest : public ::testing::Test {
 protected:
  AgentTest() {
    std::string name = absl::StrCat(::testing::TempDir(), "/agent_XXXXXX");
    directory_ = ::mkdtemp(name.data());
    StartServer("127.0.0.1:0");
  }
  ~AgentTest() override {
    runtime_.Release();
    StopAgent();
    StopServer();
    std::filesystem::remove_all(directory_);
  }

  void StartServer(const std::string& address) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&controller_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  void StopServer() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }
  void StartAgent() {
    absl::StatusOr<Journal> journal = Journal::Open(directory_ + "/journal");
    ASSERT_TRUE(journal.ok()) << journal.status();
    connection_ = std::make_unique<Connection>(
        ConnectionOptions{
            .address = address_,
            .tls = std::nullopt,
            .backoff = {.initial = absl::Milliseconds(5), .maximum = absl::Milliseconds(50)}},
        base::Clock::Real(), base::Random::Real());
    agent_ = std::make_unique<Agent>(
        options_, *std::move(journal),
        AgentParts{runtime_, reporter_, *connection_, *clock_, base::Random::Real()});
    agent_->Start();
  }
  bool StopAgent() {
    const bool ended = agent_ == nullptr || agent_->Stop();
    agent_.reset();
    connection_.reset();
    return ended;
  }
  JournalState ReadJournal() { return Journal::Open(directory_ + "/journal")->state(); }
  std::size_t ReceivedCount() {
    std::size_t count = 0;
    controller_.board.Change([&] { count = controller_.received.size(); });
    return count;
  }

  std::string directory_;
  std::string address_;
  AgentOptions options_{
      .identity = {.server = "edge-1", .instance_id = "a1", .version = "1", .cpus = 4},
      .refusal_delay = absl::Milliseconds(5)};
  base::SimulatedClock simulated_clock_;
  base::Clock* clock_ = &base::Clock::Real();
  FakeController controller_;
  FakeRuntime runtime_;
  FakeReporter reporter_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Agent> agent_;
};

TEST_F(AgentTest, ReportsWhatIsTrueAndItsChanges) {
  StartAgent();
  const auto snapshot = controller_.WaitFor([](const auto& m) { return m.has_snapshot(); });
  ASSERT_TRUE(snapshot.has_value());
  EXPECT_EQ(snapshot->snapshot().state().containers(0).id(), "c1");
  // The reporter knew whose containers are ours before it looked.
  EXPECT_EQ(reporter_.started_with, "i1");
  EXPECT_EQ(runtime_.installation, "i1");
  reporter_.Change();
  const auto delta = controller_.WaitFor([](const auto& m) { return m.has_delta(); });
  ASSERT_TRUE(delta.has_value());
  EXPECT_EQ(delta->delta().seq(), snapshot->snapshot().seq() + 1);
  EXPECT_TRUE(controller_.WaitFor([](const auto& m) { return m.has_heartbeat(); }).has_value());
}

TEST_F(AgentTest, PerformsAnActionAndForgetsItWhenAcknowledged) {
  runtime_.starts_group = true;
  StartAgent();
  controller_.Dispatch(MakeAction("a"));
  const auto outcome = controller_.WaitForOutcome("a");
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->outcome().status(), v1::ACTION_STATUS_SUCCEEDED);
  EXPECT_EQ(outcome->outcome().resource(), "deployment/web");
  EXPECT_TRUE(outcome->outcome().has_took());
  EXPECT_TRUE(controller_.WaitFor([](const auto& m) { return m.has_progress(); }).has_value());
  const auto log = controller_.WaitFor([](const auto& m) { return m.has_action_log(); });
  ASSERT_TRUE(log.has_value());
  EXPECT_EQ(log->action_log().lines(0), "line of a");
  v1::ControllerMessage acknowledge;
  acknowledge.mutable_acknowledge_outcome()->set_action_id("a");
  controller_.Send(acknowledge);
  controller_.Dispatch(MakeAction("b"));
  ASSERT_TRUE(controller_.WaitForOutcome("b").has_value());
  EXPECT_TRUE(StopAgent());
  EXPECT_THAT(runtime_.forgotten, ::testing::ElementsAre("a"));
  EXPECT_TRUE(reporter_.stopped);
  const JournalState journal = ReadJournal();
  ASSERT_EQ(journal.entries.size(), 1u);
  EXPECT_TRUE(journal.entries.at("b").finished);
}

TEST_F(AgentTest, KeepsAnActionThroughALostStream) {
  runtime_.Hold();
  StartAgent();
  controller_.Dispatch(MakeAction("a"));
  ASSERT_TRUE(runtime_.WaitForBegun(1));
  const std::size_t before = ReceivedCount();
  controller_.Drop();
  const auto report =
      controller_.WaitFor([](const auto& message) { return message.has_journal(); }, before);
  ASSERT_TRUE(report.has_value());
  ASSERT_EQ(report->journal().running_action_ids_size(), 1);
  EXPECT_EQ(report->journal().running_action_ids(0), "a");
  controller_.Dispatch(MakeAction("a"));
  runtime_.Release();
  EXPECT_TRUE(controller_.WaitForOutcome("a").has_value());
  EXPECT_EQ(runtime_.begun.size(), 1u);
}

TEST_F(AgentTest, ComesBackToARestartedController) {
  StartAgent();
  ASSERT_TRUE(controller_.WaitForConnections(1));
  StopServer();
  StartServer(address_);
  ASSERT_TRUE(controller_.WaitForConnections(2));
  controller_.Dispatch(MakeAction("a"));
  EXPECT_TRUE(controller_.WaitForOutcome("a").has_value());
}

TEST_F(AgentTest, TriesAgainAfterARefusal) {
  controller_.refusals = 2;
  StartAgent();
  EXPECT_TRUE(controller_.WaitFor([](const auto& m) { return m.has_snapshot(); }).has_value());
  EXPECT_EQ(controller_.connections, 3);
}

TEST_F(AgentTest, CancelReachesARunningAndAWaitingAction) {
  runtime_.Hold();
  StartAgent();
  controller_.Dispatch(MakeAction("a"));
  controller_.Dispatch(MakeAction("b"));
  ASSERT_TRUE(runtime_.WaitForBegun(1));
  v1::ControllerMessage cancel;
  // The waiting one first: it must not begin when its resource gets free.
  cancel.mutable_cancel()->set_action_id("b");
  controller_.Send(cancel);
  cancel.mutable_cancel()->set_action_id("a");
  controller_.Send(cancel);
  for (const char* id : {"a", "b"}) {
    const auto outcome = controller_.WaitForOutcome(id);
    ASSERT_TRUE(outcome.has_value());
    EXPECT_EQ(outcome->outcome().status(), v1::ACTION_STATUS_CANCELLED);
  }
  EXPECT_THAT(runtime_.begun, ::testing::ElementsAre("a"));
}

TEST_F(AgentTest, RunsResourcesTogetherButEachOneInOrder) {
  runtime_.Hold();
  options_.workers = 2;
  StartAgent();
  controller_.Dispatch(MakeAction("a1", "deployment/a"));
  controller_.Dispatch(MakeAction("a2", "deployment/a"));
  controller_.Dispatch(MakeAction("b1", "deployment/b"));
  controller_.Dispatch(MakeAction("c1", "deployment/c"));
  ASSERT_TRUE(runtime_.WaitForBegun(2));
  EXPECT_THAT(runtime_.begun, ::testing::UnorderedElementsAre("a1", "b1"));
  runtime_.Release();
  for (const char* id : {"a1", "a2", "b1", "c1"}) {
    EXPECT_TRUE(controller_.WaitForOutcome(id).has_value()) << id;
  }
  EXPECT_EQ(runtime_.most_running, 2);
}

TEST_F(AgentTest, DeadlineCountsWhileAnActionWaits) {
  clock_ = &simulated_clock_;
  runtime_.Hold();
  options_.workers = 1;
  StartAgent();
  controller_.Dispatch(MakeAction("a", "deployment/a"));
  v1::Action late = MakeAction("b", "deployment/b");
  *late.mutable_deadline() = base::ToProto(absl::Seconds(10));
  controller_.Dispatch(late);
  // The end of a log that was asked for later shows that everything before it was taken.
  v1::ControllerMessage logs;
  logs.mutable_logs()->set_resource("deployment/web");
  controller_.Send(logs);
  ASSERT_TRUE(controller_.WaitFor([](const auto& m) { return m.logs().end(); }).has_value());
  simulated_clock_.Advance(absl::Seconds(11));
  runtime_.Release();
  const auto outcome = controller_.WaitForOutcome("b");
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->outcome().code(), static_cast<int>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_THAT(runtime_.begun, ::testing::ElementsAre("a"));
}

TEST_F(AgentTest, ReportsTheEffectOfAnActionBeforeItsOutcome) {
  StartAgent();
  controller_.Dispatch(MakeAction("a"));
  ASSERT_TRUE(controller_.WaitForOutcome("a").has_value());
  StopAgent();
  StopServer();
  const auto& received = controller_.received;
  const auto effect = std::find_if(received.begin(), received.end(),
                                   [](const auto& message) { return message.has_delta(); });
  const auto outcome = std::find_if(received.begin(), received.end(),
                                    [](const auto& message) { return message.has_outcome(); });
  EXPECT_LT(effect - received.begin(), outcome - received.begin());
}

TEST_F(AgentTest, StopWaitsForARunningActionAndKeepsItsOutcome) {
  runtime_.Hold();
  options_.stop_grace = kPatience;
  StartAgent();
  controller_.Dispatch(MakeAction("a"));
  ASSERT_TRUE(runtime_.WaitForBegun(1));
  std::thread stopping([this] { EXPECT_TRUE(agent_->Stop()); });
  // The stream goes first; the action still runs then.
  EXPECT_TRUE(controller_.WaitUntilClosed());
  runtime_.Release();
  stopping.join();
  StopAgent();
  EXPECT_TRUE(ReadJournal().entries.at("a").finished);
}

TEST_F(AgentTest, ActionCutByAStopContinuesInTheNextRun) {
  runtime_.Hold();
  runtime_.starts_group = true;
  options_.stop_grace = absl::ZeroDuration();
  StartAgent();
  controller_.Dispatch(MakeAction("a"));
  ASSERT_TRUE(controller_.WaitFor([](const auto& m) { return m.has_progress(); }).has_value());
  EXPECT_TRUE(StopAgent());
  {
    const JournalState journal = ReadJournal();
    EXPECT_FALSE(journal.entries.at("a").finished);
    ASSERT_EQ(journal.entries.at("a").groups.size(), 1u);
    EXPECT_EQ(journal.entries.at("a").groups[0].group(), ::getpid());
    EXPECT_GT(journal.entries.at("a").groups[0].leader_start_ticks(), 0u);
  }
  // This process must not end itself as its own leftover.
  std::filesystem::remove(directory_ + "/journal");
  v1::JournalRecord intent;
  *intent.mutable_intent() = MakeAction("a");
  ASSERT_TRUE(Journal::Open(directory_ + "/journal")->Append(intent).ok());
  runtime_.starts_group = false;
  runtime_.Release();
  StartAgent();
  EXPECT_TRUE(controller_.WaitForOutcome("a").has_value());
  EXPECT_THAT(runtime_.begun, ::testing::ElementsAre("a", "a"));
}

TEST_F(AgentTest, SendsLogsAndTheirEnd) {
  StartAgent();
  v1::ControllerMessage request;
  request.mutable_logs()->set_request_id(7);
  request.mutable_logs()->set_resource("deployment/web");
  controller_.Send(request);
  const auto lines = controller_.WaitFor([](const auto& m) { return m.logs().lines_size() > 0; });
  ASSERT_TRUE(lines.has_value());
  EXPECT_EQ(lines->logs().request_id(), 7u);
  const auto end = controller_.WaitFor([](const auto& m) { return m.logs().end(); });
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->logs().error(), "");
  request.mutable_logs()->set_request_id(8);
  request.mutable_logs()->set_resource("deployment/none");
  controller_.Send(request);
  const auto failed = controller_.WaitFor([](const auto& m) { return m.logs().request_id() == 8; });
  ASSERT_TRUE(failed.has_value());
  EXPECT_EQ(failed->logs().error(), "no container");
}

TEST_F(AgentTest, RefusesMoreLogsThanItsLimitUntilOneEnds) {
  options_.log_streams = 1;
  StartAgent();
  v1::ControllerMessage request;
  request.mutable_logs()->set_request_id(1);
  request.mutable_logs()->set_follow(true);
  controller_.Send(request);
  request.mutable_logs()->set_request_id(2);
  controller_.Send(request);
  const auto refused =
      controller_.WaitFor([](const auto& m) { return m.logs().request_id() == 2; });
  ASSERT_TRUE(refused.has_value());
  EXPECT_TRUE(refused->logs().end());
  EXPECT_THAT(refused->logs().error(), ::testing::HasSubstr("already reads 1 logs"));
  v1::ControllerMessage cancel;
  cancel.mutable_cancel_logs()->set_request_id(1);
  controller_.Send(cancel);
  EXPECT_TRUE(
      controller_
          .WaitFor([](const auto& m) { return m.logs().request_id() == 1 && m.logs().end(); })
          .has_value());
}

TEST_F(AgentTest, OtherInstallationIsLookedAtAnew) {
  StartAgent();
  ASSERT_TRUE(controller_.WaitFor([](const auto& m) { return m.has_snapshot(); }).has_value());
  const std::size_t before = ReceivedCount();
  controller_.board.Change([&] { controller_.installation = "i2"; });
  controller_.Drop();
  const auto snapshot = controller_.WaitFor([](const auto& m) { return m.has_snapshot(); }, before);
  ASSERT_TRUE(snapshot.has_value());
  EXPECT_EQ(snapshot->snapshot().state().containers(0).installation(), "i2");
}

}  // namespace
}  // namespace fairlead::agent
