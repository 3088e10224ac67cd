#include "agent/session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/proto_time.h"

namespace fairlead::agent {
namespace {

constexpr uint32_t kProtocol = 1;
constexpr absl::Duration kShortestHeartbeat = absl::Milliseconds(100);

v1::ActionOutcome FailedOutcome(const v1::Action& action, v1::ActionStatus status,
                                const absl::Status& why) {
  v1::ActionOutcome outcome;
  outcome.set_action_id(action.id());
  outcome.set_resource(action.resource());
  outcome.set_status(status);
  outcome.set_code(static_cast<int32_t>(why.code()));
  outcome.set_message(std::string(why.message()));
  return outcome;
}

v1::JournalRecord OutcomeRecord(const v1::ActionOutcome& outcome) {
  v1::JournalRecord record;
  *record.mutable_outcome() = outcome;
  return record;
}

// `state` with the delta applied.
void Merge(const v1::HostDelta& delta, v1::HostState& state) {
  std::map<std::string, v1::Container> containers;
  for (auto& container : *state.mutable_containers()) {
    containers[container.id()] = std::move(container);
  }
  for (const std::string& id : delta.remove_container_ids()) containers.erase(id);
  for (const auto& container : delta.upsert_containers()) containers[container.id()] = container;
  state.clear_containers();
  for (auto& [id, container] : containers) *state.add_containers() = std::move(container);

  std::map<std::string, v1::Project> projects;
  for (auto& project : *state.mutable_projects()) projects[project.resource()] = std::move(project);
  for (const std::string& resource : delta.remove_projects()) projects.erase(resource);
  for (const auto& project : delta.upsert_projects()) projects[project.resource()] = project;
  state.clear_projects();
  for (auto& [resource, project] : projects) *state.add_projects() = std::move(project);

  if (delta.has_engine()) {
    state.set_engine_up(delta.engine().up());
    state.set_engine_error(delta.engine().error());
    if (delta.engine().has_version()) *state.mutable_engine() = delta.engine().version();
  }
}

}  // namespace

Session::Session(SessionIdentity identity, const JournalState& journal)
    : identity_(std::move(identity)) {
  for (const auto& [id, record] : journal.entries) {
    Entry& entry = entries_[id];
    entry.action = record.action;
    if (record.finished) {
      entry.outcome = record.outcome;
      entry.phase = Phase::kFinished;
    } else if (record.action.guarantee() == v1::ACTION_GUARANTEE_ONCE) {
      entry.outcome = FailedOutcome(
          record.action, v1::ACTION_STATUS_INTERRUPTED,
          absl::AbortedError("the agent was restarted while it ran; its effect is unknown"));
      entry.phase = Phase::kOutcomeNotWritten;
    } else {
      entry.phase = Phase::kWaiting;
    }
  }
}

SessionCommands Session::OnConnected(absl::Time now) {
  connected_ = true;
  welcomed_ = false;
  snapshot_sent_ = false;
  refusal_.clear();
  v1::AgentMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_server(identity_.server);
  hello.set_instance_id(identity_.instance_id);
  hello.set_version(identity_.version);
  hello.set_protocol(kProtocol);
  hello.set_cpus(identity_.cpus);
  *hello.mutable_now() = base::ToProto(now);
  return {SendMessage{std::move(message)}};
}

SessionCommands Session::OnDisconnected() {
  connected_ = false;
  welcomed_ = false;
  snapshot_sent_ = false;
  next_tick_ = absl::InfiniteFuture();
  return {};
}

SessionCommands Session::OnMessage(const v1::ControllerMessage& message, absl::Time now) {
  switch (message.message_case()) {
    case v1::ControllerMessage::kWelcome:
      return OnWelcome(message.welcome(), now);
    case v1::ControllerMessage::kGoodbye:
      if (message.goodbye().reason() == v1::Goodbye::REASON_NAME_TAKEN ||
          message.goodbye().reason() == v1::Goodbye::REASON_REFUSED) {
        refusal_ = message.goodbye().message();
      }
      return {CloseStream{message.goodbye().message()}};
    case v1::ControllerMessage::kDispatch:
      // Before the Welcome it is not known whose containers are ours.
      if (!welcomed_) return {};
      return OnDispatch(message.dispatch().action());
    case v1::ControllerMessage::kCancel:
      if (!entries_.contains(message.cancel().action_id())) return {};
      return {StopAction{message.cancel().action_id()}};
    case v1::ControllerMessage::kAcknowledgeOutcome:
      return OnOutcomeAcknowledged(message.acknowledge_outcome().action_id());
    case v1::ControllerMessage::kRequestSnapshot: {
      SessionCommands commands;
      SendSnapshot(commands);
      return commands;
    }
    case v1::ControllerMessage::kLogs:
      return {StartLogs{message.logs()}};
    case v1::ControllerMessage::kCancelLogs:
      return {StopLogs{message.cancel_logs().request_id()}};
    case v1::ControllerMessage::kAutonomy:
      return {UseTerms{message.autonomy()}};
    case v1::ControllerMessage::kAcknowledge:
    case v1::ControllerMessage::kRedactions:
    case v1::ControllerMessage::MESSAGE_NOT_SET:
      // Unknown messages of a newer controller arrive as MESSAGE_NOT_SET.
      return {};
  }
  return {};
}

SessionCommands Session::OnWelcome(const v1::Welcome& welcome, absl::Time now) {
  SessionCommands commands;
  welcomed_ = true;
  if (welcome.has_heartbeat_interval()) {
    heartbeat_interval_ =
        std::max(kShortestHeartbeat, base::FromProto(welcome.heartbeat_interval()));
  }
  next_tick_ = now + heartbeat_interval_;
  const bool other_installation =
      welcome.installation() != installation_ || welcome.hash_key_id() != key_id_;
  if (other_installation) {
    installation_ = welcome.installation();
    key_id_ = welcome.hash_key_id();
    // What was seen so far was seen with other eyes: the reporter looks again.
    state_.reset();
    commands.push_back(UseInstallation{installation_, key_id_, welcome.hash_key()});
  }
  v1::AgentMessage message;
  v1::JournalReport& report = *message.mutable_journal();
  for (auto& [id, entry] : entries_) {
    if (entry.phase == Phase::kFinished) {
      *report.add_unacknowledged() = entry.outcome;
    } else {
      report.add_running_action_ids(id);
    }
  }
  commands.push_back(SendMessage{std::move(message)});
  if (state_.has_value()) SendSnapshot(commands);
  for (auto& [id, entry] : entries_) {
    if (entry.phase == Phase::kWaiting) {
      entry.phase = Phase::kRunning;
      commands.push_back(StartAction{entry.action});
    } else if (entry.phase == Phase::kOutcomeNotWritten) {
      entry.phase = Phase::kRecordingOutcome;
      commands.push_back(WriteRecord{OutcomeRecord(entry.outcome)});
    }
  }
  return commands;
}

SessionCommands Session::OnDispatch(const v1::Action& action) {
  const auto found = entries_.find(action.id());
  if (found != entries_.end()) {
    // A repeated dispatch never performs the action again.
    SessionCommands commands;
    if (found->second.phase == Phase::kFinished) SendOutcome(found->second.outcome, commands);
    return commands;
  }
  Entry& entry = entries_[action.id()];
  entry.action = action;
  entry.phase = Phase::kRecording;
  v1::JournalRecord record;
  *record.mutable_intent() = action;
  return {WriteRecord{std::move(record)}};
}

SessionCommands Session::OnRecorded(const v1::JournalRecord& record, const absl::Status& status) {
  SessionCommands commands;
  if (record.has_intent()) {
    const auto found = entries_.find(record.intent().id());
    if (found == entries_.end() || found->second.phase != Phase::kRecording) return commands;
    if (status.ok()) {
      found->second.phase = Phase::kRunning;
      commands.push_back(StartAction{found->second.action});
    } else {
      // Nothing was done and nothing is on disk: the action never began.
      const absl::Status why = absl::ResourceExhaustedError(
          absl::StrCat("the agent cannot write its journal: ", status.message()));
      SendOutcome(FailedOutcome(found->second.action, v1::ACTION_STATUS_FAILED, why), commands);
      entries_.erase(found);
    }
  } else if (record.has_outcome()) {
    const auto found = entries_.find(record.outcome().action_id());
    if (found == entries_.end() || found->second.phase != Phase::kRecordingOutcome) return commands;
    if (status.ok()) {
      found->second.phase = Phase::kFinished;
      SendOutcome(found->second.outcome, commands);
    } else {
      found->second.phase = Phase::kOutcomeNotWritten;
    }
  }
  return commands;
}

SessionCommands Session::OnFinished(const v1::ActionOutcome& outcome) {
  unheard_lines_.erase(outcome.action_id());
  const auto found = entries_.find(outcome.action_id());
  if (found == entries_.end() || found->second.phase != Phase::kRunning) return {};
  found->second.outcome = outcome;
  found->second.phase = Phase::kRecordingOutcome;
  return {WriteRecord{OutcomeRecord(outcome)}};
}

SessionCommands Session::OnOutcomeAcknowledged(const std::string& action_id) {
  const auto found = entries_.find(action_id);
  if (found == entries_.end() || found->second.phase != Phase::kFinished) return {};
  entries_.erase(found);
  v1::JournalRecord record;
  record.set_forget(action_id);
  // A lost forget only means that the outcome is sent once more.
  return {WriteRecord{std::move(record)}};
}

SessionCommands Session::OnState(const v1::HostState& state) {
  state_ = state;
  SessionCommands commands;
  if (welcomed_) SendSnapshot(commands);
  return commands;
}

SessionCommands Session::OnDelta(const v1::HostDelta& delta) {
  if (!state_.has_value()) return {};
  Merge(delta, *state_);
  if (!welcomed_ || !snapshot_sent_) return {};
  v1::AgentMessage message;
  message.mutable_delta()->set_seq(++seq_);
  *message.mutable_delta()->mutable_change() = delta;
  return {SendMessage{std::move(message)}};
}

SessionCommands Session::OnProgress(const v1::ActionProgress& progress) {
  if (!welcomed_) return {};
  v1::AgentMessage message;
  *message.mutable_progress() = progress;
  return {SendMessage{std::move(message)}};
}

SessionCommands Session::OnActionLog(const v1::ActionLog& log) {
  if (!welcomed_) {
    unheard_lines_[log.action_id()] += log.dropped() + static_cast<uint64_t>(log.lines_size());
    return {};
  }
  v1::AgentMessage message;
  v1::ActionLog& sent = *message.mutable_action_log();
  sent = log;
  if (const auto found = unheard_lines_.find(log.action_id()); found != unheard_lines_.end()) {
    sent.set_dropped(log.dropped() + found->second);
    unheard_lines_.erase(found);
  }
  return {SendMessage{std::move(message)}};
}

SessionCommands Session::OnLogs(const v1::LogLines& lines) {
  if (!welcomed_) return {};
  v1::AgentMessage message;
  *message.mutable_logs() = lines;
  return {SendMessage{std::move(message)}};
}

SessionCommands Session::OnNotice(const v1::AgentNotice& notice) {
  if (!welcomed_) return {};
  v1::AgentMessage message;
  *message.mutable_notice() = notice;
  return {SendMessage{std::move(message)}};
}

SessionCommands Session::OnKept(const UseInstallation& kept) {
  installation_ = kept.installation;
  key_id_ = kept.key_id;
  return {kept};
}

const v1::Action* Session::FindAction(const std::string& action_id) const {
  const auto found = entries_.find(action_id);
  return found == entries_.end() ? nullptr : &found->second.action;
}

std::set<std::string> Session::OpenResources() const {
  std::set<std::string> open;
  for (const auto& [id, entry] : entries_) {
    const bool ended = entry.phase == Phase::kFinished || entry.phase == Phase::kRecordingOutcome ||
                       entry.phase == Phase::kOutcomeNotWritten;
    if (!ended) open.insert(entry.action.resource());
  }
  return open;
}

SessionCommands Session::OnTick(absl::Time now) {
  SessionCommands commands;
  // A tick too far away means that the clock was set back.
  const bool early = now < next_tick_ && next_tick_ - now <= heartbeat_interval_;
  if (!welcomed_ || early) return commands;
  next_tick_ = now + heartbeat_interval_;
  v1::AgentMessage message;
  *message.mutable_heartbeat()->mutable_now() = base::ToProto(now);
  commands.push_back(SendMessage{std::move(message)});
  for (auto& [id, entry] : entries_) {
    if (entry.phase != Phase::kOutcomeNotWritten) continue;
    entry.phase = Phase::kRecordingOutcome;
    commands.push_back(WriteRecord{OutcomeRecord(entry.outcome)});
  }
  return commands;
}

void Session::SendSnapshot(SessionCommands& commands) {
  if (!state_.has_value()) return;
  v1::AgentMessage message;
  message.mutable_snapshot()->set_seq(++seq_);
  *message.mutable_snapshot()->mutable_state() = *state_;
  snapshot_sent_ = true;
  commands.push_back(SendMessage{std::move(message)});
}

void Session::SendOutcome(const v1::ActionOutcome& outcome, SessionCommands& commands) {
  if (!welcomed_) return;
  v1::AgentMessage message;
  *message.mutable_outcome() = outcome;
  commands.push_back(SendMessage{std::move(message)});
}

}  // namespace fairlead::agent
