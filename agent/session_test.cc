#include "agent/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "base/proto_time.h"

namespace fairlead::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

v1::Action MakeAction(const std::string& id,
                      v1::ActionGuarantee guarantee = v1::ACTION_GUARANTEE_ENSURE) {
  v1::Action action;
  action.set_id(id);
  action.set_resource("deployment/web");
  action.set_guarantee(guarantee);
  action.mutable_start();
  return action;
}

v1::ActionOutcome Succeeded(const std::string& id) {
  v1::ActionOutcome outcome;
  outcome.set_action_id(id);
  outcome.set_status(v1::ACTION_STATUS_SUCCEEDED);
  return outcome;
}

v1::ControllerMessage Welcome(const std::string& installation = "i1",
                              const std::string& key_id = "k1") {
  v1::ControllerMessage message;
  v1::Welcome& welcome = *message.mutable_welcome();
  welcome.set_installation(installation);
  welcome.set_hash_key_id(key_id);
  welcome.set_hash_key("secret");
  *welcome.mutable_heartbeat_interval() = base::ToProto(absl::Seconds(5));
  return message;
}

v1::ControllerMessage Dispatch(const v1::Action& action) {
  v1::ControllerMessage message;
  *message.mutable_dispatch()->mutable_action() = action;
  return message;
}

v1::ControllerMessage AcknowledgeOutcome(const std::string& id) {
  v1::ControllerMessage message;
  message.mutable_acknowledge_outcome()->set_action_id(id);
  return message;
}

v1::ControllerMessage GoodbyeFor(v1::Goodbye::Reason reason) {
  v1::ControllerMessage message;
  message.mutable_goodbye()->set_reason(reason);
  message.mutable_goodbye()->set_message("go away");
  return message;
}

v1::HostState StateOf(const std::string& container) {
  v1::HostState state;
  state.add_containers()->set_id(container);
  state.set_engine_up(true);
  return state;
}

v1::HostDelta Upsert(const std::string& container) {
  v1::HostDelta delta;
  delta.add_upsert_containers()->set_id(container);
  return delta;
}

// One word for each command, in order.
std::vector<std::string> Words(const SessionCommands& commands) {
  struct Namer {
    std::string operator()(const SendMessage& command) const {
      const v1::AgentMessage& message = command.message;
      switch (message.message_case()) {
        case v1::AgentMessage::kHello:
          return "hello";
        case v1::AgentMessage::kSnapshot:
          return "snapshot " + std::to_string(message.snapshot().seq());
        case v1::AgentMessage::kDelta:
          return "delta " + std::to_string(message.delta().seq());
        case v1::AgentMessage::kJournal: {
          std::string text = "report";
          for (const auto& id : message.journal().running_action_ids()) text += " running:" + id;
          for (const auto& outcome : message.journal().unacknowledged()) {
            text += " done:" + outcome.action_id();
          }
          return text;
        }
        case v1::AgentMessage::kOutcome:
          return "outcome " + message.outcome().action_id();
        case v1::AgentMessage::kHeartbeat:
          return "heartbeat";
        case v1::AgentMessage::kProgress:
          return "progress";
        case v1::AgentMessage::kLogs:
          return "logs";
        default:
          return "?";
      }
    }
    std::string operator()(const WriteRecord& command) const {
      if (command.record.has_intent()) return "write intent " + command.record.intent().id();
      if (command.record.has_outcome()) {
        return "write outcome " + command.record.outcome().action_id();
      }
      return "write forget " + command.record.forget();
    }
    std::string operator()(const StartAction& command) const {
      return "start " + command.action.id();
    }
    std::string operator()(const StopAction& command) const { return "stop " + command.action_id; }
    std::string operator()(const StartLogs&) const { return "start logs"; }
    std::string operator()(const StopLogs&) const { return "stop logs"; }
    std::string operator()(const UseTerms&) const { return "terms"; }
    std::string operator()(const UseInstallation& command) const {
      return "use " + command.installation;
    }
    std::string operator()(const CloseStream&) const { return "close"; }
  };
  std::vector<std::string> words;
  for (const SessionCommand& command : commands) words.push_back(std::visit(Namer(), command));
  return words;
}

template <typename Command>
const Command& Only(const SessionCommands& commands) {
  EXPECT_EQ(commands.size(), 1u);
  return std::get<Command>(commands.at(0));
}

Session MakeSession(const JournalState& journal = {}) {
  return Session({.server = "edge-1", .instance_id = "a1", .version = "1", .cpus = 4}, journal);
}

// A session after its first Welcome.
Session Welcomed(const JournalState& journal = {}) {
  Session session = MakeSession(journal);
  session.OnConnected(kNow);
  session.OnMessage(Welcome(), kNow);
  return session;
}

// The journal of an agent that was given `action`.
JournalState JournalWith(const v1::Action& action) {
  v1::JournalRecord record;
  *record.mutable_intent() = action;
  JournalState journal;
  journal.Apply(record);
  return journal;
}

v1::JournalRecord OutcomeRecordOf(const v1::ActionOutcome& outcome) {
  v1::JournalRecord record;
  *record.mutable_outcome() = outcome;
  return record;
}

// Dispatches and records the intent.
void StartRunning(Session& session, const std::string& id) {
  const SessionCommands commands = session.OnMessage(Dispatch(MakeAction(id)), kNow);
  session.OnRecorded(Only<WriteRecord>(commands).record, absl::OkStatus());
}

TEST(SessionTest, SaysHelloFirst) {
  Session session = MakeSession();
  const SessionCommands commands = session.OnConnected(kNow);
  const v1::Hello& hello = Only<SendMessage>(commands).message.hello();
  EXPECT_EQ(hello.server(), "edge-1");
  EXPECT_EQ(hello.instance_id(), "a1");
  EXPECT_EQ(hello.cpus(), 4u);
  EXPECT_EQ(hello.protocol(), 1u);
  EXPECT_EQ(base::FromProto(hello.now()), kNow);
}

TEST(SessionTest, SendsNothingElseBeforeTheWelcome) {
  Session session = MakeSession();
  session.OnConnected(kNow);
  EXPECT_THAT(session.OnState(StateOf("c1")), IsEmpty());
  EXPECT_THAT(session.OnDelta(Upsert("c2")), IsEmpty());
  EXPECT_THAT(session.OnTick(kNow + absl::Hours(1)), IsEmpty());
  EXPECT_THAT(session.OnMessage(Dispatch(MakeAction("a")), kNow), IsEmpty());
  EXPECT_FALSE(session.welcomed());
}

TEST(SessionTest, IntentIsOnDiskBeforeTheStart) {
  Session session = Welcomed();
  const SessionCommands commands = session.OnMessage(Dispatch(MakeAction("a")), kNow);
  EXPECT_THAT(Words(commands), ElementsAre("write intent a"));
  EXPECT_THAT(Words(session.OnRecorded(Only<WriteRecord>(commands).record, absl::OkStatus())),
              ElementsAre("start a"));
}

TEST(SessionTest, OutcomeIsOnDiskBeforeTheReport) {
  Session session = Welcomed();
  StartRunning(session, "a");
  const SessionCommands commands = session.OnFinished(Succeeded("a"));
  EXPECT_THAT(Words(commands), ElementsAre("write outcome a"));
  EXPECT_THAT(Words(session.OnRecorded(Only<WriteRecord>(commands).record, absl::OkStatus())),
              ElementsAre("outcome a"));
}

TEST(SessionTest, RepeatedDispatchPerformsOnce) {
  Session session = Welcomed();
  const v1::ControllerMessage dispatch = Dispatch(MakeAction("a"));
  const SessionCommands first = session.OnMessage(dispatch, kNow);
  EXPECT_THAT(session.OnMessage(dispatch, kNow), IsEmpty());
  session.OnRecorded(Only<WriteRecord>(first).record, absl::OkStatus());
  EXPECT_THAT(session.OnMessage(dispatch, kNow), IsEmpty());
  const SessionCommands finished = session.OnFinished(Succeeded("a"));
  EXPECT_THAT(session.OnMessage(dispatch, kNow), IsEmpty());
  session.OnRecorded(Only<WriteRecord>(finished).record, absl::OkStatus());
  EXPECT_THAT(Words(session.OnMessage(dispatch, kNow)), ElementsAre("outcome a"));
}

TEST(SessionTest, ASecondEndOfAnActionIsIgnored) {
  Session session = Welcomed();
  StartRunning(session, "a");
  session.OnFinished(Succeeded("a"));
  EXPECT_THAT(session.OnFinished(Succeeded("a")), IsEmpty());
  EXPECT_THAT(session.OnFinished(Succeeded("unknown")), IsEmpty());
}

TEST(SessionTest, UnacknowledgedOutcomesAreReportedAfterReconnect) {
  Session session = Welcomed();
  StartRunning(session, "a");
  StartRunning(session, "b");
  session.OnDisconnected();
  // It ended while there was no stream.
  session.OnFinished(Succeeded("a"));
  EXPECT_THAT(session.OnRecorded(OutcomeRecordOf(Succeeded("a")), absl::OkStatus()), IsEmpty());
  session.OnConnected(kNow);
  EXPECT_THAT(Words(session.OnMessage(Welcome(), kNow)), ElementsAre("report running:b done:a"));
}

TEST(SessionTest, AcknowledgedOutcomesAreForgotten) {
  Session session = Welcomed();
  StartRunning(session, "a");
  EXPECT_THAT(session.OnMessage(AcknowledgeOutcome("a"), kNow), IsEmpty());
  session.OnFinished(Succeeded("a"));
  session.OnRecorded(OutcomeRecordOf(Succeeded("a")), absl::OkStatus());
  EXPECT_THAT(Words(session.OnMessage(AcknowledgeOutcome("a"), kNow)),
              ElementsAre("write forget a"));
  EXPECT_THAT(session.OnMessage(AcknowledgeOutcome("a"), kNow), IsEmpty());
  session.OnConnected(kNow);
  EXPECT_THAT(Words(session.OnMessage(Welcome(), kNow)), ElementsAre("report"));
}

TEST(SessionTest, OnceActionCutByARestartIsInterrupted) {
  Session session = MakeSession(JournalWith(MakeAction("a", v1::ACTION_GUARANTEE_ONCE)));
  session.OnConnected(kNow);
  const SessionCommands commands = session.OnMessage(Welcome(), kNow);
  EXPECT_THAT(Words(commands), ElementsAre("use i1", "report running:a", "write outcome a"));
  const SessionCommands recorded =
      session.OnRecorded(std::get<WriteRecord>(commands[2]).record, absl::OkStatus());
  const v1::ActionOutcome& outcome = Only<SendMessage>(recorded).message.outcome();
  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_INTERRUPTED);
  EXPECT_EQ(outcome.resource(), "deployment/web");
  EXPECT_THAT(Words(session.OnMessage(Dispatch(MakeAction("a")), kNow)), ElementsAre("outcome a"));
}

TEST(SessionTest, EnsureActionContinuesOnceAfterARestart) {
  Session session = MakeSession(JournalWith(MakeAction("a")));
  session.OnConnected(kNow);
  EXPECT_THAT(Words(session.OnMessage(Welcome(), kNow)),
              ElementsAre("use i1", "report running:a", "start a"));
  session.OnDisconnected();
  session.OnConnected(kNow);
  EXPECT_THAT(Words(session.OnMessage(Welcome(), kNow)), ElementsAre("report running:a"));
}

TEST(SessionTest, OutcomeOnDiskAtTheStartIsReportedAndNotRepeated) {
  JournalState journal = JournalWith(MakeAction("a"));
  journal.Apply(OutcomeRecordOf(Succeeded("a")));
  Session session = MakeSession(journal);
  session.OnConnected(kNow);
  EXPECT_THAT(Words(session.OnMessage(Welcome(), kNow)), ElementsAre("use i1", "report done:a"));
}

TEST(SessionTest, IntentThatCannotBeWrittenIsRefused) {
  Session session = Welcomed();
  const SessionCommands commands = session.OnMessage(Dispatch(MakeAction("a")), kNow);
  const SessionCommands failed = session.OnRecorded(Only<WriteRecord>(commands).record,
                                                    absl::ResourceExhaustedError("disk full"));
  const v1::ActionOutcome& outcome = Only<SendMessage>(failed).message.outcome();
  EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_FAILED);
  EXPECT_EQ(outcome.code(), static_cast<int>(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(outcome.message(), ::testing::HasSubstr("disk full"));
  // Nothing was begun: the same id may come again.
  EXPECT_THAT(Words(session.OnMessage(Dispatch(MakeAction("a")), kNow)),
              ElementsAre("write intent a"));
}

TEST(SessionTest, OutcomeThatCannotBeWrittenIsTriedAgainAtATick) {
  Session session = Welcomed();
  StartRunning(session, "a");
  session.OnFinished(Succeeded("a"));
  EXPECT_THAT(session.OnRecorded(OutcomeRecordOf(Succeeded("a")),
                                 absl::ResourceExhaustedError("disk full")),
              IsEmpty());
  EXPECT_THAT(Words(session.OnTick(session.NextTick())),
              ElementsAre("heartbeat", "write outcome a"));
  EXPECT_THAT(Words(session.OnRecorded(OutcomeRecordOf(Succeeded("a")), absl::OkStatus())),
              ElementsAre("outcome a"));
  EXPECT_THAT(Words(session.OnTick(session.NextTick())), ElementsAre("heartbeat"));
}

TEST(SessionTest, OutcomeThatCannotBeWrittenIsTriedAgainAfterReconnect) {
  Session session = Welcomed();
  StartRunning(session, "a");
  session.OnFinished(Succeeded("a"));
  session.OnRecorded(OutcomeRecordOf(Succeeded("a")), absl::ResourceExhaustedError("disk full"));
  session.OnDisconnected();
  session.OnConnected(kNow);
  EXPECT_THAT(Words(session.OnMessage(Welcome(), kNow)),
              ElementsAre("report running:a", "write outcome a"));
}

TEST(SessionTest, HeartbeatsComeAtTheIntervalOfTheWelcome) {
  Session session = Welcomed();
  EXPECT_EQ(session.NextTick(), kNow + absl::Seconds(5));
  EXPECT_THAT(session.OnTick(kNow + absl::Seconds(4)), IsEmpty());
  EXPECT_THAT(Words(session.OnTick(kNow + absl::Seconds(5))), ElementsAre("heartbeat"));
  EXPECT_EQ(session.NextTick(), kNow + absl::Seconds(10));
  session.OnDisconnected();
  EXPECT_EQ(session.NextTick(), absl::InfiniteFuture());
}

TEST(SessionTest, HeartbeatsGoOnWhenTheClockIsSetBack) {
  Session session = Welcomed();
  const absl::Time back = kNow - absl::Hours(1);
  EXPECT_THAT(Words(session.OnTick(back)), ElementsAre("heartbeat"));
  EXPECT_EQ(session.NextTick(), back + absl::Seconds(5));
}

TEST(SessionTest, HeartbeatIntervalIsNeverZero) {
  Session session = MakeSession();
  session.OnConnected(kNow);
  v1::ControllerMessage welcome = Welcome();
  welcome.mutable_welcome()->mutable_heartbeat_interval()->Clear();
  session.OnMessage(welcome, kNow);
  EXPECT_GT(session.NextTick(), kNow);
}

TEST(SessionTest, SnapshotComesFirstThenNumberedChanges) {
  Session session = Welcomed();
  EXPECT_THAT(session.OnDelta(Upsert("early")), IsEmpty());
  EXPECT_THAT(Words(session.OnState(StateOf("c1"))), ElementsAre("snapshot 1"));
  EXPECT_THAT(Words(session.OnDelta(Upsert("c2"))), ElementsAre("delta 2"));
  EXPECT_THAT(Words(session.OnDelta(Upsert("c3"))), ElementsAre("delta 3"));
}

TEST(SessionTest, SnapshotHoldsAllChangesUpToIt) {
  Session session = Welcomed();
  session.OnState(StateOf("c1"));
  v1::HostDelta delta = Upsert("c2");
  delta.add_remove_container_ids("c1");
  delta.add_upsert_projects()->set_resource("stack/a");
  delta.mutable_engine()->set_up(false);
  delta.mutable_engine()->set_error("gone");
  session.OnDelta(delta);
  v1::ControllerMessage request;
  request.mutable_request_snapshot();
  const SessionCommands commands = session.OnMessage(request, kNow);
  const v1::Snapshot& snapshot = Only<SendMessage>(commands).message.snapshot();
  EXPECT_EQ(snapshot.seq(), 3u);
  ASSERT_EQ(snapshot.state().containers_size(), 1);
  EXPECT_EQ(snapshot.state().containers(0).id(), "c2");
  EXPECT_EQ(snapshot.state().projects_size(), 1);
  EXPECT_FALSE(snapshot.state().engine_up());
  EXPECT_EQ(snapshot.state().engine_error(), "gone");
}

TEST(SessionTest, RequestedSnapshotWaitsForTheFirstState) {
  Session session = Welcomed();
  v1::ControllerMessage request;
  request.mutable_request_snapshot();
  EXPECT_THAT(session.OnMessage(request, kNow), IsEmpty());
}

TEST(SessionTest, SnapshotComesWithEachWelcome) {
  Session session = Welcomed();
  session.OnState(StateOf("c1"));
  session.OnDisconnected();
  EXPECT_THAT(session.OnDelta(Upsert("c2")), IsEmpty());
  session.OnConnected(kNow);
  const SessionCommands commands = session.OnMessage(Welcome(), kNow);
  EXPECT_THAT(Words(commands), ElementsAre("report", "snapshot 2"));
  EXPECT_EQ(std::get<SendMessage>(commands[1]).message.snapshot().state().containers_size(), 2);
}

TEST(SessionTest, OtherInstallationOrKeyDropsWhatWasSeen) {
  for (const v1::ControllerMessage& welcome : {Welcome("i2", "k1"), Welcome("i1", "k2")}) {
    Session session = Welcomed();
    session.OnState(StateOf("c1"));
    session.OnDisconnected();
    session.OnConnected(kNow);
    EXPECT_THAT(Words(session.OnMessage(welcome, kNow)),
                ElementsAre("use " + welcome.welcome().installation(), "report"));
    EXPECT_THAT(session.OnDelta(Upsert("c2")), IsEmpty());
    EXPECT_THAT(Words(session.OnState(StateOf("c1"))), ElementsAre("snapshot 2"));
  }
}

TEST(SessionTest, CancelStopsOnlyKnownActions) {
  Session session = Welcomed();
  StartRunning(session, "a");
  v1::ControllerMessage cancel;
  cancel.mutable_cancel()->set_action_id("a");
  EXPECT_THAT(Words(session.OnMessage(cancel, kNow)), ElementsAre("stop a"));
  cancel.mutable_cancel()->set_action_id("b");
  EXPECT_THAT(session.OnMessage(cancel, kNow), IsEmpty());
}

TEST(SessionTest, GoodbyeClosesAndRefusalsAreRemembered) {
  for (const auto reason : {v1::Goodbye::REASON_NAME_TAKEN, v1::Goodbye::REASON_REFUSED}) {
    Session session = Welcomed();
    EXPECT_THAT(Words(session.OnMessage(GoodbyeFor(reason), kNow)), ElementsAre("close"));
    EXPECT_EQ(session.refusal(), "go away");
    session.OnDisconnected();
    session.OnConnected(kNow);
    EXPECT_EQ(session.refusal(), "");
  }
  for (const auto reason : {v1::Goodbye::REASON_REPLACED, v1::Goodbye::REASON_SHUTTING_DOWN}) {
    Session session = Welcomed();
    EXPECT_THAT(Words(session.OnMessage(GoodbyeFor(reason), kNow)), ElementsAre("close"));
    EXPECT_EQ(session.refusal(), "");
  }
}

TEST(SessionTest, PassesProgressAndLogsWhileWelcomed) {
  Session session = Welcomed();
  EXPECT_THAT(Words(session.OnProgress({})), ElementsAre("progress"));
  EXPECT_THAT(Words(session.OnLogs({})), ElementsAre("logs"));
  v1::ControllerMessage message;
  message.mutable_logs()->set_request_id(1);
  EXPECT_THAT(Words(session.OnMessage(message, kNow)), ElementsAre("start logs"));
  message.mutable_cancel_logs()->set_request_id(1);
  EXPECT_THAT(Words(session.OnMessage(message, kNow)), ElementsAre("stop logs"));
  session.OnDisconnected();
  EXPECT_THAT(session.OnProgress({}), IsEmpty());
  EXPECT_THAT(session.OnLogs({}), IsEmpty());
}

TEST(SessionTest, OutputThatNobodyHeardIsCountedInTheNext) {
  Session session = Welcomed();
  v1::ActionLog log;
  log.set_action_id("a1");
  log.add_lines("one");
  log.add_lines("two");
  session.OnDisconnected();
  EXPECT_THAT(session.OnActionLog(log), IsEmpty());
  session.OnConnected(kNow);
  session.OnMessage(Welcome(), kNow);
  for (const uint64_t dropped : {uint64_t{2}, uint64_t{0}}) {
    const SessionCommands commands = session.OnActionLog(log);
    ASSERT_EQ(commands.size(), 1);
    const v1::ActionLog& sent = std::get<SendMessage>(commands[0]).message.action_log();
    EXPECT_EQ(sent.dropped(), dropped);
    EXPECT_EQ(sent.lines_size(), 2);
  }
}

TEST(SessionTest, UnknownMessagesOfANewerControllerAreIgnored) {
  Session session = Welcomed();
  EXPECT_THAT(session.OnMessage({}, kNow), IsEmpty());
}

}  // namespace
}  // namespace fairlead::agent
