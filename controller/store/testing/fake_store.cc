#include "controller/store/testing/fake_store.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "controller/store/limits.h"

namespace fairlead::store {
namespace {

template <typename Key, typename Record>
std::vector<Record> RecordsOf(const std::map<Key, Record>& table) {
  std::vector<Record> records;
  for (const auto& [key, record] : table) records.push_back(record);
  return records;
}

void PutHistory(const v1::SpecRecord& record, std::vector<v1::SpecRecord>& records) {
  std::erase_if(records, [&record](const v1::SpecRecord& other) {
    return other.spec_hash() == record.spec_hash();
  });
  records.push_back(record);
  std::sort(records.begin(), records.end(), [](const v1::SpecRecord& a, const v1::SpecRecord& b) {
    const absl::Time time_a = base::FromProto(a.at());
    const absl::Time time_b = base::FromProto(b.at());
    return time_a != time_b ? time_a > time_b : a.spec_hash() < b.spec_hash();
  });
  if (records.size() > kSpecsKept) records.resize(kSpecsKept);
}

bool IsOlder(const v1::Run& a, const v1::Run& b) {
  const absl::Time time_a = base::FromProto(a.created_at());
  const absl::Time time_b = base::FromProto(b.created_at());
  return time_a != time_b ? time_a < time_b : a.id() < b.id();
}

bool IsNewer(const v1::Run& a, const v1::Run& b) {
  const absl::Time time_a = base::FromProto(a.created_at());
  const absl::Time time_b = base::FromProto(b.created_at());
  return time_a != time_b ? time_a > time_b : a.id() < b.id();
}

std::vector<v1::Run> OpenRuns(const std::map<std::string, v1::Run>& table) {
  std::vector<v1::Run> open = RecordsOf(table);
  std::erase_if(open, HasEnded);
  std::sort(open.begin(), open.end(), IsOlder);
  return open;
}

void TrimRuns(const std::string& resource, std::map<std::string, v1::Run>& table) {
  std::vector<v1::Run> ended = RecordsOf(table);
  std::erase_if(ended, [&resource](const v1::Run& run) {
    return run.resource() != resource || !HasEnded(run);
  });
  std::sort(ended.begin(), ended.end(), IsNewer);
  for (std::size_t i = kRunsKept; i < ended.size(); ++i) table.erase(ended[i].id());
}

}  // namespace

absl::StatusOr<StoreImage> FakeStore::Load() {
  base::MutexLock lock(mutex_);
  return StoreImage{.settings = settings_,
                    .inventory = RecordsOf(inventory_),
                    .failed_specs = RecordsOf(failed_specs_),
                    .holds = RecordsOf(holds_),
                    .actions = RecordsOf(actions_),
                    .syncs = RecordsOf(syncs_),
                    .origins = RecordsOf(origins_),
                    .approvals = RecordsOf(approvals_),
                    .attempts = RecordsOf(attempts_),
                    .runs = OpenRuns(runs_),
                    .schedules = RecordsOf(schedules_),
                    .builds = RecordsOf(builds_),
                    .repos = RecordsOf(repos_),
                    .procedures = RecordsOf(procedures_),
                    .join_tokens = RecordsOf(join_tokens_),
                    .agent_certificates = RecordsOf(agent_certificates_),
                    .users = RecordsOf(users_),
                    .api_keys = RecordsOf(api_keys_),
                    .secrets = RecordsOf(secrets_),
                    .sessions = RecordsOf(sessions_),
                    .last_event_id = events_.empty() ? 0 : events_.rbegin()->first};
}

absl::Status FakeStore::Apply(const StoreBatch& batch) {
  if (apply_fails) return absl::ResourceExhaustedError("fake store: disk full");
  base::MutexLock lock(mutex_);
  std::set<uint64_t> ids;
  for (const v1::Event& event : batch.append_events) {
    if (events_.contains(event.id()) || !ids.insert(event.id()).second) {
      return absl::AlreadyExistsError(absl::StrCat("append event ", event.id()));
    }
  }
  std::set<uint64_t> audit_ids;
  for (const v1::AuditRecord& record : batch.append_audit) {
    const bool is_there = audit_.contains(record.id()) && record.id() > batch.trim_audit_through;
    if (is_there || !audit_ids.insert(record.id()).second) {
      return absl::AlreadyExistsError(absl::StrCat("append audit record ", record.id()));
    }
  }
  DeleteLocked(batch);
  WriteAccessLocked(batch);
  PutLocked(batch);
  while (events_.size() > kEventsKept) events_.erase(events_.begin());
  ++applied;
  return absl::OkStatus();
}

void FakeStore::DeleteLocked(const StoreBatch& batch) {
  for (const std::string& key : batch.delete_inventory) inventory_.erase(key);
  for (const auto& [resource, hash] : batch.delete_failed_specs) {
    for (auto it = failed_specs_.begin(); it != failed_specs_.end();) {
      const bool matches =
          it->first.first == resource && (hash.empty() || it->first.second == hash);
      it = matches ? failed_specs_.erase(it) : std::next(it);
    }
  }
  for (const std::string& key : batch.delete_holds) holds_.erase(key);
  for (const std::string& key : batch.delete_actions) actions_.erase(key);
  for (const std::string& key : batch.delete_syncs) syncs_.erase(key);
  for (const std::string& key : batch.delete_origins) origins_.erase(key);
  for (const std::string& key : batch.delete_approvals) approvals_.erase(key);
  for (const std::string& key : batch.delete_attempts) attempts_.erase(key);
  for (const std::string& key : batch.delete_history) history_.erase(key);
  for (const std::string& key : batch.delete_schedules) schedules_.erase(key);
  for (const std::string& key : batch.delete_made) {
    builds_.erase(key);
    repos_.erase(key);
    procedures_.erase(key);
  }
}

void FakeStore::WriteAccessLocked(const StoreBatch& batch) {
  for (const std::string& key : batch.delete_join_tokens) join_tokens_.erase(key);
  for (const std::string& key : batch.delete_agent_certificates) agent_certificates_.erase(key);
  for (const std::string& key : batch.delete_users) users_.erase(key);
  for (const std::string& key : batch.delete_api_keys) api_keys_.erase(key);
  for (const std::string& key : batch.delete_secrets) secrets_.erase(key);
  for (const std::string& key : batch.delete_sessions) sessions_.erase(key);
  for (const auto& record : batch.put_join_tokens) join_tokens_[record.id()] = record;
  for (const auto& record : batch.put_agent_certificates) {
    agent_certificates_[record.serial()] = record;
  }
  for (const auto& record : batch.put_users) users_[record.name()] = record;
  for (const auto& record : batch.put_api_keys) api_keys_[record.id()] = record;
  for (const auto& record : batch.put_secrets) secrets_[record.name()] = record;
  for (const auto& record : batch.put_sessions) sessions_[record.id()] = record;
  audit_.erase(audit_.begin(), audit_.upper_bound(batch.trim_audit_through));
  for (const auto& record : batch.append_audit) audit_[record.id()] = record;
}

void FakeStore::PutLocked(const StoreBatch& batch) {
  for (const auto& [key, value] : batch.put_settings) settings_[key] = value;
  for (const auto& record : batch.put_inventory) inventory_[record.resource()] = record;
  for (const auto& record : batch.put_failed_specs) {
    failed_specs_[{record.resource(), record.spec_hash()}] = record;
  }
  for (const auto& record : batch.put_holds) holds_[record.resource()] = record;
  for (const auto& record : batch.put_actions) actions_[record.action().id()] = record;
  for (const auto& record : batch.put_syncs) syncs_[record.name()] = record;
  for (const auto& record : batch.put_origins) origins_[record.resource()] = record;
  for (const auto& record : batch.put_approvals) approvals_[record.resource()] = record;
  for (const auto& record : batch.put_attempts) attempts_[record.resource()] = record;
  for (const auto& record : batch.put_history) PutHistory(record, history_[record.resource()]);
  for (const auto& record : batch.put_schedules) schedules_[record.resource()] = record;
  for (const auto& record : batch.put_builds) builds_[record.resource()] = record;
  for (const auto& record : batch.put_repos) repos_[record.resource()] = record;
  for (const auto& record : batch.put_procedures) procedures_[record.resource()] = record;
  for (const auto& run : batch.put_runs) {
    runs_[run.id()] = run;
    TrimRuns(run.resource(), runs_);
  }
  for (const auto& event : batch.append_events) events_[event.id()] = event;
}

absl::StatusOr<std::vector<v1::Event>> FakeStore::ListEvents(const EventFilter& filter) {
  base::MutexLock lock(mutex_);
  std::vector<v1::Event> events;
  for (auto it = events_.rbegin(); it != events_.rend() && events.size() < filter.limit; ++it) {
    if (filter.resource.empty() || it->second.resource() == filter.resource) {
      events.push_back(it->second);
    }
  }
  std::reverse(events.begin(), events.end());
  return events;
}

absl::StatusOr<std::vector<v1::Run>> FakeStore::ListRuns(const RunFilter& filter) {
  base::MutexLock lock(mutex_);
  std::vector<v1::Run> runs = RecordsOf(runs_);
  std::erase_if(runs, [&filter](const v1::Run& run) {
    return (!filter.id.empty() && run.id() != filter.id) ||
           (!filter.resource.empty() && run.resource() != filter.resource);
  });
  std::sort(runs.begin(), runs.end(), IsNewer);
  if (runs.size() > filter.limit) runs.resize(filter.limit);
  return runs;
}

absl::StatusOr<std::vector<v1::AuditRecord>> FakeStore::ListAudit(const AuditFilter& filter) {
  base::MutexLock lock(mutex_);
  std::vector<v1::AuditRecord> records;
  for (const auto& [id, record] : audit_) {
    if (id > filter.after_id && base::FromProto(record.at()) >= filter.since) {
      records.push_back(record);
    }
  }
  if (records.size() <= filter.limit) return records;
  const auto surplus = static_cast<std::ptrdiff_t>(records.size() - filter.limit);
  if (filter.newest) {
    records.erase(records.begin(), records.begin() + surplus);
  } else {
    records.resize(filter.limit);
  }
  return records;
}

absl::StatusOr<std::vector<v1::SpecRecord>> FakeStore::ListHistory(const std::string& resource) {
  base::MutexLock lock(mutex_);
  const auto records = history_.find(resource);
  return records == history_.end() ? std::vector<v1::SpecRecord>() : records->second;
}

}  // namespace fairlead::store
