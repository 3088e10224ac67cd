#include "integration/simulation/agent_process.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "agent/journal.h"
#include "base/backoff.h"

namespace fairlead::simulation {
namespace {

constexpr absl::Duration kRefusalDelay = absl::Seconds(10);
constexpr absl::Duration kGoodStream = absl::Seconds(10);
constexpr base::BackoffPolicy kRedial = {.initial = absl::Milliseconds(250),
                                         .maximum = absl::Seconds(15)};

// As Journal::Open: a torn end is dropped.
agent::JournalState ReadJournal(DiskFile& file) {
  std::vector<v1::JournalRecord> records;
  const std::size_t good = agent::DecodeRecords(file.content(), &records);
  if (good < file.content().size()) file.Replace(file.content().substr(0, good));
  agent::JournalState state;
  for (const v1::JournalRecord& record : records) state.Apply(record);
  return state;
}

std::string Describe(const v1::AgentMessage& message) {
  switch (message.message_case()) {
    case v1::AgentMessage::kDelta: {
      const v1::HostDelta& change = message.delta().change();
      return absl::StrCat("delta ", message.delta().seq(), ": ", change.upsert_containers_size(),
                          " containers, ", change.remove_container_ids_size(), " gone");
    }
    case v1::AgentMessage::kSnapshot:
      return absl::StrCat("snapshot ", message.snapshot().seq(), ": ",
                          message.snapshot().state().containers_size(), " containers, engine ",
                          message.snapshot().state().engine_up() ? "up" : "down");
    case v1::AgentMessage::kJournal:
      return absl::StrCat("journal: ", message.journal().running_action_ids_size(), " open, ",
                          message.journal().unacknowledged_size(), " unacknowledged");
    case v1::AgentMessage::kOutcome:
      return absl::StrCat("outcome of ", message.outcome().action_id(), " ",
                          message.outcome().resource(), ": ",
                          v1::ActionStatus_Name(message.outcome().status()).substr(14), " ",
                          message.outcome().message());
    case v1::AgentMessage::kHello:
      return "hello";
    default:
      return "";
  }
}

}  // namespace

AgentProcess::AgentProcess(Surroundings surroundings, std::string server)
    : in_(std::move(surroundings)),
      server_(std::move(server)),
      life_(std::make_shared<Life>()),
      secrets_(StorageOf(in_.disk.secrets)),
      records_(StorageOf(in_.disk.records)),
      wire_(std::make_shared<EngineWire>(in_.stage, in_.host, in_.ledger, life_, in_.crash)),
      runtime_(agent::DockerOptions{.engine = "unix:///simulated",
                                    .data_directory = "/nonexistent/fairlead-simulation",
                                    .transport = wire_},
               records_, secrets_, in_.host.clock),
      engine_(wire_, in_.host.clock),
      report_(engine_, records_, secrets_, in_.host.clock, "/nonexistent/fairlead-simulation") {}

AgentProcess::~AgentProcess() {
  life_->alive = false;
  for (const std::shared_ptr<Fiber>& fiber : fibers_) fiber->RunOut();
}

void AgentProcess::Start() {
  agent::SessionIdentity identity{
      .server = server_, .instance_id = absl::StrCat("i-", server_), .version = "1", .cpus = 4};
  if (!records_.Load().ok() || !secrets_.Load().ok()) {
    in_.stage.Violate(server_, ": the agent's records cannot be read");
  }
  DiskFile& file = in_.disk.journal;
  const agent::JournalState journal = ReadJournal(file);
  in_.stage.Say(server_, "agent starts with ", journal.entries.size(), " actions in its journal");
  session_ = std::make_unique<agent::Session>(identity, journal);
  Dial(absl::ZeroDuration());
  Tick();
}

void AgentProcess::Kill() { life_->alive = false; }

void AgentProcess::Dial(absl::Duration after) {
  in_.stage.timeline.After(after, [this, life = life_] {
    if (!life->alive) return;
    dialled_at_ = now();
    stream_ = in_.link.Dial();
  });
}

void AgentProcess::Tick() {
  in_.stage.timeline.After(absl::Seconds(1), [this, life = life_] {
    if (!life->alive) return;
    Perform(session_->OnTick(in_.host.clock.Now()));
    if (life->alive) Tick();
  });
}

void AgentProcess::OnConnected(StreamId stream) {
  if (!life_->alive || stream != stream_) return;
  in_.stage.Say(server_, "agent is connected by stream ", stream);
  Perform(session_->OnConnected(in_.host.clock.Now()));
}

void AgentProcess::OnMessage(StreamId stream, const v1::ControllerMessage& message) {
  if (!life_->alive || stream != stream_) return;
  Perform(session_->OnMessage(message, in_.host.clock.Now()));
}

void AgentProcess::OnDisconnected(StreamId stream) {
  if (!life_->alive || stream != stream_) return;
  in_.stage.Say(server_, "agent has lost stream ", stream);
  Perform(session_->OnDisconnected());
  if (now() - dialled_at_ >= kGoodStream) attempts_ = 0;
  absl::Duration delay = base::ComputeJitteredDelay(kRedial, ++attempts_, in_.stage.random);
  if (!session_->refusal().empty()) delay = std::max(delay, kRefusalDelay);
  Dial(delay);
}

void AgentProcess::Perform(const agent::SessionCommands& commands) {
  for (const agent::SessionCommand& command : commands) {
    if (!life_->alive) return;
    std::visit([this](const auto& one) { PerformOne(one); }, command);
  }
}

void AgentProcess::PerformOne(const agent::SendMessage& command) {
  const std::string text = Describe(command.message);
  if (!text.empty()) in_.stage.Say(server_, "agent sends ", text);
  CheckSecrets(command.message);
  in_.link.SendToController(stream_, command.message);
}

void AgentProcess::CheckSecrets(const v1::AgentMessage& message) {
  if (secrets_forbidden_ == nullptr || message.has_hello() || message.has_heartbeat()) return;
  const std::string bytes = message.SerializeAsString();
  for (const std::string& secret : *secrets_forbidden_) {
    if (absl::StrContains(bytes, secret)) {
      in_.stage.Violate(server_, ": a secret leaves the host in ", Describe(message));
    }
  }
}

void AgentProcess::PerformOne(const agent::WriteRecord& command) {
  if (in_.stage.plant == Plant::kJournalAfterAck) {
    // What follows from the record happens now; the disk gets it when it has time.
    in_.stage.timeline.After(absl::Milliseconds(200),
                             [this, life = life_, record = command.record] {
                               if (life->alive) Append(record).IgnoreError();
                             });
    Perform(session_->OnRecorded(command.record, absl::OkStatus()));
    return;
  }
  const absl::Status status = Append(command.record);
  if (life_->alive) Perform(session_->OnRecorded(command.record, status));
}

absl::Status AgentProcess::Append(const v1::JournalRecord& record) {
  if (now() < in_.disk.full_until) return absl::ResourceExhaustedError("disk full");
  DiskFile& file = in_.disk.journal;
  file.Append(agent::EncodeRecord(record));
  if (in_.stage.Strikes(0.004)) {
    // The process ends before, or right behind, the sync.
    if (in_.stage.random.Chance(0.5)) file.Sync();
    in_.crash("at a write of its journal");
    return absl::AbortedError("crashed");
  }
  file.Sync();
  // As the real one, which rewrites its file once it is long.
  if (file.content().size() > 32768) {
    std::string kept;
    for (const auto& [id, entry] : ReadJournal(file).entries) {
      v1::JournalRecord intent;
      *intent.mutable_intent() = entry.action;
      kept += agent::EncodeRecord(intent);
      if (!entry.finished) continue;
      v1::JournalRecord outcome;
      *outcome.mutable_outcome() = entry.outcome;
      kept += agent::EncodeRecord(outcome);
    }
    file.Replace(std::move(kept));
  }
  return absl::OkStatus();
}

agent::RecordStorage AgentProcess::StorageOf(DiskFile& file) {
  return {.name = "records",
          .read = [&file]() -> absl::StatusOr<std::string> {
            if (!file.exists()) return absl::NotFoundError("nothing was written yet");
            return file.content();
          },
          .write =
              [this, &file](const std::string& text) {
                if (!life_->alive) return absl::UnavailableError("the agent is gone");
                if (now() < in_.disk.full_until) return absl::ResourceExhaustedError("disk full");
                file.Replace(text);
                return absl::OkStatus();
              }};
}

void AgentProcess::PerformOne(const agent::StartAction& command) {
  const v1::Action& action = command.action;
  const int times = in_.stage.plant == Plant::kDoubleStart ? 2 : 1;
  for (int i = 0; i < times; ++i) {
    auto job = std::make_shared<Job>();
    job->action = action;
    job->deadline = in_.host.clock.Now() + absl::Seconds(action.deadline().seconds());
    jobs_[action.id()] = job;
    queue_.push_back(std::move(job));
  }
  StartJobs();
}

void AgentProcess::PerformOne(const agent::StopAction& command) {
  const auto found = jobs_.find(command.action_id);
  if (found != jobs_.end()) found->second->cancelled = true;
}

void AgentProcess::PerformOne(const agent::UseInstallation& command) {
  runtime_.SetInstallation(command.installation, command.key_id, command.key);
  work_.installation = command.installation;
  work_.hasher = std::make_shared<const resources::SpecHasher>(command.key_id, command.key);
  WakeReport();
  if (std::exchange(reporting_, true)) return;
  report_.SetCallbacks({.on_state =
                            [this](const v1::HostState& state) {
                              if (life_->alive) Perform(session_->OnState(state));
                            },
                        .on_delta = [this](const v1::HostDelta& delta) { OnDelta(delta); }});
  report_fiber_ = Spawn("", [this] { Report(); });
  Spawn("", [this] { Watch(); });
}

void AgentProcess::OnDelta(const v1::HostDelta& delta) {
  if (!life_->alive) return;
  if (in_.stage.plant == Plant::kLostDelta && in_.stage.random.Chance(0.2)) {
    Perform(session_->OnDelta(v1::HostDelta()));
    return;
  }
  Perform(session_->OnDelta(delta));
}

void AgentProcess::PerformOne(const agent::CloseStream& command) {
  in_.stage.Say(server_, "agent closes its stream: ", command.why);
  in_.link.CloseByAgent(stream_);
}

}  // namespace fairlead::simulation
