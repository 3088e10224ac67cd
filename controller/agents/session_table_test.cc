#include "controller/agents/session_table.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/proto_time.h"

namespace fairlead::agents {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

v1::AgentMessage HelloOf(const std::string& server, const std::string& instance) {
  v1::AgentMessage message;
  message.mutable_hello()->set_server(server);
  message.mutable_hello()->set_instance_id(instance);
  message.mutable_hello()->set_version("1.2.3");
  message.mutable_hello()->set_protocol(1);
  message.mutable_hello()->set_cpus(4);
  return message;
}

v1::AgentMessage SnapshotOf(uint64_t seq, const std::vector<std::string>& containers) {
  v1::AgentMessage message;
  message.mutable_snapshot()->set_seq(seq);
  v1::HostState& state = *message.mutable_snapshot()->mutable_state();
  state.set_engine_up(true);
  state.mutable_engine()->set_version("20.10");
  for (const std::string& id : containers) state.add_containers()->set_id(id);
  return message;
}

v1::AgentMessage DeltaOf(uint64_t seq, const std::string& container) {
  v1::AgentMessage message;
  message.mutable_delta()->set_seq(seq);
  message.mutable_delta()->mutable_change()->add_upsert_containers()->set_id(container);
  return message;
}

v1::AgentMessage HeartbeatAt(absl::Time time) {
  v1::AgentMessage message;
  *message.mutable_heartbeat()->mutable_now() = base::ToProto(time);
  return message;
}

v1::AgentMessage EmptyJournal() {
  v1::AgentMessage message;
  message.mutable_journal();
  return message;
}

v1::AgentMessage OutcomeOf(const std::string& action) {
  v1::AgentMessage message;
  message.mutable_outcome()->set_action_id(action);
  return message;
}

// All commands of one type, in order.
template <typename Command>
std::vector<Command> Only(const TableCommands& commands) {
  std::vector<Command> found;
  for (const TableCommand& command : commands) {
    if (const auto* match = std::get_if<Command>(&command)) found.push_back(*match);
  }
  return found;
}

// What the commands do, a word each, for whole-answer comparisons.
std::vector<std::string> Words(const TableCommands& commands) {
  std::vector<std::string> words;
  for (const TableCommand& command : commands) {
    if (const auto* send = std::get_if<SendTo>(&command)) {
      const v1::ControllerMessage& message = send->message;
      std::string word = std::to_string(send->session) + " ";
      switch (message.message_case()) {
        case v1::ControllerMessage::kGoodbye:
          word += v1::Goodbye::Reason_Name(message.goodbye().reason());
          break;
        case v1::ControllerMessage::kAcknowledge:
          word += "ack " + std::to_string(message.acknowledge().seq());
          break;
        default:
          word += v1::ControllerMessage::descriptor()
                      ->FindFieldByNumber(message.message_case())
                      ->name();
      }
      words.push_back(word);
    } else if (const auto* close = std::get_if<CloseSession>(&command)) {
      words.push_back(std::to_string(close->session) + " close");
    } else if (const auto* abort = std::get_if<AbortSession>(&command)) {
      words.push_back(std::to_string(abort->session) + " abort");
    } else if (const auto* host = std::get_if<TellHost>(&command)) {
      words.push_back(host->host->server + (host->host->online ? " online" : " offline"));
    } else if (const auto* connected = std::get_if<TellConnected>(&command)) {
      words.push_back("connected " + std::to_string(connected->agents));
    } else if (const auto* notice = std::get_if<TellNotice>(&command)) {
      words.push_back(notice->server + " notice");
    } else if (std::holds_alternative<TellLogs>(command)) {
      words.push_back("logs");
    } else if (const auto* lag = std::get_if<TellLag>(&command)) {
      words.push_back("lag " + absl::FormatDuration(lag->lag));
    } else if (const auto* journal = std::get_if<TellJournal>(&command)) {
      words.push_back(journal->server + " journal");
    } else if (const auto* outcome = std::get_if<TellOutcome>(&command)) {
      words.push_back(outcome->server + " outcome " + outcome->outcome.action_id());
    } else if (const auto* progress = std::get_if<TellProgress>(&command)) {
      words.push_back(progress->server + " progress");
    }
  }
  return words;
}

class SessionTableTest : public ::testing::Test {
 protected:
  TableCommands Open(SessionId id, const std::string& server, const std::string& instance) {
    table_.OnOpened(id, {}, now_);
    return table_.OnMessage(id, HelloOf(server, instance), now_);
  }
  // A session whose host is online, with snapshot 1 holding container "a".
  void OpenOnline(SessionId id, const std::string& server, const std::string& instance) {
    Open(id, server, instance);
    Say(id, EmptyJournal());
    Say(id, SnapshotOf(1, {"a"}));
  }
  TableCommands Say(SessionId id, const v1::AgentMessage& message) {
    return table_.OnMessage(id, message, now_);
  }
  const sync::HostLive& Host(const std::string& server) { return *table_.hosts().at(server); }

  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);
  SessionTable table_{SessionTerms{
      .installation = "inst", .hash_key = "key", .hash_key_id = "k1", .controller_version = "9.9"}};
  TableCommands commands_;
};

TEST_F(SessionTableTest, HelloIsAnsweredWithTheTerms) {
  const TableCommands commands = Open(1, "edge-1", "i1");
  ASSERT_THAT(Words(commands), ElementsAre("1 welcome", "connected 1"));
  const v1::Welcome& welcome = std::get<SendTo>(commands[0]).message.welcome();
  EXPECT_EQ(welcome.installation(), "inst");
  EXPECT_EQ(welcome.hash_key(), "key");
  EXPECT_EQ(welcome.hash_key_id(), "k1");
  EXPECT_EQ(welcome.controller_version(), "9.9");
  EXPECT_EQ(base::FromProto(welcome.heartbeat_interval()), absl::Seconds(5));
  EXPECT_EQ(welcome.protocol(), 1u);
}

TEST_F(SessionTableTest, AutonomyIsToldBehindTheWelcomeAndWhenItChanges) {
  v1::AutonomyTerms terms;
  terms.set_heal(true);
  EXPECT_THAT(table_.SetAutonomy({{"edge-1", terms}, {"edge-2", terms}}), IsEmpty());
  ASSERT_THAT(Words(Open(1, "edge-1", "i1")),
              ElementsAre("1 welcome", "1 autonomy", "connected 1"));

  EXPECT_THAT(table_.SetAutonomy({{"edge-1", terms}}), IsEmpty()) << "nothing new";
  terms.add_leave_alone("deployment/web");
  const TableCommands changed = table_.SetAutonomy({{"edge-1", terms}, {"edge-2", terms}});
  ASSERT_THAT(Words(changed), ElementsAre("1 autonomy"));
  EXPECT_EQ(std::get<SendTo>(changed[0]).message.autonomy().leave_alone(0), "deployment/web");
  EXPECT_THAT(table_.SetAutonomy({}), IsEmpty()) << "a server that is not named keeps its terms";
  EXPECT_THAT(Words(Open(2, "edge-2", "i2")),
              ElementsAre("2 welcome", "2 autonomy", "connected 2"));
}

TEST_F(SessionTableTest, BadGreetingsAreRefused) {
  struct Case {
    std::string name;
    v1::AgentMessage message;
    std::string certificate;
    std::string expected;
  };
  v1::AgentMessage no_protocol = HelloOf("edge-1", "i1");
  no_protocol.mutable_hello()->set_protocol(0);
  const std::vector<Case> cases = {
      {"no hello", SnapshotOf(1, {}), "", "first message must be Hello"},
      {"unknown message", v1::AgentMessage(), "", "first message must be Hello"},
      {"empty server", HelloOf("", "i1"), "", "not a valid name"},
      {"control character", HelloOf("a\nb", "i1"), "", "not a valid name"},
      {"surrounding space", HelloOf("a ", "i1"), "", "not a valid name"},
      {"very long server", HelloOf(std::string(254, 'a'), "i1"), "", "not a valid name"},
      {"no instance", HelloOf("edge-1", ""), "", "no instance id"},
      {"old protocol", no_protocol, "", "update the agent"},
      {"other certificate", HelloOf("edge-1", "i1"), "edge-2", "certificate is for \"edge-2\""},
  };
  SessionId id = 0;
  for (const Case& test : cases) {
    SCOPED_TRACE(test.name);
    table_.OnOpened(++id, {.server = test.certificate}, now_);
    const TableCommands commands = Say(id, test.message);
    const std::string self = std::to_string(id);
    std::vector<std::string> words = {self + " REASON_REFUSED", self + " close"};
    // Of another's name it is told.
    if (!test.certificate.empty()) words.insert(words.begin(), test.certificate + " notice");
    ASSERT_EQ(Words(commands), words);
    EXPECT_THAT(std::get<SendTo>(commands[words.size() - 2]).message.goodbye().message(),
                HasSubstr(test.expected));
    EXPECT_THAT(table_.Agents(), IsEmpty());
  }
}

TEST_F(SessionTableTest, MatchingCertificateIsWelcomed) {
  table_.OnOpened(1, {.server = "edge-1"}, now_);
  EXPECT_THAT(Words(Say(1, HelloOf("edge-1", "i1"))), ElementsAre("1 welcome", "connected 1"));
}

TEST_F(SessionTableTest, AnImpostorIsToldOnce) {
  for (const SessionId id : {1u, 2u}) table_.OnOpened(id, {.server = "edge-2"}, now_);
  EXPECT_THAT(Words(Say(1, HelloOf("edge-1", "i1"))),
              ElementsAre("edge-2 notice", "1 REASON_REFUSED", "1 close"));
  EXPECT_THAT(Words(Say(2, HelloOf("edge-1", "i1"))), ElementsAre("2 REASON_REFUSED", "2 close"));
}

TEST_F(SessionTableTest, ASessionEndsWithItsCertificate) {
  table_.OnOpened(1, {.server = "edge-1", .not_after = now_ + absl::Seconds(10)}, now_);
  Say(1, HelloOf("edge-1", "i1"));
  EXPECT_THAT(table_.OnTick(now_ + absl::Seconds(9)), IsEmpty());
  EXPECT_THAT(Words(table_.OnTick(now_ + absl::Seconds(10))),
              ElementsAre("1 REASON_REFUSED", "1 close", "connected 0"));
}

TEST_F(SessionTableTest, SessionsOfACertificateAreEndedByItsServer) {
  table_.OnOpened(1, {.server = "edge-1"}, now_);
  table_.OnOpened(2, {.server = "edge-2"}, now_);
  Say(1, HelloOf("edge-1", "i1"));
  Say(2, HelloOf("edge-2", "i2"));
  EXPECT_THAT(Words(table_.End("edge-1", "revoked", true, now_)),
              ElementsAre("1 REASON_REFUSED", "1 close", "connected 1"));
  EXPECT_THAT(Words(table_.End("edge-2", "a new key", false, now_)),
              ElementsAre("2 REASON_UNSPECIFIED", "2 close", "connected 0"));
  EXPECT_THAT(table_.End("edge-2", "again", true, now_), IsEmpty());
}

TEST_F(SessionTableTest, SecondHelloIsRefused) {
  OpenOnline(1, "edge-1", "i1");
  EXPECT_THAT(Words(Say(1, HelloOf("edge-1", "i1"))),
              ElementsAre("1 REASON_REFUSED", "1 close", "edge-1 offline", "connected 0"));
}

TEST_F(SessionTableTest, ClosingSessionIsNotHeard) {
  OpenOnline(1, "edge-1", "i1");
  Say(1, HelloOf("edge-1", "i1"));
  EXPECT_THAT(Say(1, SnapshotOf(2, {"b"})), IsEmpty());
  EXPECT_FALSE(Host("edge-1").online);
  EXPECT_THAT(table_.OnClosed(1, now_), IsEmpty());
}

TEST_F(SessionTableTest, HostComesOnlineWithTheFirstSnapshotOnly) {
  Open(1, "edge-1", "i1");
  EXPECT_THAT(Words(Say(1, EmptyJournal())), ElementsAre("edge-1 journal"));
  EXPECT_THAT(table_.hosts(), IsEmpty());
  EXPECT_THAT(Words(Say(1, SnapshotOf(7, {"a"}))), ElementsAre("edge-1 online", "1 ack 7"));
  EXPECT_TRUE(Host("edge-1").engine_up);
  EXPECT_EQ(Host("edge-1").cpus, 4u);
  EXPECT_EQ(Host("edge-1").last_seen, now_);
  EXPECT_THAT(Host("edge-1").containers, SizeIs(1));
}

TEST_F(SessionTableTest, ClosedHostIsOfflineWithItsLastContainersAndANewGeneration) {
  OpenOnline(1, "edge-1", "i1");
  const uint64_t before = Host("edge-1").generation;
  const absl::Time heard = now_;
  now_ += absl::Seconds(2);
  EXPECT_THAT(Words(table_.OnClosed(1, now_)), ElementsAre("edge-1 offline", "connected 0"));
  EXPECT_GT(Host("edge-1").generation, before);
  EXPECT_THAT(Host("edge-1").containers, SizeIs(1));
  EXPECT_EQ(Host("edge-1").last_seen, heard);
  EXPECT_THAT(table_.Agents(), IsEmpty());
}

TEST_F(SessionTableTest, HostThatNeverSentASnapshotIsNotToldWhenItCloses) {
  Open(1, "edge-1", "i1");
  EXPECT_THAT(Words(table_.OnClosed(1, now_)), ElementsAre("connected 0"));
}

TEST_F(SessionTableTest, SameInstanceReplacesTheOlderSession) {
  OpenOnline(1, "edge-1", "i1");
  EXPECT_THAT(Words(Open(2, "edge-1", "i1")),
              ElementsAre("1 REASON_REPLACED", "1 close", "edge-1 offline", "connected 0",
                          "2 welcome", "connected 1"));
  // The end of the old stream does not touch the new session.
  EXPECT_THAT(table_.OnClosed(1, now_), IsEmpty());
  EXPECT_THAT(Words(Say(2, SnapshotOf(1, {"a"}))), ElementsAre("edge-1 online", "2 ack 1"));
}

TEST_F(SessionTableTest, OtherInstanceIsTurnedAwayWhileTheNameIsHeld) {
  OpenOnline(1, "edge-1", "i1");
  EXPECT_THAT(Words(Open(2, "edge-1", "i2")),
              ElementsAre("edge-1 notice", "2 REASON_NAME_TAKEN", "2 close"));
  EXPECT_TRUE(Host("edge-1").online);
  // The same rival trying again is no news.
  EXPECT_THAT(Words(Open(3, "edge-1", "i2")), ElementsAre("3 REASON_NAME_TAKEN", "3 close"));
  table_.OnClosed(1, now_);
  EXPECT_THAT(Words(Open(4, "edge-1", "i2")), ElementsAre("4 welcome", "connected 1"));
}

TEST_F(SessionTableTest, GapAsksForOneSnapshotAndIgnoresDeltasUntilItComes) {
  OpenOnline(1, "edge-1", "i1");
  EXPECT_THAT(Words(Say(1, DeltaOf(2, "b"))), ElementsAre("edge-1 online"));
  EXPECT_THAT(Words(Say(1, DeltaOf(4, "d"))), ElementsAre("1 request_snapshot"));
  EXPECT_THAT(Say(1, DeltaOf(3, "c")), IsEmpty());
  EXPECT_THAT(Say(1, DeltaOf(5, "e")), IsEmpty());
  EXPECT_THAT(Host("edge-1").containers, SizeIs(2));
  EXPECT_THAT(Words(Say(1, SnapshotOf(6, {"a", "b", "c"}))),
              ElementsAre("edge-1 online", "1 ack 6"));
  EXPECT_THAT(Words(Say(1, DeltaOf(7, "d"))), ElementsAre("edge-1 online"));
  EXPECT_THAT(Host("edge-1").containers, SizeIs(4));
  // A later gap is asked about again.
  EXPECT_THAT(Words(Say(1, DeltaOf(9, "f"))), ElementsAre("1 request_snapshot"));
}

TEST_F(SessionTableTest, RepeatedDeltaIsAGap) {
  OpenOnline(1, "edge-1", "i1");
  Say(1, DeltaOf(2, "b"));
  EXPECT_THAT(Words(Say(1, DeltaOf(2, "b"))), ElementsAre("1 request_snapshot"));
}

TEST_F(SessionTableTest, DeltaBeforeAnySnapshotAsksForOne) {
  Open(1, "edge-1", "i1");
  EXPECT_THAT(Words(Say(1, DeltaOf(1, "b"))), ElementsAre("1 request_snapshot"));
  EXPECT_THAT(table_.hosts(), IsEmpty());
}

TEST_F(SessionTableTest, DeltasAreAcknowledgedEvery64AndWithHeartbeats) {
  OpenOnline(1, "edge-1", "i1");
  std::vector<uint64_t> acknowledged;
  const auto note = [&](const TableCommands& commands) {
    for (const SendTo& send : Only<SendTo>(commands)) {
      acknowledged.push_back(send.message.acknowledge().seq());
    }
  };
  for (uint64_t seq = 2; seq <= 131; ++seq) note(Say(1, DeltaOf(seq, "a")));
  EXPECT_THAT(acknowledged, ElementsAre(65, 129));
  note(Say(1, HeartbeatAt(now_)));
  EXPECT_THAT(acknowledged, ElementsAre(65, 129, 131));
  note(Say(1, HeartbeatAt(now_)));
  EXPECT_THAT(acknowledged, SizeIs(3));
}

TEST_F(SessionTableTest, UnknownMessageIsIgnored) {
  OpenOnline(1, "edge-1", "i1");
  EXPECT_THAT(Say(1, v1::AgentMessage()), IsEmpty());
  EXPECT_THAT(table_.OnMessage(99, SnapshotOf(1, {}), now_), IsEmpty());
}

TEST_F(SessionTableTest, SilentSessionIsCutAfterThreeHeartbeatIntervals) {
  OpenOnline(1, "edge-1", "i1");
  EXPECT_THAT(table_.OnTick(now_ + absl::Milliseconds(14'999)), IsEmpty());
  EXPECT_THAT(Words(table_.OnTick(now_ + absl::Seconds(15))),
              ElementsAre("1 abort", "edge-1 offline", "connected 0"));
}

TEST_F(SessionTableTest, AnyMessageKeepsASessionAlive) {
  OpenOnline(1, "edge-1", "i1");
  now_ += absl::Seconds(14);
  Say(1, HeartbeatAt(now_));
  EXPECT_THAT(table_.OnTick(now_ + absl::Seconds(14)), IsEmpty());
}

TEST_F(SessionTableTest, StreamWithoutHelloIsCut) {
  table_.OnOpened(1, {}, now_);
  EXPECT_THAT(Words(table_.OnTick(now_ + absl::Seconds(15))), ElementsAre("1 abort"));
}

TEST_F(SessionTableTest, StreamThatDoesNotEndAfterGoodbyeIsCut) {
  OpenOnline(1, "edge-1", "i1");
  Open(2, "edge-1", "i2");
  now_ += absl::Seconds(14);
  Say(1, HeartbeatAt(now_));
  // What a parting peer still says does not prolong its end.
  Say(2, HeartbeatAt(now_));
  EXPECT_THAT(Words(table_.OnTick(now_ + absl::Seconds(1))), ElementsAre("2 abort"));
  EXPECT_TRUE(Host("edge-1").online);
}

TEST_F(SessionTableTest, ClockSetBackDoesNotKeepASilentSessionForever) {
  OpenOnline(1, "edge-1", "i1");
  now_ -= absl::Hours(1);
  EXPECT_THAT(table_.OnTick(now_), IsEmpty());
  EXPECT_THAT(Words(table_.OnTick(now_ + absl::Seconds(15))),
              ElementsAre("1 abort", "edge-1 offline", "connected 0"));
}

TEST_F(SessionTableTest, CommandsReachTheServersSession) {
  OpenOnline(1, "edge-1", "i1");
  OpenOnline(2, "edge-2", "i2");
  v1::Action action;
  action.set_id("a1");
  EXPECT_TRUE(table_.Dispatch("edge-2", 2, action, &commands_));
  EXPECT_TRUE(table_.Cancel("edge-2", "a1", "superseded", &commands_));
  EXPECT_TRUE(table_.AcknowledgeOutcome("edge-1", "a0", &commands_));
  ASSERT_THAT(Words(commands_), ElementsAre("2 dispatch", "2 cancel", "1 acknowledge_outcome"));
  const auto sends = Only<SendTo>(commands_);
  EXPECT_EQ(sends[0].message.dispatch().action().id(), "a1");
  EXPECT_EQ(sends[1].message.cancel().action_id(), "a1");
  EXPECT_EQ(sends[1].message.cancel().why(), "superseded");
  EXPECT_EQ(sends[2].message.acknowledge_outcome().action_id(), "a0");
}

TEST_F(SessionTableTest, NothingIsSentWithoutASessionThatHasItsJournal) {
  v1::Action action;
  EXPECT_FALSE(table_.Dispatch("edge-1", 1, action, &commands_));
  Open(1, "edge-1", "i1");
  EXPECT_FALSE(table_.Dispatch("edge-1", 1, action, &commands_));
  EXPECT_FALSE(table_.Cancel("edge-1", "a1", "", &commands_));
  EXPECT_FALSE(table_.AcknowledgeOutcome("edge-1", "a1", &commands_));
  EXPECT_EQ(table_.StartLogs("edge-1", v1::LogRequest(), &commands_), 0u);
  Say(1, EmptyJournal());
  EXPECT_THAT(commands_, IsEmpty());
  EXPECT_TRUE(table_.Dispatch("edge-1", 1, action, &commands_));
  table_.OnClosed(1, now_);
  EXPECT_FALSE(table_.Dispatch("edge-1", 1, action, &commands_));
}

// The loop decides by the journal of one session; the journal of the next, which it has not seen
// yet, would not hold the action.
TEST_F(SessionTableTest, WhatWasDecidedForAnEarlierSessionIsNotSent) {
  OpenOnline(1, "edge-1", "i1");
  OpenOnline(2, "edge-1", "i1");
  EXPECT_FALSE(table_.Dispatch("edge-1", 1, v1::Action(), &commands_));
  EXPECT_FALSE(table_.Dispatch("edge-1", 0, v1::Action(), &commands_));
  EXPECT_THAT(commands_, IsEmpty());
  EXPECT_TRUE(table_.Dispatch("edge-1", 2, v1::Action(), &commands_));
  EXPECT_THAT(Words(commands_), ElementsAre("2 dispatch"));
}

TEST_F(SessionTableTest, OnlyTheFirstJournalOfASessionIsTold) {
  Open(1, "edge-1", "i1");
  const auto told = Only<TellJournal>(Say(1, EmptyJournal()));
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told.front().session, 1u);
  EXPECT_THAT(Say(1, EmptyJournal()), IsEmpty());
}

TEST_F(SessionTableTest, OutcomesProgressAndNoticesAreTold) {
  OpenOnline(1, "edge-1", "i1");
  EXPECT_THAT(Words(Say(1, OutcomeOf("a1"))), ElementsAre("edge-1 outcome a1"));
  v1::AgentMessage progress;
  progress.mutable_progress()->set_action_id("a2");
  EXPECT_THAT(Words(Say(1, progress)), ElementsAre("edge-1 progress"));
  v1::AgentMessage notice;
  notice.mutable_notice()->set_message("healed");
  EXPECT_THAT(Words(Say(1, notice)), ElementsAre("edge-1 notice"));
}

TEST_F(SessionTableTest, OutcomeBeforeTheJournalIsRefused) {
  Open(1, "edge-1", "i1");
  EXPECT_THAT(Words(Say(1, OutcomeOf("a1"))),
              ElementsAre("1 REASON_REFUSED", "1 close", "connected 0"));
}

TEST_F(SessionTableTest, LogLinesGoToTheirRequestUntilTheEnd) {
  OpenOnline(1, "edge-1", "i1");
  v1::LogRequest request;
  request.set_resource("deployment/web");
  request.set_request_id(77);
  const uint64_t id = table_.StartLogs("edge-1", request, &commands_);
  ASSERT_NE(id, 0u);
  ASSERT_THAT(Words(commands_), ElementsAre("1 logs"));
  const v1::LogRequest& sent = std::get<SendTo>(commands_[0]).message.logs();
  EXPECT_EQ(sent.request_id(), id);
  EXPECT_EQ(sent.resource(), "deployment/web");
  v1::AgentMessage lines;
  lines.mutable_logs()->set_request_id(id);
  lines.mutable_logs()->add_lines()->set_text("x");
  EXPECT_THAT(Words(Say(1, lines)), ElementsAre("logs"));
  lines.mutable_logs()->set_end(true);
  EXPECT_THAT(Words(Say(1, lines)), ElementsAre("logs"));
  EXPECT_THAT(Say(1, lines), IsEmpty());
  EXPECT_THAT(table_.CancelLogs(id), IsEmpty());
}

TEST_F(SessionTableTest, CancelledLogsAreNotHeardAgain) {
  OpenOnline(1, "edge-1", "i1");
  const uint64_t id = table_.StartLogs("edge-1", v1::LogRequest(), &commands_);
  EXPECT_THAT(Words(table_.CancelLogs(id)), ElementsAre("1 cancel_logs"));
  v1::AgentMessage lines;
  lines.mutable_logs()->set_request_id(id);
  EXPECT_THAT(Say(1, lines), IsEmpty());
}

TEST_F(SessionTableTest, LogsEndWithAnErrorWhenTheSessionEnds) {
  OpenOnline(1, "edge-1", "i1");
  const uint64_t id = table_.StartLogs("edge-1", v1::LogRequest(), &commands_);
  const auto logs = Only<TellLogs>(table_.OnClosed(1, now_));
  ASSERT_THAT(logs, SizeIs(1));
  EXPECT_EQ(logs[0].lines.request_id(), id);
  EXPECT_TRUE(logs[0].lines.end());
  EXPECT_THAT(logs[0].lines.error(), HasSubstr("ended"));
}

TEST_F(SessionTableTest, LinesOfAnotherAgentsRequestAreIgnored) {
  OpenOnline(1, "edge-1", "i1");
  OpenOnline(2, "edge-2", "i2");
  v1::AgentMessage lines;
  lines.mutable_logs()->set_request_id(table_.StartLogs("edge-1", v1::LogRequest(), &commands_));
  EXPECT_THAT(Say(2, lines), IsEmpty());
}

TEST_F(SessionTableTest, ClockOffsetIsTheLeastDelayedSample) {
  table_.OnOpened(1, {}, now_);
  v1::AgentMessage hello = HelloOf("edge-1", "i1");
  // The host is 100 s ahead and the Hello took 300 ms.
  *hello.mutable_hello()->mutable_now() = base::ToProto(now_ + absl::Milliseconds(99'700));
  Say(1, hello);
  Say(1, SnapshotOf(1, {"a"}));
  EXPECT_EQ(Host("edge-1").clock_offset, absl::Milliseconds(99'700));
  Say(1, HeartbeatAt(now_ + absl::Seconds(100)));
  EXPECT_EQ(table_.Agents()[0].lag, absl::ZeroDuration());
  Say(1, HeartbeatAt(now_ + absl::Milliseconds(99'960)));
  EXPECT_EQ(table_.Agents()[0].lag, absl::Milliseconds(40));
  Say(1, SnapshotOf(2, {"a"}));
  EXPECT_EQ(Host("edge-1").clock_offset, absl::Seconds(100));
}

TEST_F(SessionTableTest, LargeChangeOfTheClockOffsetIsToldWithAHeartbeat) {
  table_.OnOpened(1, {}, now_);
  v1::AgentMessage hello = HelloOf("edge-1", "i1");
  *hello.mutable_hello()->mutable_now() = base::ToProto(now_);
  Say(1, hello);
  Say(1, SnapshotOf(1, {"a"}));
  const uint64_t before = Host("edge-1").generation;
  EXPECT_THAT(Say(1, HeartbeatAt(now_ + absl::Milliseconds(400))), IsEmpty());
  EXPECT_THAT(Words(Say(1, HeartbeatAt(now_ + absl::Seconds(60)))), ElementsAre("edge-1 online"));
  EXPECT_EQ(Host("edge-1").clock_offset, absl::Seconds(60));
  EXPECT_GT(Host("edge-1").generation, before);
}

TEST_F(SessionTableTest, AJumpOfTheOwnClockMakesNoHostOldOrSilent) {
  table_.OnOpened(1, {}, now_);
  v1::AgentMessage hello = HelloOf("edge-1", "i1");
  *hello.mutable_hello()->mutable_now() = base::ToProto(now_ + absl::Seconds(3));
  Say(1, hello);
  Say(1, EmptyJournal());
  Say(1, SnapshotOf(1, {"a"}));
  for (const absl::Duration jump : {absl::Hours(2), -absl::Hours(5)}) {
    const absl::Time by_host = now_ + Host("edge-1").clock_offset;
    now_ += jump;
    EXPECT_THAT(Words(table_.OnClockJump(jump)), ElementsAre("edge-1 online"));
    EXPECT_EQ(now_ + Host("edge-1").clock_offset, by_host);
    EXPECT_THAT(table_.OnTick(now_ + absl::Seconds(1)), IsEmpty());
    // Neither does a later sample bring the wrong one back.
    Say(1, HeartbeatAt(by_host));
    EXPECT_EQ(now_ + Host("edge-1").clock_offset, by_host);
  }
}

TEST_F(SessionTableTest, LagIsTheAgeOfTheNewestChangeByTheHostsClock) {
  table_.OnOpened(1, {}, now_);
  v1::AgentMessage hello = HelloOf("edge-1", "i1");
  *hello.mutable_hello()->mutable_now() = base::ToProto(now_ + absl::Seconds(10));
  Say(1, hello);
  Say(1, SnapshotOf(1, {"a"}));
  v1::AgentMessage delta = DeltaOf(2, "a");
  v1::Container& container = *delta.mutable_delta()->mutable_change()->mutable_upsert_containers(0);
  *container.mutable_started_at() = base::ToProto(now_ + absl::Milliseconds(9'950));
  EXPECT_THAT(Words(Say(1, delta)), ElementsAre("edge-1 online", "lag 50ms"));
  EXPECT_EQ(table_.Agents()[0].lag, absl::Milliseconds(50));
  // The same start again, in another change, tells nothing of the time.
  delta.mutable_delta()->set_seq(3);
  container.set_name("renamed");
  EXPECT_THAT(Words(Say(1, delta)), ElementsAre("edge-1 online"));
}

TEST_F(SessionTableTest, SummaryTellsTheAgent) {
  OpenOnline(1, "edge-1", "i1");
  const absl::Time since = now_;
  now_ += absl::Seconds(3);
  Say(1, HeartbeatAt(now_));
  const std::vector<AgentSummary> agents = table_.Agents();
  ASSERT_THAT(agents, SizeIs(1));
  EXPECT_EQ(agents[0].server, "edge-1");
  EXPECT_EQ(agents[0].instance_id, "i1");
  EXPECT_EQ(agents[0].version, "1.2.3");
  EXPECT_EQ(agents[0].connected_since, since);
  EXPECT_EQ(agents[0].last_seen, now_);
  EXPECT_EQ(agents[0].engine.version(), "20.10");
}

TEST_F(SessionTableTest, ShutdownSaysGoodbyeToAll) {
  OpenOnline(1, "edge-1", "i1");
  table_.OnOpened(2, {}, now_);
  EXPECT_THAT(Words(table_.Shutdown(now_)),
              ElementsAre("1 REASON_SHUTTING_DOWN", "1 close", "edge-1 offline", "connected 0",
                          "2 REASON_SHUTTING_DOWN", "2 close"));
  EXPECT_THAT(table_.Shutdown(now_), IsEmpty());
}

}  // namespace
}  // namespace fairlead::agents
