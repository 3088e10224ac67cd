#include "controller/agents/session_table.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <google/protobuf/util/message_differencer.h>
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "base/proto_time.h"

namespace fairlead::agents {
namespace {

using google::protobuf::util::MessageDifferencer;

constexpr uint32_t kProtocol = 1;
constexpr uint32_t kDeltasPerAcknowledge = 64;
constexpr int kSilentIntervals = 3;
constexpr std::size_t kClockSamples = 12;
constexpr std::size_t kMaximumName = 253;
// A smaller change of a host's clock offset is noise of the link.
constexpr absl::Duration kClockNoise = absl::Milliseconds(500);

bool IsValidName(absl::string_view name) {
  if (name.empty() || name.size() > kMaximumName) return false;
  if (absl::ascii_isspace(static_cast<unsigned char>(name.front())) ||
      absl::ascii_isspace(static_cast<unsigned char>(name.back()))) {
    return false;
  }
  return std::none_of(name.begin(), name.end(),
                      [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
}

v1::ControllerMessage AutonomyOf(const v1::AutonomyTerms& terms) {
  v1::ControllerMessage message;
  *message.mutable_autonomy() = terms;
  return message;
}

absl::Status CheckHello(const v1::Hello& hello, const std::string& certificate_server) {
  if (!IsValidName(hello.server())) {
    return absl::InvalidArgumentError("the agent's server name is empty or not a valid name");
  }
  if (hello.instance_id().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("server \"", hello.server(), "\": the agent has no instance id"));
  }
  if (hello.protocol() < kProtocol) {
    return absl::FailedPreconditionError(absl::StrCat(
        "server \"", hello.server(), "\": agent ", hello.version(), " speaks protocol ",
        hello.protocol(), ", at least ", kProtocol, " is needed: update the agent"));
  }
  if (!certificate_server.empty() && certificate_server != hello.server()) {
    return absl::PermissionDeniedError(
        absl::StrCat("the agent says it is server \"", hello.server(),
                     "\" but its certificate is for \"", certificate_server, "\""));
  }
  return absl::OkStatus();
}

// How long ago the newest change in `delta` happened on the host; nothing when it tells no time.
std::optional<absl::Duration> LagOf(const sync::HostLive& host, const v1::HostDelta& delta,
                                    absl::Duration clock_offset, absl::Time now) {
  absl::Time newest = absl::InfinitePast();
  for (const v1::Container& container : delta.upsert_containers()) {
    const auto known = host.containers.find(container.id());
    const v1::Container& before =
        known == host.containers.end() ? v1::Container::default_instance() : *known->second;
    const auto consider = [&](const google::protobuf::Timestamp& was,
                              const google::protobuf::Timestamp& is) {
      if (was.seconds() == is.seconds() && was.nanos() == is.nanos()) return;
      newest = std::max(newest, base::FromProto(is));
    };
    if (container.has_started_at()) consider(before.started_at(), container.started_at());
    if (container.has_finished_at()) consider(before.finished_at(), container.finished_at());
  }
  if (newest == absl::InfinitePast()) return std::nullopt;
  return std::max(absl::ZeroDuration(), now + clock_offset - newest);
}

v1::LogLines EndOfLogs(uint64_t request_id, absl::string_view error) {
  v1::LogLines lines;
  lines.set_request_id(request_id);
  lines.set_end(true);
  lines.set_error(std::string(error));
  return lines;
}

}  // namespace

SessionTable::SessionTable(SessionTerms terms) : terms_(std::move(terms)) {}

void SessionTable::OnOpened(SessionId session, const PeerCertificate& certificate, absl::Time now) {
  Session& opened = sessions_[session];
  opened.certificate = certificate;
  opened.opened_at = now;
  opened.last_message = now;
}

TableCommands SessionTable::OnMessage(SessionId id, const v1::AgentMessage& message,
                                      absl::Time now) {
  TableCommands commands;
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return commands;
  Session& session = found->second;
  session.last_message = now;
  switch (session.phase) {
    case Phase::kGreeting:
      if (message.has_hello()) {
        OnHello(id, session, message.hello(), now, commands);
      } else {
        Refuse(id, session, absl::InvalidArgumentError("the first message must be Hello"), now,
               commands);
      }
      break;
    case Phase::kOpen:
      OnWelcomed(id, session, message, now, commands);
      break;
    case Phase::kClosing:
      break;
  }
  return commands;
}

void SessionTable::OnHello(SessionId id, Session& session, const v1::Hello& hello, absl::Time now,
                           TableCommands& commands) {
  const absl::Status status = CheckHello(hello, session.certificate.server);
  // Told once: an agent that is refused comes again and again.
  if (absl::IsPermissionDenied(status) &&
      std::exchange(impostors_[session.certificate.server], hello.server()) != hello.server()) {
    v1::AgentNotice notice;
    notice.set_message(std::string(status.message()));
    notice.set_warning(true);
    commands.push_back(TellNotice{session.certificate.server, std::move(notice)});
  }
  if (!status.ok()) return Refuse(id, session, status, now, commands);
  const auto holder = by_server_.find(hello.server());
  if (holder != by_server_.end()) {
    const SessionId older_id = holder->second;
    Session& older = sessions_.at(older_id);
    if (older.instance_id != hello.instance_id()) {
      const absl::Status why = absl::AlreadyExistsError(
          absl::StrCat("server \"", hello.server(), "\" is held by another agent instance (",
                       older.instance_id, "); this one is ", hello.instance_id()));
      if (older.rival != hello.instance_id()) {
        older.rival = hello.instance_id();
        v1::AgentNotice notice;
        notice.set_message(std::string(why.message()));
        notice.set_warning(true);
        commands.push_back(TellNotice{hello.server(), std::move(notice)});
      }
      return Part(id, session, v1::Goodbye::REASON_NAME_TAKEN, why, now, commands);
    }
    Part(older_id, older, v1::Goodbye::REASON_REPLACED,
         absl::AbortedError("a newer session of this agent replaced this one"), now, commands);
  }
  session.phase = Phase::kOpen;
  session.server = hello.server();
  session.instance_id = hello.instance_id();
  session.version = hello.version();
  session.cpus = hello.cpus();
  if (hello.has_now()) {
    session.clock_offset = base::FromProto(hello.now()) - now;
    session.clock_samples.push_back(session.clock_offset);
  }
  by_server_[session.server] = id;
  v1::ControllerMessage message;
  v1::Welcome& welcome = *message.mutable_welcome();
  welcome.set_installation(terms_.installation);
  welcome.set_hash_key(terms_.hash_key);
  welcome.set_hash_key_id(terms_.hash_key_id);
  welcome.set_controller_version(terms_.controller_version);
  *welcome.mutable_heartbeat_interval() = base::ToProto(terms_.heartbeat_interval);
  welcome.set_protocol(kProtocol);
  commands.push_back(SendTo{id, std::move(message)});
  const auto autonomy = autonomy_.find(session.server);
  if (autonomy != autonomy_.end()) commands.push_back(SendTo{id, AutonomyOf(autonomy->second)});
  commands.push_back(TellConnected{static_cast<uint32_t>(by_server_.size())});
}

void SessionTable::OnWelcomed(SessionId id, Session& session, const v1::AgentMessage& message,
                              absl::Time now, TableCommands& commands) {
  switch (message.message_case()) {
    case v1::AgentMessage::kHello:
      return Refuse(id, session, absl::InvalidArgumentError("Hello was said twice"), now, commands);
    case v1::AgentMessage::kSnapshot:
      return OnSnapshot(id, session, message.snapshot(), now, commands);
    case v1::AgentMessage::kDelta:
      return OnDelta(id, session, message.delta(), now, commands);
    case v1::AgentMessage::kJournal:
      // Only the first: what was dispatched since may be missing in a repeated one, as if lost.
      if (session.journal_seen) return;
      session.journal_seen = true;
      commands.push_back(TellJournal{session.server, id, message.journal()});
      return;
    case v1::AgentMessage::kProgress:
      commands.push_back(TellProgress{session.server, message.progress()});
      return;
    case v1::AgentMessage::kOutcome:
      // The loop settles what was lost by the journal; an outcome before it would be misread.
      if (!session.journal_seen) {
        return Refuse(id, session,
                      absl::InvalidArgumentError("an outcome was sent before the journal"), now,
                      commands);
      }
      commands.push_back(TellOutcome{session.server, message.outcome()});
      return;
    case v1::AgentMessage::kHeartbeat:
      return OnHeartbeat(id, session, message.heartbeat(), now, commands);
    case v1::AgentMessage::kLogs:
      return OnLogs(session, message.logs(), commands);
    case v1::AgentMessage::kNotice:
      commands.push_back(TellNotice{session.server, message.notice()});
      return;
    case v1::AgentMessage::kActionLog:
      commands.push_back(TellActionLog{session.server, message.action_log()});
      return;
    case v1::AgentMessage::MESSAGE_NOT_SET:
      // Unknown messages of a newer agent arrive so.
      return;
  }
}

void SessionTable::OnSnapshot(SessionId id, Session& session, const v1::Snapshot& snapshot,
                              absl::Time now, TableCommands& commands) {
  std::shared_ptr<const sync::HostLive>& host = hosts_[session.server];
  sync::HostLive greeted;
  if (host != nullptr) greeted = *host;
  greeted.server = session.server;
  greeted.online = true;
  greeted.clock_offset = session.clock_offset;
  greeted.cpus = session.cpus;
  greeted.last_seen = now;
  host = sync::ApplySnapshot(greeted, snapshot.state());
  session.seq = snapshot.seq();
  session.in_sequence = true;
  session.snapshot_requested = false;
  if (snapshot.state().has_engine()) session.engine = snapshot.state().engine();
  commands.push_back(TellHost{host});
  Acknowledge(id, session, commands);
}

void SessionTable::OnDelta(SessionId id, Session& session, const v1::Delta& delta, absl::Time now,
                           TableCommands& commands) {
  if (session.in_sequence && delta.seq() != session.seq + 1) session.in_sequence = false;
  if (!session.in_sequence) {
    if (session.snapshot_requested) return;
    session.snapshot_requested = true;
    v1::ControllerMessage message;
    message.mutable_request_snapshot();
    commands.push_back(SendTo{id, std::move(message)});
    return;
  }
  std::shared_ptr<const sync::HostLive>& host = hosts_.at(session.server);
  const std::optional<absl::Duration> lag = LagOf(*host, delta.change(), session.clock_offset, now);
  host = sync::ApplyDelta(*host, delta.change());
  session.seq = delta.seq();
  if (delta.change().engine().has_version()) session.engine = delta.change().engine().version();
  commands.push_back(TellHost{host});
  if (lag.has_value()) {
    session.lag = *lag;
    commands.push_back(TellLag{session.server, *lag});
  }
  if (++session.unacknowledged >= kDeltasPerAcknowledge) Acknowledge(id, session, commands);
}

void SessionTable::OnHeartbeat(SessionId id, Session& session, const v1::Heartbeat& heartbeat,
                               absl::Time now, TableCommands& commands) {
  if (heartbeat.has_now()) {
    // Each sample is too low by what the link took: the highest is nearest the truth, and what a
    // sample lacks to it is how late it came. A short window follows clocks that drift.
    const absl::Duration sample = base::FromProto(heartbeat.now()) - now;
    session.clock_samples.push_back(sample);
    if (session.clock_samples.size() > kClockSamples) session.clock_samples.pop_front();
    session.clock_offset =
        *std::max_element(session.clock_samples.begin(), session.clock_samples.end());
    session.lag = session.clock_offset - sample;
    const auto host = hosts_.find(session.server);
    if (host != hosts_.end() && host->second->online &&
        absl::AbsDuration(host->second->clock_offset - session.clock_offset) > kClockNoise) {
      auto corrected = std::make_shared<sync::HostLive>(*host->second);
      corrected->clock_offset = session.clock_offset;
      corrected->last_seen = now;
      ++corrected->generation;
      host->second = std::move(corrected);
      commands.push_back(TellHost{host->second});
    }
  }
  if (session.unacknowledged > 0) Acknowledge(id, session, commands);
}

void SessionTable::OnLogs(Session& session, const v1::LogLines& lines, TableCommands& commands) {
  // Lines that were on their way when the request was cancelled belong to nobody.
  if (!session.logs.contains(lines.request_id())) return;
  if (lines.end()) session.logs.erase(lines.request_id());
  commands.push_back(TellLogs{lines});
}

TableCommands SessionTable::OnClosed(SessionId id, absl::Time now) {
  TableCommands commands;
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return commands;
  Release(found->second, now, commands);
  sessions_.erase(found);
  return commands;
}

TableCommands SessionTable::OnTick(absl::Time now) {
  TableCommands commands;
  const absl::Duration patience = kSilentIntervals * terms_.heartbeat_interval;
  for (auto& [id, session] : sessions_) {
    // The clock may have been set back.
    session.last_message = std::min(session.last_message, now);
    session.closing_since = std::min(session.closing_since, now);
    const bool closing = session.phase == Phase::kClosing;
    if (!closing && now >= session.certificate.not_after) {
      Refuse(id, session,
             absl::PermissionDeniedError(absl::StrCat(
                 "the certificate of server \"", session.certificate.server, "\" has expired")),
             now, commands);
      continue;
    }
    if (now - (closing ? session.closing_since : session.last_message) < patience) continue;
    const absl::Status why = absl::DeadlineExceededError(
        closing ? "the stream did not end in time"
                : absl::StrCat("nothing was heard for ", absl::FormatDuration(patience)));
    commands.push_back(AbortSession{id, why});
    Release(session, now, commands);
    session.closing_since = now;
  }
  return commands;
}

TableCommands SessionTable::OnClockJump(absl::Duration jump) {
  TableCommands commands;
  for (auto& [id, session] : sessions_) {
    session.last_message += jump;
    session.closing_since += jump;
    session.clock_offset -= jump;
    for (absl::Duration& sample : session.clock_samples) sample -= jump;
  }
  for (auto& [server, host] : hosts_) {
    auto corrected = std::make_shared<sync::HostLive>(*host);
    corrected->clock_offset -= jump;
    ++corrected->generation;
    host = std::move(corrected);
    commands.push_back(TellHost{host});
  }
  return commands;
}

TableCommands SessionTable::End(const std::string& server, const std::string& why, bool refusal,
                                absl::Time now) {
  TableCommands commands;
  for (auto& [id, session] : sessions_) {
    if (session.phase == Phase::kClosing || session.certificate.server != server) continue;
    if (refusal) {
      Refuse(id, session, absl::PermissionDeniedError(why), now, commands);
    } else {
      Part(id, session, v1::Goodbye::REASON_UNSPECIFIED, absl::AbortedError(why), now, commands);
    }
  }
  return commands;
}

TableCommands SessionTable::Shutdown(absl::Time now) {
  TableCommands commands;
  for (auto& [id, session] : sessions_) {
    if (session.phase == Phase::kClosing) continue;
    Part(id, session, v1::Goodbye::REASON_SHUTTING_DOWN,
         absl::UnavailableError("the controller is shutting down"), now, commands);
  }
  return commands;
}

TableCommands SessionTable::SetAutonomy(const std::map<std::string, v1::AutonomyTerms>& terms) {
  TableCommands commands;
  for (const auto& [server, its] : terms) {
    const auto [known, is_new] = autonomy_.try_emplace(server);
    if (!is_new && MessageDifferencer::Equals(known->second, its)) continue;
    known->second = its;
    const auto session = by_server_.find(server);
    if (session != by_server_.end()) commands.push_back(SendTo{session->second, AutonomyOf(its)});
  }
  return commands;
}

bool SessionTable::Dispatch(const std::string& server, SessionId session, const v1::Action& action,
                            TableCommands* commands) {
  SessionId id = 0;
  if (Find(server, &id) == nullptr || id != session) return false;
  v1::ControllerMessage message;
  *message.mutable_dispatch()->mutable_action() = action;
  commands->push_back(SendTo{id, std::move(message)});
  return true;
}

bool SessionTable::Cancel(const std::string& server, const std::string& action_id,
                          const std::string& why, TableCommands* commands) {
  SessionId id = 0;
  if (Find(server, &id) == nullptr) return false;
  v1::ControllerMessage message;
  message.mutable_cancel()->set_action_id(action_id);
  message.mutable_cancel()->set_why(why);
  commands->push_back(SendTo{id, std::move(message)});
  return true;
}

bool SessionTable::AcknowledgeOutcome(const std::string& server, const std::string& action_id,
                                      TableCommands* commands) {
  SessionId id = 0;
  if (Find(server, &id) == nullptr) return false;
  v1::ControllerMessage message;
  message.mutable_acknowledge_outcome()->set_action_id(action_id);
  commands->push_back(SendTo{id, std::move(message)});
  return true;
}

uint64_t SessionTable::StartLogs(const std::string& server, const v1::LogRequest& request,
                                 TableCommands* commands) {
  SessionId id = 0;
  Session* const session = Find(server, &id);
  if (session == nullptr) return 0;
  const uint64_t request_id = ++last_log_request_;
  session->logs.insert(request_id);
  v1::ControllerMessage message;
  *message.mutable_logs() = request;
  message.mutable_logs()->set_request_id(request_id);
  commands->push_back(SendTo{id, std::move(message)});
  return request_id;
}

TableCommands SessionTable::CancelLogs(uint64_t request_id) {
  TableCommands commands;
  for (auto& [id, session] : sessions_) {
    if (session.logs.erase(request_id) == 0) continue;
    v1::ControllerMessage message;
    message.mutable_cancel_logs()->set_request_id(request_id);
    commands.push_back(SendTo{id, std::move(message)});
    break;
  }
  return commands;
}

std::vector<AgentSummary> SessionTable::Agents() const {
  std::vector<AgentSummary> agents;
  agents.reserve(by_server_.size());
  for (const auto& [server, id] : by_server_) {
    const Session& session = sessions_.at(id);
    agents.push_back({.server = server,
                      .instance_id = session.instance_id,
                      .version = session.version,
                      .connected_since = session.opened_at,
                      .last_seen = session.last_message,
                      .lag = session.lag,
                      .engine = session.engine});
  }
  return agents;
}

void SessionTable::Acknowledge(SessionId id, Session& session, TableCommands& commands) {
  session.unacknowledged = 0;
  v1::ControllerMessage message;
  message.mutable_acknowledge()->set_seq(session.seq);
  commands.push_back(SendTo{id, std::move(message)});
}

void SessionTable::Part(SessionId id, Session& session, v1::Goodbye::Reason reason,
                        const absl::Status& why, absl::Time now, TableCommands& commands) {
  v1::ControllerMessage message;
  message.mutable_goodbye()->set_reason(reason);
  message.mutable_goodbye()->set_message(std::string(why.message()));
  commands.push_back(SendTo{id, std::move(message)});
  commands.push_back(CloseSession{id, why});
  Release(session, now, commands);
}

void SessionTable::Refuse(SessionId id, Session& session, const absl::Status& why, absl::Time now,
                          TableCommands& commands) {
  Part(id, session, v1::Goodbye::REASON_REFUSED, why, now, commands);
}

void SessionTable::Release(Session& session, absl::Time now, TableCommands& commands) {
  const bool held = session.phase == Phase::kOpen;
  if (session.phase != Phase::kClosing) session.closing_since = now;
  session.phase = Phase::kClosing;
  for (const uint64_t request_id : session.logs) {
    commands.push_back(TellLogs{EndOfLogs(request_id, "the connection to the agent ended")});
  }
  session.logs.clear();
  if (!held) return;
  by_server_.erase(session.server);
  const auto host = hosts_.find(session.server);
  if (host != hosts_.end() && host->second->online) {
    auto offline = std::make_shared<sync::HostLive>(*host->second);
    offline->online = false;
    offline->last_seen = session.last_message;
    ++offline->generation;
    host->second = std::move(offline);
    commands.push_back(TellHost{host->second});
  }
  commands.push_back(TellConnected{static_cast<uint32_t>(by_server_.size())});
}

SessionTable::Session* SessionTable::Find(const std::string& server, SessionId* id) {
  const auto found = by_server_.find(server);
  if (found == by_server_.end()) return nullptr;
  Session& session = sessions_.at(found->second);
  if (!session.journal_seen) return nullptr;
  *id = found->second;
  return &session;
}

}  // namespace fairlead::agents
