#include "controller/loop/core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/log.h"
#include "base/proto_time.h"
#include "base/status.h"
#include "resources/container_spec.h"
#include "resources/kind_table.h"
#include "sync/made.h"

namespace fairlead::loop {
namespace {

// A pass that keeps changing its own input would be a bug; it is cut off rather than spinning.
constexpr int kRoundsPerPass = 6;

// Bytes of a stack's files that are kept with its spec, to go back to it.
constexpr std::size_t kFilesKept = 256u << 10;

}  // namespace

Core::Core(const store::StoreImage& image, const resources::SpecHasher& hasher,
           base::Random& random, CoreOptions options)
    : hasher_(hasher), random_(random), options_(std::move(options)) {
  declared_ = std::make_shared<const sync::DesiredState>();
  input_.desired = declared_;
  input_.live = std::make_shared<const sync::LiveState>();
  input_.installation = options_.installation;
  input_.hasher = &hasher_;
  for (const v1::InventoryEntry& entry : image.inventory) {
    input_.inventory[entry.resource()] = std::make_shared<const v1::InventoryEntry>(entry);
  }
  for (const v1::FailedSpec& failed : image.failed_specs) {
    input_.failed_specs[failed.resource()][failed.spec_hash()] = failed;
  }
  for (const v1::Hold& hold : image.holds) input_.holds[hold.resource()] = hold;
  for (const v1::Approval& approval : image.approvals) {
    input_.approvals[approval.resource()] = approval;
  }
  for (const v1::AttemptRecord& record : image.attempts) {
    input_.failed_attempts[record.resource()] = {.target_hash = record.target_hash(),
                                                 .action = record.action(),
                                                 .message = record.message(),
                                                 .attempts = static_cast<int>(record.attempts()),
                                                 .not_before = absl::InfiniteFuture()};
    kept_attempts_.insert(record.resource());
  }
  for (const v1::BuildRecord& record : image.builds) input_.builds[record.resource()] = record;
  for (const v1::RepoRecord& record : image.repos) input_.repos[record.resource()] = record;
  for (const v1::ProcedureRecord& record : image.procedures) {
    input_.procedures[record.resource()] = record;
  }
  for (const v1::ActionRecord& record : image.actions) {
    Occupy(record);
    running_[record.action().id()] = Running{.record = record};
  }
  next_event_id_ = image.last_event_id + 1;
  for (const v1::OriginRecord& record : image.origins) {
    const auto id = resources::ResourceId::Parse(record.resource());
    if (id.has_value() && record.origin() == "api") applied_[*id] = record.spec();
  }
  if (!applied_.empty()) PutApiSource();
  // Callers come before the first pass.
  auto view = std::make_shared<LoopView>();
  view->input.desired = input_.desired;
  view->input.live = input_.live;
  view_ = std::move(view);
}

void Core::OnSource(std::shared_ptr<const sync::SourceSnapshot> source) {
  const std::string origin = source->origin;
  auto& slot = sources_[origin];
  // The operator's permission was for what the former revision would delete.
  if (slot != nullptr && slot->revision != source->revision) input_.allow_delete.erase(origin);
  slot = std::move(source);
  unread_origins_.erase(origin);
  desired_stale_ = true;
}

void Core::OnSecrets(std::shared_ptr<const resources::Variables> secrets) {
  secrets_ = std::move(secrets);
  desired_stale_ = true;
}

void Core::OnRevision(std::shared_ptr<const sync::SourceSnapshot> source, v1::SyncRecord record,
                      absl::Time now) {
  const auto known = sources_.find(source->origin);
  const sync::SourceSnapshot* const before =
      known == sources_.end() ? nullptr : known->second.get();
  for (const auto& [id, text] : source->other_sources) {
    if (before != nullptr) {
      const auto was = before->other_sources.find(id);
      if (was != before->other_sources.end() && was->second == text) continue;
    }
    Emit(now, id.ToString(), "repository", text);
  }
  if (before == nullptr || before->revision != source->revision) {
    v1::Event event;
    event.set_resource(source->origin);
    event.set_type("revision");
    event.set_revision(source->revision);
    event.set_message(
        absl::StrCat("now at ", source->revision.substr(0, 7), " \"", source->subject, "\""));
    AddEvent(std::move(event), now);
  }
  batch_.put_syncs.push_back(std::move(record));
  OnSource(std::move(source));
}

void Core::OnApplied(const std::vector<v1::Resource>& applied, absl::Time now) {
  for (const v1::Resource& resource : applied) {
    const resources::ResourceId id = resources::IdOf(resource);
    applied_[id] = resource;
    v1::OriginRecord record;
    record.set_resource(id.ToString());
    record.set_origin("api");
    *record.mutable_spec() = resource;
    batch_.put_origins.push_back(std::move(record));
    Emit(now, id.ToString(), "applied", "declared by hand");
  }
  PutApiSource();
}

void Core::PutApiSource() {
  auto file = std::make_shared<resources::ParsedFile>();
  file->path = "api";
  for (const auto& [id, resource] : applied_) {
    resources::Declaration& declaration = file->declarations.emplace_back();
    declaration.id = id;
    declaration.position.file = "api";
    declaration.spec = std::make_shared<const v1::Resource>(resource);
  }
  auto source = std::make_shared<sync::SourceSnapshot>();
  source->origin = "api";
  source->name = "api";
  source->files.push_back(std::move(file));
  sources_["api"] = std::move(source);
  desired_stale_ = true;
}

bool Core::FollowSyncs() {
  std::set<std::string> unread;
  std::set<std::string> declared;
  for (auto at = input_.desired->resources.lower_bound({"resource_sync", ""});
       at != input_.desired->resources.end() && at->first.kind == "resource_sync"; ++at) {
    const std::string origin = at->first.ToString();
    declared.insert(origin);
    const bool acts =
        at->second->spec != nullptr && resources::NotYetReason(*at->second->spec).empty();
    if (acts && !sources_.contains(origin)) unread.insert(origin);
  }
  bool changed = unread != unread_origins_;
  unread_origins_ = std::move(unread);
  changed = std::erase_if(sources_,
                          [&](const auto& source) {
                            return source.first.starts_with("resource_sync/") &&
                                   !declared.contains(source.first);
                          }) != 0 ||
            changed;
  return changed;
}

void Core::OnHost(const std::shared_ptr<const sync::HostLive>& host) {
  auto live = std::make_shared<sync::LiveState>(*input_.live);
  auto& slot = live->hosts[host->server];
  const sync::LiveChange change = sync::ComputeLiveChange(slot.get(), *host);
  slot = host;
  input_.live = std::move(live);
  if (change.whole_host) {
    MarkAllDirty();
    return;
  }
  for (const std::string& resource : change.resources) MarkDirty(resource);
  if (change.foreign_names.empty()) return;
  const std::set<std::string> names(change.foreign_names.begin(), change.foreign_names.end());
  for (const auto& [id, desired] : input_.desired->resources) {
    if (desired->server == host->server && names.contains(desired->docker_name)) dirty_.insert(id);
  }
}

void Core::OnJournal(const std::string& server, uint64_t session, const v1::JournalReport& report,
                     absl::Time now) {
  sessions_[server] = session;
  std::set<std::string> known(report.running_action_ids().begin(),
                              report.running_action_ids().end());
  for (const v1::ActionOutcome& outcome : report.unacknowledged()) {
    known.insert(outcome.action_id());
  }
  std::vector<std::string> lost;
  for (auto& [id, running] : running_) {
    if (running.record.server() != server) continue;
    if (!known.contains(id)) lost.push_back(id);
  }
  for (const std::string& id : lost) OnLost(id);
  // A cancel that met no session.
  for (const auto& [id, running] : running_) {
    if (running.record.server() != server || running.cancelled_by.empty()) continue;
    cancel_.push_back({server, id, absl::StrCat("cancelled by ", running.cancelled_by)});
  }
  for (const v1::ActionOutcome& outcome : report.unacknowledged()) OnOutcome(server, outcome, now);
}

void Core::OnLost(const std::string& action_id) {
  // It never reached the agent: nothing was done, and the next plan decides anew.
  const v1::ActionRecord record = running_.at(action_id).record;
  const bool cancelled = !running_.at(action_id).cancelled_by.empty();
  const std::string& resource = record.action().resource();
  running_.erase(action_id);
  batch_.delete_actions.push_back(action_id);
  Vacate(record);
  // No plan knows of a restart that an operator asked for: the wish itself is taken up again.
  if (!record.operator_request() && !record.job()) return;
  if (cancelled) {
    v1::ActionOutcome outcome;
    outcome.set_status(v1::ACTION_STATUS_CANCELLED);
    Report(record, RequestReport::State::kEnded, outcome);
    return;
  }
  Report(record, RequestReport::State::kLost);
  // Its run asks again, from what is declared then.
  if (record.job()) return;
  const std::vector<std::string> ids(record.request_ids().begin(), record.request_ids().end());
  const auto [wish, is_new] = restarts_.try_emplace(
      resource, RestartWish{.request = {.kind = OperatorRequest::Kind::kRestart,
                                        .resource = resource,
                                        .who = record.who(),
                                        .request_id = ids.empty() ? "" : ids.front()},
                            .request_ids = ids});
  if (!is_new) {
    wish->second.request_ids.insert(wish->second.request_ids.end(), ids.begin(), ids.end());
  }
}

void Core::OnNotice(const std::string& server, const v1::AgentNotice& notice, absl::Time now) {
  Emit(now, notice.resource(), "agent-notice", absl::StrCat(server, ": ", notice.message()),
       notice.warning());
}

void Core::OnAllowDelete(const std::string& origin, uint32_t count) {
  input_.allow_delete[origin] = count;
  MarkAllDirty();
}

void Core::AddEvent(v1::Event event, absl::Time now) {
  event.set_id(next_event_id_++);
  *event.mutable_at() = base::ToProto(now);
  options_.observer->OnEvent(event);
  batch_.append_events.push_back(std::move(event));
}

void Core::Emit(absl::Time now, const std::string& resource, const std::string& type,
                const std::string& message, bool warning) {
  v1::Event event;
  event.set_resource(resource);
  event.set_type(type);
  event.set_message(message);
  event.set_warning(warning);
  const auto id = resources::ResourceId::Parse(resource);
  if (id.has_value()) {
    const auto desired = input_.desired->resources.find(*id);
    if (desired != input_.desired->resources.end()) {
      event.set_server(desired->second->server);
      event.set_revision(desired->second->revision);
    }
  }
  AddEvent(std::move(event), now);
}

void Core::MarkDirty(const std::string& resource) {
  if (const auto id = resources::ResourceId::Parse(resource)) dirty_.insert(*id);
}

void Core::RebuildDesired() {
  desired_stale_ = false;
  std::vector<std::shared_ptr<const sync::SourceSnapshot>> sources;
  sources.reserve(sources_.size());
  for (const auto& [origin, source] : sources_) sources.push_back(source);
  const std::shared_ptr<const sync::DesiredState> before = input_.desired;
  sync::DesiredOptions options;
  options.unread_origins = unread_origins_;
  options.secrets = secrets_;
  options.owner = [this, &before](const resources::ResourceId& id) -> std::string {
    const auto known = before->resources.find(id);
    if (known != before->resources.end()) return known->second->origin;
    const auto entry = input_.inventory.find(id.ToString());
    return entry == input_.inventory.end() ? "" : entry->second->origin();
  };
  const std::shared_ptr<const sync::DesiredState> declared_before = std::move(declared_);
  declared_ = sync::BuildDesiredState(sources, hasher_, options, declared_before.get());
  image_users_ = sync::FindImageUsers(*declared_, declared_before.get(), image_users_);
  images_stale_ = false;
  input_.desired = sync::FillImages(declared_, image_users_, input_, before.get());
  for (const std::string& resource : never_sent_) {
    ForgetAttempt(resource);
    MarkDirty(resource);
  }
  never_sent_.clear();
  ForgetLeftAttempts();
  if (all_dirty_ || input_.desired->complete != before->complete ||
      before->sources.size() != input_.desired->sources.size()) {
    MarkAllDirty();
    return;
  }
  for (resources::ResourceId& id : sync::ComputeDesiredChange(before.get(), *input_.desired)) {
    dirty_.insert(std::move(id));
  }
  // A prune guard speaks for a whole source.
  for (const auto& [origin, summary] : input_.desired->sources) {
    const auto was = before->sources.find(origin);
    if (was == before->sources.end() || was->second.prune_blocker != summary.prune_blocker ||
        was->second.prune != summary.prune || was->second.approval != summary.approval) {
      MarkAllDirty();
    }
  }
  for (const auto& id : dirty_) {
    // A server that changes concerns all that lives on it.
    if (id.kind == "server") MarkAllDirty();
  }
}

std::shared_ptr<const sync::DesiredState> Core::Preview(
    const std::shared_ptr<const sync::SourceSnapshot>& source) const {
  std::vector<std::shared_ptr<const sync::SourceSnapshot>> sources;
  bool placed = false;
  for (const auto& [origin, known] : sources_) {
    const bool replaced = source != nullptr && origin == source->origin;
    sources.push_back(replaced ? source : known);
    placed = placed || replaced;
  }
  if (!placed && source != nullptr) sources.push_back(source);
  sync::DesiredOptions options;
  options.unread_origins = unread_origins_;
  options.secrets = secrets_;
  if (source != nullptr) options.unread_origins.erase(source->origin);
  options.owner = [this](const resources::ResourceId& id) -> std::string {
    const auto known = input_.desired->resources.find(id);
    return known == input_.desired->resources.end() ? "" : known->second->origin;
  };
  const auto declared = sync::BuildDesiredState(sources, hasher_, options, declared_.get());
  const auto users = sync::FindImageUsers(*declared, nullptr, {});
  return sync::FillImages(declared, users, input_, input_.desired.get());
}

void Core::FillImages() {
  images_stale_ = false;
  const std::shared_ptr<const sync::DesiredState> before = input_.desired;
  input_.desired = sync::FillImages(declared_, image_users_, input_, before.get());
  for (const resources::ResourceId& id : image_users_) {
    const auto was = before->resources.find(id);
    const auto is = input_.desired->resources.find(id);
    const bool same = was != before->resources.end() && is != input_.desired->resources.end() &&
                      was->second == is->second;
    if (!same) dirty_.insert(id);
  }
}

void Core::OnMade(const store::StoreBatch& made) {
  for (const v1::BuildRecord& record : made.put_builds) {
    input_.builds[record.resource()] = record;
    images_stale_ = true;
    MarkDirty(record.resource());
  }
  for (const v1::RepoRecord& record : made.put_repos) {
    input_.repos[record.resource()] = record;
    MarkDirty(record.resource());
  }
  for (const v1::ProcedureRecord& record : made.put_procedures) {
    input_.procedures[record.resource()] = record;
    MarkDirty(record.resource());
  }
  for (const auto& [resource, hash] : made.delete_failed_specs) {
    if (input_.failed_specs.erase(resource) != 0) MarkDirty(resource);
  }
  for (const v1::FailedSpec& failed : made.put_failed_specs) {
    input_.failed_specs[failed.resource()][failed.spec_hash()] = failed;
    MarkDirty(failed.resource());
  }
}

absl::Status Core::Plan(absl::Time now) {
  input_.now = now;
  const bool everything = all_dirty_ || !has_result_;
  absl::StatusOr<sync::PlanResult> result =
      everything ? sync::ComputePlan(input_)
                 : sync::ComputePlan(input_, std::move(result_), dirty_);
  has_result_ = result.ok();
  if (everything || !result.ok()) publisher_.OnEverythingChanged();
  RETURN_IF_ERROR(result.status());
  result_ = *std::move(result);
  if (!everything) {
    for (const auto& id : result_.decided) publisher_.OnChanged(id);
  }
  return absl::OkStatus();
}

void Core::Settle(absl::Time now) {
  for (int round = 0; round < kRoundsPerPass; ++round) {
    if (images_stale_) FillImages();
    const absl::Status planned = Plan(now);
    if (!planned.ok()) {
      base::LogError("loop", "planning failed: ", planned.message());
      return;
    }
    dirty_.clear();
    all_dirty_ = false;
    bool changed = RecordNewFailures(now);
    changed = ForgetEntries(now) || changed;
    changed = UpdateEntries(result_.decided, now) || changed;
    if (!changed) return;
  }
}

CoreOutput Core::Pass(absl::Time now) {
  CoreOutput output;
  for (auto hold = input_.holds.begin(); hold != input_.holds.end();) {
    if (hold->second.has_expires_at() && base::FromProto(hold->second.expires_at()) <= now) {
      batch_.delete_holds.push_back(hold->first);
      MarkDirty(hold->first);
      Emit(now, hold->first, "released", "the hold has expired");
      hold = input_.holds.erase(hold);
    } else {
      ++hold;
    }
  }
  // A sync may declare further syncs; each round of reading settles one level.
  for (int round = 0; round < kRoundsPerPass && desired_stale_; ++round) {
    RebuildDesired();
    desired_stale_ = FollowSyncs();
  }
  Settle(now);
  StartRestarts(now, output);
  StartOpenSteps(now, output);
  StartJobs(now, output);
  // What was started is under way: the picture published says so.
  if (!dirty_.empty()) Settle(now);
  Publish(now);
  KeepAttempts();
  output.batch = std::move(batch_);
  batch_ = {};
  output.acknowledge = std::move(acknowledge_);
  acknowledge_.clear();
  output.cancel = std::move(cancel_);
  cancel_.clear();
  output.reports = std::move(reports_);
  reports_.clear();
  return output;
}

void Core::Publish(absl::Time now) {
  bool converged = !desired_stale_ && result_.plan.steps().empty();
  for (const auto& [kind_and_condition, count] : result_.conditions) {
    if (!sync::IsWell(kind_and_condition.second)) converged = false;
  }
  options_.observer->OnResources(result_.conditions);
  // Changed since the last plan: every change of the inventory is noted here.
  for (const auto& id : dirty_) publisher_.OnChanged(id);
  view_ = publisher_.Publish(input_, result_, converged);
  wake_at_ = result_.wake_at;
  for (const auto& [resource, hold] : input_.holds) {
    if (hold.has_expires_at()) {
      wake_at_ = std::min(wake_at_, base::FromProto(hold.expires_at()));
    }
  }
  // A time already passed is decided in this pass; looking again at once would spin.
  if (wake_at_ <= now) wake_at_ = now + absl::Milliseconds(20);
}

v1::InventoryEntry Core::EntryOf(const std::string& resource) const {
  const auto found = input_.inventory.find(resource);
  if (found != input_.inventory.end()) return *found->second;
  v1::InventoryEntry entry;
  entry.set_resource(resource);
  return entry;
}

void Core::PutEntry(v1::InventoryEntry entry) {
  const std::string resource = entry.resource();
  std::erase(batch_.delete_inventory, resource);
  std::erase_if(batch_.put_inventory,
                [&](const v1::InventoryEntry& other) { return other.resource() == resource; });
  batch_.put_inventory.push_back(entry);
  input_.inventory[resource] = std::make_shared<const v1::InventoryEntry>(std::move(entry));
  images_stale_ = images_stale_ || !image_users_.empty();
  MarkDirty(resource);
}

void Core::EraseEntry(const std::string& resource) {
  std::erase_if(batch_.put_inventory,
                [&](const v1::InventoryEntry& other) { return other.resource() == resource; });
  batch_.delete_inventory.push_back(resource);
  input_.inventory.erase(resource);
  MarkDirty(resource);
}

void Core::PutHistory(const v1::InventoryEntry& entry, v1::SpecRecord::Outcome outcome,
                      const std::string& reason, absl::Time now) {
  v1::SpecRecord record;
  record.set_resource(entry.resource());
  record.set_spec_hash(entry.applied_hash());
  *record.mutable_spec() = entry.applied();
  *record.mutable_files() = entry.applied_files();
  record.set_revision(entry.applied_revision());
  *record.mutable_at() = base::ToProto(now);
  record.set_outcome(outcome);
  record.set_reason(reason);
  batch_.put_history.push_back(std::move(record));
}

google::protobuf::RepeatedPtrField<v1::StackFile> Core::FilesToKeep(
    const v1::InventoryEntry& entry) const {
  const auto id = resources::ResourceId::Parse(entry.resource());
  const auto desired = input_.desired->resources.find(*id);
  const bool declared = desired != input_.desired->resources.end() &&
                        desired->second->spec_hash == entry.applied_hash();
  google::protobuf::RepeatedPtrField<v1::StackFile> files;
  if (!declared) {
    if (entry.good_hash() == entry.applied_hash()) files = entry.good_files();
    return files;
  }
  if (desired->second->files == nullptr) return files;
  std::size_t bytes = 0;
  for (const v1::StackFile& file : *desired->second->files) bytes += file.content().size();
  if (bytes > kFilesKept) return files;
  files.Assign(desired->second->files->begin(), desired->second->files->end());
  return files;
}

// It was healthy after all.
void Core::ForgetFailure(const std::string& resource, const std::string& spec_hash) {
  const auto failed = input_.failed_specs.find(resource);
  if (failed == input_.failed_specs.end() || failed->second.erase(spec_hash) == 0) return;
  if (failed->second.empty()) input_.failed_specs.erase(failed);
  std::erase_if(batch_.put_failed_specs, [&](const v1::FailedSpec& put) {
    return put.resource() == resource && put.spec_hash() == spec_hash;
  });
  batch_.delete_failed_specs.emplace_back(resource, spec_hash);
  MarkDirty(resource);
}

// Nothing of it is left, nor wanted back.
void Core::ForgetResource(const std::string& resource) {
  EraseEntry(resource);
  input_.failed_specs.erase(resource);
  input_.approvals.erase(resource);
  checked_.erase(resource);
  series_.erase(resource);
  ForgetAttempt(resource);
  const auto is_its = [&resource](const auto& record) { return record.resource() == resource; };
  std::erase_if(batch_.put_failed_specs, is_its);
  std::erase_if(batch_.put_approvals, is_its);
  std::erase_if(batch_.put_history, is_its);
  batch_.delete_failed_specs.emplace_back(resource, "");
  batch_.delete_approvals.push_back(resource);
  batch_.delete_history.push_back(resource);
}

uint32_t Core::HostLimit(const std::string& server) const {
  const auto desired = input_.desired->resources.find({"server", server});
  if (desired != input_.desired->resources.end() && desired->second->spec != nullptr &&
      desired->second->spec->server().max_parallel() > 0) {
    return desired->second->spec->server().max_parallel();
  }
  const auto host = input_.live->hosts.find(server);
  return host == input_.live->hosts.end() ? 1 : std::max(1u, host->second->cpus);
}

}  // namespace fairlead::loop
