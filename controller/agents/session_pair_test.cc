// Both ends of the protocol against each other over a link that is cut at every possible moment.
#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/journal.h"
#include "agent/session.h"
#include "controller/agents/session_table.h"

namespace fairlead::agents {
namespace {

constexpr int kMaximumRounds = 400;
constexpr char kServer[] = "edge-1";

enum class Fault {
  kLinkCut,       // both ends notice at once
  kLinkHalfOpen,  // the agent is back before the controller notices
  kAgentKilled,   // the agent's process ends too; only its disk is left
};

// A controller, a link, an agent and its disk, in one thread. Each Step delivers one message, or
// lets one action finish when none is on its way. Before the deliveries numbered in `faults` the
// link breaks and all that is on it is lost.
class World {
 public:
  World(std::vector<v1::Action> wanted, Fault fault, std::set<int> faults)
      : wanted_(std::move(wanted)), fault_(fault), faults_(std::move(faults)) {
    BootAgent();
    Connect();
  }

  // Runs until all is settled; false when it does not settle.
  bool Run() {
    for (int round = 0; round < kMaximumRounds; ++round) {
      if (!Step()) return true;
    }
    return false;
  }

  int deliveries() const { return deliveries_; }
  const std::map<std::string, int>& started() const { return started_; }
  const std::map<std::string, v1::ActionOutcome>& outcomes() const { return outcomes_; }
  std::size_t remembered() const { return disk_.entries.size(); }
  const sync::HostLive* host() const {
    const auto found = table_.hosts().find(kServer);
    return found == table_.hosts().end() ? nullptr : found->second.get();
  }
  std::size_t containers_on_host() const { return made_.size(); }

 private:
  bool Step() {
    if (!to_controller_.empty() || !to_agent_.empty()) {
      if (faults_.erase(deliveries_) > 0) {
        Break();
        return true;
      }
      ++deliveries_;
      DeliverOne();
      return true;
    }
    if (running_.empty()) return false;
    FinishOne();
    return true;
  }

  void DeliverOne() {
    if (!to_controller_.empty()) {
      const v1::AgentMessage message = std::move(to_controller_.front());
      to_controller_.pop_front();
      CarryOut(table_.OnMessage(session_, message, now_));
      return;
    }
    const v1::ControllerMessage message = std::move(to_agent_.front());
    to_agent_.pop_front();
    CarryOut(agent_->OnMessage(message, now_));
  }

  void FinishOne() {
    const v1::Action action = std::move(running_.front());
    running_.pop_front();
    v1::ActionProgress progress;
    progress.set_action_id(action.id());
    CarryOut(agent_->OnProgress(progress));
    v1::HostDelta delta;
    delta.add_upsert_containers()->set_id("container of " + action.id());
    // A repeated *ensure* action finds its container there.
    if (made_.insert(action.id()).second) {
      state_.add_containers()->set_id("container of " + action.id());
    }
    CarryOut(agent_->OnDelta(delta));
    v1::ActionOutcome outcome;
    outcome.set_action_id(action.id());
    outcome.set_status(v1::ACTION_STATUS_SUCCEEDED);
    CarryOut(agent_->OnFinished(outcome));
  }

  void Break() {
    to_controller_.clear();
    to_agent_.clear();
    now_ += absl::Seconds(1);
    CarryOut(agent_->OnDisconnected());
    if (fault_ == Fault::kAgentKilled) {
      running_.clear();
      BootAgent();
    }
    const SessionId old = session_;
    if (fault_ != Fault::kLinkHalfOpen) CarryOut(table_.OnClosed(old, now_));
    Connect();
    if (fault_ == Fault::kLinkHalfOpen) half_open_.push_back(old);
  }

  void BootAgent() {
    agent_ = std::make_unique<agent::Session>(
        agent::SessionIdentity{.server = kServer, .instance_id = "i1", .version = "1", .cpus = 2},
        disk_);
    CarryOut(agent_->OnState(state_));
  }

  void Connect() {
    table_.OnOpened(++session_, {}, now_);
    CarryOut(agent_->OnConnected(now_));
  }

  void CarryOut(const agent::SessionCommands& commands) {
    bool look_again = false;
    for (const agent::SessionCommand& command : commands) {
      if (const auto* send = std::get_if<agent::SendMessage>(&command)) {
        to_controller_.push_back(send->message);
      } else if (const auto* write = std::get_if<agent::WriteRecord>(&command)) {
        disk_.Apply(write->record);
        CarryOut(agent_->OnRecorded(write->record, absl::OkStatus()));
      } else if (const auto* start = std::get_if<agent::StartAction>(&command)) {
        ++started_[start->action.id()];
        running_.push_back(start->action);
      } else if (std::holds_alternative<agent::UseInstallation>(command)) {
        look_again = true;
      } else if (const auto* close = std::get_if<agent::CloseStream>(&command)) {
        ADD_FAILURE() << "the agent was turned away: " << close->why;
      }
    }
    if (look_again) CarryOut(agent_->OnState(state_));
  }

  void CarryOut(const TableCommands& commands) {
    for (const TableCommand& command : commands) {
      if (const auto* send = std::get_if<SendTo>(&command)) {
        // What goes to a half-open stream is never read.
        if (send->session == session_) to_agent_.push_back(send->message);
      } else if (const auto* journal = std::get_if<TellJournal>(&command)) {
        OnJournal(journal->session, journal->report);
      } else if (const auto* outcome = std::get_if<TellOutcome>(&command)) {
        OnOutcome(outcome->outcome);
      }
    }
    EndHalfOpen();
  }

  // The controller's transport notices a dead stream only after the new session is welcomed.
  void EndHalfOpen() {
    while (!half_open_.empty()) {
      const SessionId old = half_open_.back();
      half_open_.pop_back();
      CarryOut(table_.OnClosed(old, now_));
    }
  }

  // The least a loop must do: dispatch what the agent does not know of.
  void OnJournal(SessionId session, const v1::JournalReport& report) {
    std::set<std::string> known(report.running_action_ids().begin(),
                                report.running_action_ids().end());
    for (const v1::ActionOutcome& outcome : report.unacknowledged()) OnOutcome(outcome);
    for (const v1::Action& action : wanted_) {
      if (known.contains(action.id()) || outcomes_.contains(action.id())) continue;
      TableCommands commands;
      EXPECT_TRUE(table_.Dispatch(kServer, session, action, &commands));
      CarryOut(commands);
    }
  }

  void OnOutcome(const v1::ActionOutcome& outcome) {
    outcomes_[outcome.action_id()] = outcome;
    TableCommands commands;
    EXPECT_TRUE(table_.AcknowledgeOutcome(kServer, outcome.action_id(), &commands));
    CarryOut(commands);
  }

  const std::vector<v1::Action> wanted_;
  const Fault fault_;
  std::set<int> faults_;
  absl::Time now_ = absl::FromUnixSeconds(1'700'000'000);

  SessionTable table_{SessionTerms{.installation = "inst", .hash_key = "k", .hash_key_id = "k1"}};
  SessionId session_ = 0;
  std::vector<SessionId> half_open_;
  std::map<std::string, v1::ActionOutcome> outcomes_;

  std::deque<v1::AgentMessage> to_controller_;
  std::deque<v1::ControllerMessage> to_agent_;
  int deliveries_ = 0;

  agent::JournalState disk_;
  std::unique_ptr<agent::Session> agent_;
  v1::HostState state_;
  std::set<std::string> made_;
  std::deque<v1::Action> running_;
  std::map<std::string, int> started_;
};

std::vector<v1::Action> Actions(v1::ActionGuarantee guarantee) {
  std::vector<v1::Action> actions(3);
  for (std::size_t i = 0; i < actions.size(); ++i) {
    actions[i].set_id("action-" + std::to_string(i));
    actions[i].set_guarantee(guarantee);
  }
  return actions;
}

int DeliveriesWithoutFault() {
  World world(Actions(v1::ACTION_GUARANTEE_ENSURE), Fault::kLinkCut, {});
  EXPECT_TRUE(world.Run());
  return world.deliveries();
}

void ExpectSettled(const World& world) {
  EXPECT_EQ(world.outcomes().size(), 3u);
  EXPECT_EQ(world.remembered(), 0u) << "outcomes the agent still keeps";
  ASSERT_NE(world.host(), nullptr);
  EXPECT_TRUE(world.host()->online);
  EXPECT_EQ(world.host()->containers.size(), world.containers_on_host());
}

void ExpectEachStartedOnce(const World& world) {
  for (const v1::Action& action : Actions(v1::ACTION_GUARANTEE_ENSURE)) {
    ASSERT_TRUE(world.started().contains(action.id())) << action.id();
    EXPECT_EQ(world.started().at(action.id()), 1) << action.id();
  }
}

TEST(SessionPairTest, UndisturbedLinkRunsEverythingOnce) {
  World world(Actions(v1::ACTION_GUARANTEE_ENSURE), Fault::kLinkCut, {});
  ASSERT_TRUE(world.Run());
  ExpectSettled(world);
  ExpectEachStartedOnce(world);
  // Hello, Welcome, journal, snapshots, three dispatches, and what each action brings.
  EXPECT_GE(world.deliveries(), 18);
}

TEST(SessionPairTest, LinkCutAtEveryMessageStartsEachActionOnce) {
  const int deliveries = DeliveriesWithoutFault();
  for (const Fault fault : {Fault::kLinkCut, Fault::kLinkHalfOpen}) {
    for (int at = 0; at < deliveries; ++at) {
      SCOPED_TRACE(testing::Message() << "fault " << static_cast<int>(fault) << " at " << at);
      World world(Actions(v1::ACTION_GUARANTEE_ENSURE), fault, {at});
      ASSERT_TRUE(world.Run());
      ExpectSettled(world);
      ExpectEachStartedOnce(world);
    }
  }
}

TEST(SessionPairTest, LinkCutTwiceAtEveryPairOfMessagesStartsEachActionOnce) {
  const int deliveries = DeliveriesWithoutFault();
  for (const Fault fault : {Fault::kLinkCut, Fault::kLinkHalfOpen}) {
    for (int first = 0; first < deliveries; ++first) {
      for (int second = first + 1; second < deliveries + 10; ++second) {
        SCOPED_TRACE(testing::Message() << "fault " << static_cast<int>(fault) << " at " << first
                                        << " and " << second);
        World world(Actions(v1::ACTION_GUARANTEE_ENSURE), fault, {first, second});
        ASSERT_TRUE(world.Run());
        ExpectSettled(world);
        ExpectEachStartedOnce(world);
      }
    }
  }
}

TEST(SessionPairTest, KilledAgentRepeatsNoOnceActionAndEveryOutcomeArrives) {
  const int deliveries = DeliveriesWithoutFault();
  int interrupted = 0;
  for (int at = 0; at < deliveries; ++at) {
    SCOPED_TRACE(testing::Message() << "killed at " << at);
    World world(Actions(v1::ACTION_GUARANTEE_ONCE), Fault::kAgentKilled, {at});
    ASSERT_TRUE(world.Run());
    ExpectSettled(world);
    ExpectEachStartedOnce(world);
    for (const auto& [id, outcome] : world.outcomes()) {
      if (outcome.status() == v1::ACTION_STATUS_INTERRUPTED) ++interrupted;
    }
  }
  EXPECT_GT(interrupted, 0);
}

TEST(SessionPairTest, KilledAgentFinishesEveryEnsureAction) {
  const int deliveries = DeliveriesWithoutFault();
  for (int at = 0; at < deliveries; ++at) {
    SCOPED_TRACE(testing::Message() << "killed at " << at);
    World world(Actions(v1::ACTION_GUARANTEE_ENSURE), Fault::kAgentKilled, {at});
    ASSERT_TRUE(world.Run());
    ExpectSettled(world);
    for (const auto& [id, outcome] : world.outcomes()) {
      EXPECT_EQ(outcome.status(), v1::ACTION_STATUS_SUCCEEDED) << id;
    }
  }
}

}  // namespace
}  // namespace fairlead::agents
