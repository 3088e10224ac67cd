#include "sync/plan_pass.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"

#include "resources/diff.h"
#include "sync/approval.h"
#include "sync/classify.h"
#include "sync/order.h"
#include "sync/step.h"

namespace fairlead::sync {
namespace {

using resources::ResourceId;

// Fewer lookups than these go through the hosts one by one.
constexpr size_t kManySubjects = 64;

// The declared spec cannot begin now, and what it is to replace may need a hand.
bool IsHeldUpChange(const Facts& facts, const Decision& decision) {
  const v1::Gate::Kind gate = decision.gate.kind();
  const bool waits = gate == v1::Gate::KIND_AFTER || gate == v1::Gate::KIND_BACKOFF ||
                     gate == v1::Gate::KIND_FAILED || gate == v1::Gate::KIND_PREFLIGHT;
  if (!waits || !IsForward(decision.action) || decision.heal) return false;
  const Target& target = facts.target;
  const bool stands_for_itself = target.uses_good_spec || target.failure != nullptr ||
                                 target.state != v1::WANTED_STATE_RUNNING || target.held;
  if (stands_for_itself || !target.wish->heal() || facts.inventory == nullptr) return false;
  const bool is_well = facts.pair.present() && facts.vitals.IsWell();
  return !is_well && facts.inventory->applied_hash() != decision.target_hash;
}

bool BringsBack(const Decision& decision) {
  return decision.heal &&
         (decision.action == v1::STEP_ACTION_CREATE || decision.action == v1::STEP_ACTION_START ||
          decision.action == v1::STEP_ACTION_RESTART);
}

}  // namespace

PlanPass::PlanPass(const PlanInput& input, PlanResult result, const PlanMemo* known)
    : input_(input),
      known_(known),
      context_(input, IndexHosts(*input.live, input.installation,
                                 known == nullptr ? nullptr : known->hosts.get())),
      result_(std::move(result)),
      memo_(std::make_shared<PlanMemo>()) {
  memo_->installation = input.installation;
  memo_->hosts = context_.index.shared_hosts();
}

// Both maps are in the same order: '/' sorts before every character of a kind.
std::vector<PlanPass::Subject> PlanPass::AllSubjects() const {
  std::vector<Subject> subjects;
  subjects.reserve(input_.desired->resources.size() + 16);
  auto owned = input_.inventory.begin();
  std::string key;
  const auto add_undeclared = [&subjects, &owned] {
    std::optional<ResourceId> id = ResourceId::Parse(owned->first);
    if (id.has_value()) subjects.push_back({*std::move(id), nullptr, &owned->second});
    ++owned;
  };
  for (const auto& [id, desired] : input_.desired->resources) {
    key.clear();
    absl::StrAppend(&key, id.kind, "/", id.name);
    while (owned != input_.inventory.end() && owned->first < key) add_undeclared();
    const bool is_owned = owned != input_.inventory.end() && owned->first == key;
    subjects.push_back({id, desired.get(), is_owned ? &owned->second : nullptr});
    if (is_owned) ++owned;
  }
  while (owned != input_.inventory.end()) add_undeclared();
  return subjects;
}

// What only labels know of. Requires: the index is prepared.
std::vector<PlanPass::Subject> PlanPass::LabelledOnly(const std::vector<Subject>& known) const {
  std::vector<Subject> found;
  for (const auto& [resource, presence] : context_.index.all()) {
    std::optional<ResourceId> id = ResourceId::Parse(resource);
    if (!id.has_value() || ShapeOf(id->kind) == Shape::kNone) continue;
    const auto it = std::lower_bound(
        known.begin(), known.end(), *id,
        [](const Subject& subject, const ResourceId& wanted) { return subject.id < wanted; });
    if (it == known.end() || it->id != *id) found.push_back({*std::move(id), nullptr, nullptr});
  }
  return found;
}

PlanPass::Subject PlanPass::Look(const ResourceId& id) const {
  Subject subject{id, nullptr, nullptr};
  const auto desired = input_.desired->resources.find(id);
  if (desired != input_.desired->resources.end()) subject.desired = desired->second.get();
  const auto owned = input_.inventory.find(id.ToString());
  if (owned != input_.inventory.end()) subject.inventory = &owned->second;
  return subject;
}

void PlanPass::DecideAll() {
  context_.index.Prepare();
  std::vector<Subject> subjects = AllSubjects();
  std::vector<Subject> labelled = LabelledOnly(subjects);
  if (!labelled.empty()) {
    subjects.insert(subjects.end(), std::make_move_iterator(labelled.begin()),
                    std::make_move_iterator(labelled.end()));
    std::sort(subjects.begin(), subjects.end(),
              [](const Subject& a, const Subject& b) { return a.id < b.id; });
  }
  SetGuard(subjects);
  result_.conditions.clear();
  result_.decided.clear();
  result_.decided.reserve(subjects.size());
  for (const Subject& subject : subjects) Decide(subject, true);
}

void PlanPass::DecideSome(const std::set<ResourceId>& dirty) {
  memo_->undeclared = known_->undeclared;
  memo_->timers = known_->timers;
  memo_->changes = known_->changes;
  const std::set<ResourceId> some = Spread(dirty);
  if (some.size() > kManySubjects) context_.index.Prepare();
  std::vector<Subject> subjects;
  subjects.reserve(some.size());
  for (const ResourceId& id : some) subjects.push_back(Look(id));
  SetGuard(subjects);
  result_.decided.clear();
  for (const Subject& subject : subjects) {
    const auto before = result_.decisions.find(subject.id);
    if (before != result_.decisions.end()) {
      --result_.conditions[{subject.id.kind, before->second->condition}];
      const absl::Time wake_at = before->second->wake_at;
      if (wake_at != absl::InfiniteFuture()) memo_->timers.erase({wake_at, subject.id});
    }
    memo_->undeclared.erase(subject.id);
    Decide(subject, false);
  }
}

// Beside what changed itself: all with a step (their gates look at others), all that nothing
// declares (the deletion guard counts them), whose time has come, and who depends on those.
std::set<ResourceId> PlanPass::Spread(const std::set<ResourceId>& dirty) const {
  std::set<ResourceId> some = dirty;
  for (auto it = known_->timers.begin(); it != known_->timers.end() && it->first <= input_.now;
       ++it) {
    some.insert(it->second);
  }
  std::set<std::string> servers = ChangedServers();
  for (const ResourceId& id : dirty) {
    if (id.kind == "server") servers.insert(id.name);
  }
  if (!servers.empty()) AddOfServers(servers, some);
  AddDependents(std::set<ResourceId>(some), some);
  for (const auto& [id, index] : result_.step_index) some.insert(id);
  some.insert(known_->undeclared.begin(), known_->undeclared.end());
  // Who needs what they make may have come or gone.
  for (const char* kind : {"build", "repo"}) {
    for (auto it = input_.desired->resources.lower_bound(ResourceId{kind, ""});
         it != input_.desired->resources.end() && it->first.kind == kind; ++it) {
      some.insert(it->first);
    }
  }
  return some;
}

// Servers whose agent or engine came or went.
std::set<std::string> PlanPass::ChangedServers() const {
  std::set<std::string> changed;
  const auto is_up = [](const HostLive& host) {
    return std::make_pair(host.online, host.engine_up);
  };
  for (const auto& [name, index] : *memo_->hosts) {
    const auto it = known_->hosts->find(name);
    if (it == known_->hosts->end() || is_up(*it->second->host) != is_up(*index->host)) {
      changed.insert(name);
    }
  }
  for (const auto& [name, index] : *known_->hosts) {
    if (!memo_->hosts->contains(name)) changed.insert(name);
  }
  return changed;
}

void PlanPass::AddOfServers(const std::set<std::string>& servers,
                            std::set<ResourceId>& some) const {
  for (const std::string& name : servers) some.insert({"server", name});
  for (const auto& [id, decision] : result_.decisions) {
    if (servers.contains(decision->server) || servers.contains(decision->from_server)) {
      some.insert(id);
    }
  }
  for (const auto& [id, desired] : input_.desired->resources) {
    if (servers.contains(desired->server)) some.insert(id);
  }
  for (const auto& [resource, entry] : input_.inventory) {
    if (!servers.contains(entry->server())) continue;
    const std::optional<ResourceId> id = ResourceId::Parse(resource);
    if (id.has_value()) some.insert(*id);
  }
}

void PlanPass::AddDependents(const std::set<ResourceId>& of, std::set<ResourceId>& some) const {
  if (input_.desired->dependents == nullptr) return;
  for (const ResourceId& id : of) {
    const auto it = input_.desired->dependents->find(id);
    if (it != input_.desired->dependents->end()) {
      some.insert(it->second.begin(), it->second.end());
    }
  }
}

void PlanPass::SetGuard(const std::vector<Subject>& subjects) {
  std::vector<const v1::InventoryEntry*> undeclared;
  for (const Subject& subject : subjects) {
    if (subject.desired == nullptr && subject.inventory != nullptr) {
      undeclared.push_back(subject.inventory->get());
    }
  }
  guard_ = ComputePruneGuard(input_, undeclared);
  context_.guard = &guard_;
}

void PlanPass::Decide(const Subject& subject, bool append) {
  result_.decided.push_back(subject.id);
  auto decision = std::make_shared<Decision>();
  decision->id = subject.id;
  std::unique_ptr<Facts> facts =
      GatherFacts(context_, decision->id, subject.desired,
                  subject.inventory == nullptr ? nullptr : subject.inventory->get());
  if (facts == nullptr) {
    result_.decisions.erase(subject.id);
    return;
  }
  Classify(*facts, *decision);
  if (WaitsForApproval(*facts, *decision)) {
    GateOnApproval(*decision);
    // What runs is kept as it was approved: a step that this takes comes first.
    if (std::optional<Open> kept = StandIn(*facts, "a change waits for approval")) {
      facts = std::move(kept->facts);
      decision = std::move(kept->decision);
    }
  }
  if (append) {
    result_.decisions.emplace_hint(result_.decisions.end(), subject.id, decision);
  } else {
    result_.decisions.insert_or_assign(subject.id, decision);
  }
  ApplyOwnGates(*facts, *decision);
  if (decision->rule == 1) memo_->undeclared.insert(subject.id);
  if (decision->has_step()) {
    open_.push_back({std::move(facts), std::move(decision)});
  } else if (decision->wake_at != absl::InfiniteFuture()) {
    memo_->timers.insert({decision->wake_at, subject.id});
  }
}

// The step that keeps what was applied last as it was; nothing when it needs none.
std::optional<PlanPass::Open> PlanPass::StandIn(const Facts& facts, absl::string_view why) {
  if (facts.desired == nullptr || facts.inventory == nullptr || !facts.inventory->has_applied()) {
    return std::nullopt;
  }
  auto kept = std::make_shared<Decision>();
  kept->id = facts.id;
  std::unique_ptr<Facts> kept_facts =
      GatherFacts(context_, kept->id, facts.desired, facts.inventory, /*unapproved=*/true);
  Classify(*kept_facts, *kept);
  if (!kept->has_step() || kept->action == v1::STEP_ACTION_BLOCKED) return std::nullopt;
  absl::StrAppend(&kept->reason, kept->reason.empty() ? "" : "; ", why);
  return Open{std::move(kept_facts), std::move(kept)};
}

// A change that cannot begin does not keep what it was to replace from being healed.
void PlanPass::HealMeanwhile(Open& open, const DecisionOf& decision_of) {
  const Facts& facts = *open.facts;
  Decision& decision = *open.decision;
  if (!IsHeldUpChange(facts, decision)) return;
  std::optional<Open> kept = StandIn(facts, "the declared change waits");
  // No replacement: the one that it begins would be undone for the declared spec.
  if (!kept || !BringsBack(*kept->decision)) return;
  Decision& heals = *kept->decision;
  ApplyOwnGates(*kept->facts, heals);
  ApplyCommonGates(*kept->facts, removals_, decision_of, heals, procedure_needs_);
  if (heals.gate.kind() != v1::Gate::KIND_OPEN) {
    decision.wake_at = std::min(decision.wake_at, heals.wake_at);
    return;
  }
  heals.stands_in = true;
  heals.wake_at = std::min(heals.wake_at, decision.wake_at);
  result_.decisions.insert_or_assign(heals.id, kept->decision);
  open = std::move(*kept);
}

void PlanPass::Gate() {
  for (const Open& open : open_) {
    const bool removes = open.decision->action == v1::STEP_ACTION_PRUNE ||
                         open.decision->action == v1::STEP_ACTION_DESTROY;
    if (!removes) continue;
    Removal removal{open.decision.get(), open.facts->inventory, {}};
    if (open.facts->pair.here != nullptr) {
      for (const v1::Container* container : open.facts->pair.here->containers) {
        removal.host_ports.insert(removal.host_ports.end(), container->host_ports().begin(),
                                  container->host_ports().end());
      }
    }
    removals_.emplace(open.decision->id, std::move(removal));
  }
  const DecisionOf decision_of = [this](const ResourceId& id) -> const Decision* {
    const auto it = result_.decisions.find(id);
    return it == result_.decisions.end() ? nullptr : it->second.get();
  };
  for (const Open& open : open_) {
    ApplyCommonGates(*open.facts, removals_, decision_of, *open.decision, procedure_needs_);
  }
  for (Open& open : open_) HealMeanwhile(open, decision_of);
  for (const Open& open : open_) {
    if (open.decision->wake_at != absl::InfiniteFuture()) {
      memo_->timers.insert({open.decision->wake_at, open.decision->id});
    }
  }
}

void PlanPass::AddChanges(const Facts& facts, const Decision& decision, v1::Step& step) {
  if (!ShowsChanges(facts, decision)) return;
  const auto owned = input_.inventory.find(facts.key);
  PlanMemo::Changes& cached = memo_->changes[facts.id];
  if (cached.before != owned->second || cached.after != facts.desired->spec) {
    cached.before = owned->second;
    cached.after = facts.desired->spec;
    cached.changes = resources::ComputeChanges(owned->second->applied(), *facts.desired->spec);
  }
  for (const v1::FieldChange& change : cached.changes) *step.add_changes() = change;
  // Declared as before, and yet another hash: what it is made of has changed.
  if (cached.changes.empty() && decision.rule == 9 && decision.reason == "spec hash differs") {
    step.set_reason("spec hash differs: a variable or a file changed");
  }
}

void PlanPass::FillHead() {
  v1::Plan& plan = result_.plan;
  for (const auto& [origin, source] : input_.desired->sources) {
    v1::PlanSync* sync = plan.add_syncs();
    sync->set_name(source.name);
    sync->set_revision(source.revision);
    sync->set_subject(source.subject);
    sync->set_files(source.files);
    sync->set_resources(source.resources);
    for (const v1::Problem& problem : source.problems) *sync->add_problems() = problem;
  }
  uint32_t servers = 0;
  for (auto it = input_.desired->resources.lower_bound(ResourceId{"server", ""});
       it != input_.desired->resources.end() && it->first.kind == "server"; ++it) {
    ++servers;
  }
  plan.set_servers(servers);
}

void PlanPass::Assemble() {
  std::vector<OrderItem> items;
  items.reserve(open_.size());
  for (const Open& open : open_) items.push_back({open.facts.get(), open.decision.get()});
  v1::Plan& plan = result_.plan;
  uint32_t invalid = 0;
  for (const size_t i : ComputeOrder(items)) {
    const Facts& facts = *open_[i].facts;
    const Decision& decision = *open_[i].decision;
    result_.step_index[facts.id] = plan.steps_size();
    v1::Step* step = plan.add_steps();
    *step = MakeStep(facts, decision);
    AddChanges(facts, decision, *step);
    if (decision.condition == v1::CONDITION_INVALID) ++invalid;
    if (decision.new_failure != nullptr) result_.new_failures.push_back(*decision.new_failure);
  }
  plan.set_invalid(invalid);
  plan.set_unchanged(static_cast<uint32_t>(result_.decisions.size() - open_.size()));
}

// Gates may have changed the condition since the decision.
void PlanPass::CountConditions() {
  for (const ResourceId& id : result_.decided) {
    const auto decision = result_.decisions.find(id);
    if (decision == result_.decisions.end()) continue;
    ++result_.conditions[{id.kind, decision->second->condition}];
  }
  std::erase_if(result_.conditions, [](const auto& item) { return item.second == 0; });
}

std::string PlanId(const PlanInput& input, const v1::Plan& plan) {
  std::string text;
  for (const v1::PlanSync& sync : plan.syncs()) {
    absl::StrAppend(&text, sync.name(), "\n", sync.revision(), "\n");
  }
  for (const v1::Step& step : plan.steps()) {
    absl::StrAppend(&text, step.resource(), "\n", static_cast<int>(step.action()), "\n",
                    step.target_hash(), "\n", step.live_hash(), "\n");
  }
  constexpr size_t kIdLength = 12;
  if (input.hasher != nullptr) return input.hasher->HashText(text).substr(0, kIdLength);
  // FNV-1a: without a key there is nothing to protect.
  uint64_t hash = 14695981039346656037u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return absl::StrCat(absl::Hex(hash, absl::kZeroPad16)).substr(0, kIdLength);
}

void PlanPass::CollectNeeds() {
  result_.needed_runs.clear();
  for (const char* kind : {"build", "repo"}) {
    for (auto it = result_.decisions.lower_bound(ResourceId{kind, ""});
         it != result_.decisions.end() && it->first.kind == kind; ++it) {
      const Decision& decision = *it->second;
      if (decision.needed_by.empty() || decision.has_step()) continue;
      result_.needed_runs.push_back({it->first.ToString(), decision.needed_by});
    }
  }
  for (const auto& [id, by] : procedure_needs_) {
    result_.needed_runs.push_back({id.ToString(), by});
  }
  std::sort(result_.needed_runs.begin(), result_.needed_runs.end(),
            [](const NeededRun& a, const NeededRun& b) { return a.resource < b.resource; });
}

PlanResult PlanPass::Finish() {
  result_.plan.Clear();
  result_.step_index.clear();
  result_.new_failures.clear();
  Gate();
  CollectNeeds();
  CountConditions();
  FillHead();
  Assemble();
  result_.plan.set_id(PlanId(input_, result_.plan));
  result_.wake_at = memo_->timers.empty() ? absl::InfiniteFuture() : memo_->timers.begin()->first;
  // Changes of steps that are gone are of no use any more.
  std::erase_if(memo_->changes,
                [this](const auto& item) { return !result_.step_index.contains(item.first); });
  result_.memo = std::move(memo_);
  return std::move(result_);
}

}  // namespace fairlead::sync
