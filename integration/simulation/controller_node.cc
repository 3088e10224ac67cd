#include "integration/simulation/controller_node.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"

namespace fairlead::simulation {
namespace {

constexpr char kActor[] = "controller";
constexpr char kInstallation[] = "inst";
constexpr absl::Duration kStoreRetry = absl::Milliseconds(500);
constexpr double kCrashAtWrite = 0.003;

std::string Describe(const v1::Action& action) {
  return absl::StrCat(
      action.id(), " ",
      action.GetDescriptor()->FindFieldByNumber(static_cast<int>(action.body_case()))->name(),
      " of ", action.resource());
}

}  // namespace

struct ControllerNode::Process {
  explicit Process(const agents::SessionTerms& terms) : table(terms) {}

  agents::SessionTable table;
  std::unique_ptr<loop::Core> core;
  std::map<StreamId, Link*> links;
  std::deque<Work> queue;
  // A pass is under way: its batch is being written.
  bool writing = false;
  bool woken = false;
  absl::Time timer = absl::InfiniteFuture();
  std::string revision;
};

ControllerNode::ControllerNode(Stage& stage, DurableStore& store, Remote& remote)
    : stage_(stage),
      store_(store),
      remote_(remote),
      clock_(stage.timeline),
      hasher_("k1", std::string(32, 'k')) {}

ControllerNode::~ControllerNode() = default;

void ControllerNode::Serve(Link& link) {
  link.SetControllerEnd(
      {.on_opened = [this](StreamId stream, Link& by) { return OnOpened(stream, by); },
       .on_message =
           [this](StreamId stream, const v1::AgentMessage& message) {
             if (process_ == nullptr) return;
             CarryOut(process_->table.OnMessage(stream, message, clock_.Now()));
           },
       .on_closed =
           [this](StreamId stream) {
             if (process_ == nullptr) return;
             CarryOut(process_->table.OnClosed(stream, clock_.Now()));
           }});
}

bool ControllerNode::OnOpened(StreamId stream, Link& link) {
  if (process_ == nullptr) return false;
  process_->links[stream] = &link;
  process_->table.OnOpened(stream, {}, clock_.Now());
  return true;
}

void ControllerNode::Boot() {
  if (process_ != nullptr) return;
  ++life_;
  agents::SessionTerms terms;
  terms.installation = kInstallation;
  terms.hash_key = std::string(32, 'k');
  terms.hash_key_id = "k1";
  process_ = std::make_unique<Process>(terms);
  const store::StoreImage image = store_.Load();
  stage_.Say(kActor, "starts with ", image.inventory.size(), " resources and ",
             image.actions.size(), " open actions in its store");
  process_->core = std::make_unique<loop::Core>(
      image, hasher_, stage_.random,
      loop::CoreOptions{.installation = kInstallation, .observer = &observer_});
  process_->core->OnSource(remote_.Bootstrap());
  Post([](loop::Core&, absl::Time) {});
  Tick();
  Poll();
}

void ControllerNode::Crash(const std::string& when) {
  if (process_ == nullptr) return;
  stage_.Fault(kActor, "controller killed", " ", when);
  ++life_;
  std::map<StreamId, Link*> links = std::move(process_->links);
  // Whoever called is still in it.
  stage_.timeline.After(absl::ZeroDuration(),
                        [gone = std::shared_ptr<Process>(std::move(process_))] {});
  process_ = nullptr;
  std::vector<Link*> told;
  for (const auto& [stream, link] : links) {
    if (std::find(told.begin(), told.end(), link) != told.end()) continue;
    told.push_back(link);
    link->ControllerDied();
  }
  stage_.timeline.After(stage_.random.Between(absl::Milliseconds(200), absl::Seconds(20)),
                        [this] { Boot(); });
}

void ControllerNode::Tick() {
  stage_.timeline.After(absl::Seconds(1), [this, life = life_] {
    if (life != life_ || process_ == nullptr) return;
    CarryOut(process_->table.OnTick(clock_.Now()));
    Tick();
  });
}

void ControllerNode::Poll() {
  Fetch();
  stage_.timeline.After(stage_.random.Between(absl::Seconds(5), absl::Seconds(15)),
                        [this, life = life_] {
                          if (life == life_ && process_ != nullptr) Poll();
                        });
}

void ControllerNode::Fetch() {
  if (process_ == nullptr) return;
  if (stage_.Strikes(0.1)) {
    stage_.Fault(kActor, "fetch fails");
    return;
  }
  if (remote_.head() == process_->revision) return;
  process_->revision = remote_.head();
  stage_.Say(kActor, "fetches revision ", process_->revision);
  Post([source = remote_.Read(process_->revision)](loop::Core& core, absl::Time now) {
    v1::SyncRecord record;
    record.set_name(source->name);
    record.set_revision(source->revision);
    core.OnRevision(source, record, now);
  });
}

void ControllerNode::CarryOut(const agents::TableCommands& commands) {
  for (const agents::TableCommand& command : commands) {
    if (const auto* send = std::get_if<agents::SendTo>(&command)) {
      process_->links.at(send->session)->SendToAgent(send->session, send->message);
    } else if (const auto* close = std::get_if<agents::CloseSession>(&command)) {
      stage_.Say(kActor, "ends session ", close->session, ": ", close->why.message());
      process_->links.at(close->session)->CloseByController(close->session);
    } else if (const auto* abort = std::get_if<agents::AbortSession>(&command)) {
      stage_.Say(kActor, "cuts session ", abort->session, ": ", abort->why.message());
      process_->links.at(abort->session)->CloseByController(abort->session);
    } else if (const auto* host = std::get_if<agents::TellHost>(&command)) {
      Post([live = host->host](loop::Core& core, absl::Time) { core.OnHost(live); });
    } else if (const auto* journal = std::get_if<agents::TellJournal>(&command)) {
      Post([told = *journal](loop::Core& core, absl::Time now) {
        core.OnJournal(told.server, told.session, told.report, now);
      });
    } else if (const auto* outcome = std::get_if<agents::TellOutcome>(&command)) {
      Post([told = *outcome](loop::Core& core, absl::Time now) {
        core.OnOutcome(told.server, told.outcome, now);
      });
    } else if (const auto* notice = std::get_if<agents::TellNotice>(&command)) {
      Post([told = *notice](loop::Core& core, absl::Time now) {
        core.OnNotice(told.server, told.notice, now);
      });
    }
  }
}

void ControllerNode::Request(const loop::OperatorRequest& request) {
  if (process_ == nullptr) return;
  Post([this, request](loop::Core& core, absl::Time now) {
    const absl::StatusOr<std::string> answer = core.OnRequest(request, now);
    stage_.Say("operator", answer.ok() ? *answer : std::string(answer.status().message()));
  });
}

void ControllerNode::AllowDelete(uint32_t count) {
  if (process_ == nullptr) return;
  Post([count](loop::Core& core, absl::Time) { core.OnAllowDelete("resource_sync/main", count); });
}

void ControllerNode::Post(Work work) {
  process_->queue.push_back(std::move(work));
  Wake();
}

void ControllerNode::Wake() {
  if (process_->writing || std::exchange(process_->woken, true)) return;
  stage_.timeline.After(absl::Microseconds(200), [this, life = life_] {
    if (life != life_ || process_ == nullptr) return;
    process_->woken = false;
    PassOnce();
  });
}

void ControllerNode::WatchTimers() {
  const absl::Time wake = process_->core->wake_at();
  if (wake == absl::InfiniteFuture()) return;
  const absl::Duration wait = std::max(wake - clock_.Now(), absl::Milliseconds(1));
  const absl::Time at = stage_.timeline.now() + wait;
  process_->timer = at;
  stage_.timeline.At(at, [this, life = life_, at] {
    if (life != life_ || process_ == nullptr || process_->timer != at) return;
    Wake();
  });
}

void ControllerNode::PassOnce() {
  std::deque<Work> work = std::exchange(process_->queue, {});
  for (const Work& item : work) item(*process_->core, clock_.Now());
  stage_.Count("passes");
  auto output = std::make_shared<loop::CoreOutput>(process_->core->Pass(clock_.Now()));
  if (output->batch.empty()) {
    Send(*output);
    WatchTimers();
    return;
  }
  process_->writing = true;
  Persist(std::move(output));
}

void ControllerNode::Persist(std::shared_ptr<loop::CoreOutput> output) {
  const absl::Duration takes =
      stage_.Strikes(0.02) ? stage_.random.Between(absl::Milliseconds(50), absl::Seconds(2))
                           : stage_.random.Between(absl::Milliseconds(1), absl::Milliseconds(8));
  stage_.timeline.After(takes, [this, life = life_, output = std::move(output)] {
    if (life != life_ || process_ == nullptr) return;
    if (stage_.Strikes(kCrashAtWrite)) return Crash("before a batch is durable");
    if (!store_.Apply(output->batch).ok()) {
      stage_.timeline.After(kStoreRetry, [this, life, output] {
        if (life == life_ && process_ != nullptr) Persist(output);
      });
      return;
    }
    if (stage_.Strikes(kCrashAtWrite)) return Crash("after a batch is durable");
    for (const v1::Event& event : output->batch.append_events) {
      stage_.Say(kActor, event.resource(), " ", event.type(), ": ", event.message());
    }
    process_->writing = false;
    Send(*output);
    WatchTimers();
    if (!process_->queue.empty()) Wake();
  });
}

void ControllerNode::Send(const loop::CoreOutput& output) {
  agents::TableCommands commands;
  for (const loop::DispatchAction& dispatch : output.dispatch) {
    const bool sent =
        process_->table.Dispatch(dispatch.server, dispatch.session, dispatch.action, &commands);
    stage_.Count("actions");
    stage_.Say(kActor, sent ? "sends " : "cannot send ", Describe(dispatch.action), " to ",
               dispatch.server);
    if (stage_.plant == Plant::kStalePlan) SendStale(dispatch);
  }
  for (const loop::CancelAction& cancel : output.cancel) {
    process_->table.Cancel(cancel.server, cancel.action_id, cancel.why, &commands);
  }
  for (const loop::AcknowledgeOutcome& ack : output.acknowledge) {
    process_->table.AcknowledgeOutcome(ack.server, ack.action_id, &commands);
  }
  CarryOut(commands);
}

// As a loop that works through an old list: the action of an earlier plan goes out once more.
void ControllerNode::SendStale(const loop::DispatchAction& dispatch) {
  const auto found = earlier_.find(dispatch.action.resource());
  if (found != earlier_.end() && stage_.random.Chance(0.2)) {
    loop::DispatchAction stale = found->second;
    stale.action.set_id(base::NewId(stage_.random));
    stage_.Say(kActor, "sends stale ", Describe(stale.action));
    stage_.timeline.After(absl::Seconds(5), [this, stale] {
      agents::TableCommands commands;
      if (process_ == nullptr) return;
      process_->table.Dispatch(stale.server, stale.session, stale.action, &commands);
      CarryOut(commands);
    });
  }
  earlier_[dispatch.action.resource()] = dispatch;
}

std::shared_ptr<const loop::LoopView> ControllerNode::View() const {
  return process_ == nullptr ? nullptr : process_->core->view();
}

bool ControllerNode::idle() const {
  return process_ != nullptr && !process_->writing && process_->queue.empty();
}

}  // namespace fairlead::simulation
