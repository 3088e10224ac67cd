// What must survive a crash, behind one contract (store_contract.h runs on every implementation).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "fairlead/v1/access.pb.h"
#include "fairlead/v1/secret.pb.h"
#include "fairlead/v1/state.pb.h"

namespace fairlead::store {

// Everything at start, in order of key.
struct StoreImage {
  // Small values: installation id, hash key and its id.
  std::map<std::string, std::string> settings;
  std::vector<v1::InventoryEntry> inventory;
  std::vector<v1::FailedSpec> failed_specs;
  std::vector<v1::Hold> holds;
  // Decided and not finished.
  std::vector<v1::ActionRecord> actions;
  std::vector<v1::SyncRecord> syncs;
  std::vector<v1::OriginRecord> origins;
  std::vector<v1::Approval> approvals;
  std::vector<v1::AttemptRecord> attempts;
  // Those that have not ended, in order of creation.
  std::vector<v1::Run> runs;
  std::vector<v1::ScheduleRecord> schedules;
  std::vector<v1::BuildRecord> builds;
  std::vector<v1::RepoRecord> repos;
  std::vector<v1::ProcedureRecord> procedures;
  std::vector<v1::JoinToken> join_tokens;
  std::vector<v1::AgentCertificate> agent_certificates;
  std::vector<v1::LocalUser> users;
  std::vector<v1::ApiKey> api_keys;
  std::vector<v1::SecretRecord> secrets;
  // Also those that have expired.
  std::vector<v1::SessionRecord> sessions;
  // Of the newest event; 0 when there is none.
  uint64_t last_event_id = 0;
};

// Changes that happen all or not at all. Deletes come before puts; deleting what is not there
// is no error.
struct StoreBatch {
  std::map<std::string, std::string> put_settings;
  std::vector<v1::InventoryEntry> put_inventory;
  // By resource.
  std::vector<std::string> delete_inventory;
  std::vector<v1::FailedSpec> put_failed_specs;
  // By resource and spec hash; an empty hash deletes all of the resource.
  std::vector<std::pair<std::string, std::string>> delete_failed_specs;
  std::vector<v1::Hold> put_holds;
  std::vector<std::string> delete_holds;
  std::vector<v1::ActionRecord> put_actions;
  // By action id.
  std::vector<std::string> delete_actions;
  std::vector<v1::SyncRecord> put_syncs;
  std::vector<std::string> delete_syncs;
  std::vector<v1::OriginRecord> put_origins;
  std::vector<std::string> delete_origins;
  std::vector<v1::Approval> put_approvals;
  // By resource.
  std::vector<std::string> delete_approvals;
  std::vector<v1::AttemptRecord> put_attempts;
  // By resource.
  std::vector<std::string> delete_attempts;
  // One for each resource and spec hash; of a resource the newest kSpecsKept stay.
  std::vector<v1::SpecRecord> put_history;
  // By resource.
  std::vector<std::string> delete_history;
  // Of a resource all that have not ended and the newest kRunsKept others stay.
  std::vector<v1::Run> put_runs;
  std::vector<v1::ScheduleRecord> put_schedules;
  // By resource.
  std::vector<std::string> delete_schedules;
  std::vector<v1::BuildRecord> put_builds;
  std::vector<v1::RepoRecord> put_repos;
  std::vector<v1::ProcedureRecord> put_procedures;
  // By resource ("build/api", "repo/site", "procedure/nightly"): what a job or run left of it.
  std::vector<std::string> delete_made;
  // By id, serial, name and id.
  std::vector<v1::JoinToken> put_join_tokens;
  std::vector<std::string> delete_join_tokens;
  std::vector<v1::AgentCertificate> put_agent_certificates;
  std::vector<std::string> delete_agent_certificates;
  std::vector<v1::LocalUser> put_users;
  std::vector<std::string> delete_users;
  std::vector<v1::ApiKey> put_api_keys;
  std::vector<std::string> delete_api_keys;
  std::vector<v1::SecretRecord> put_secrets;
  // By name.
  std::vector<std::string> delete_secrets;
  // By id.
  std::vector<v1::SessionRecord> put_sessions;
  std::vector<std::string> delete_sessions;
  // Removes audit records up to this id; before the appends.
  uint64_t trim_audit_through = 0;
  // Ids are given by the caller, rising; one that is there is AlreadyExists. There is no way to
  // change a record.
  std::vector<v1::AuditRecord> append_audit;
  // Ids are given by the caller, rising.
  std::vector<v1::Event> append_events;

  bool empty() const {
    return put_settings.empty() && put_inventory.empty() && delete_inventory.empty() &&
           put_failed_specs.empty() && delete_failed_specs.empty() && put_holds.empty() &&
           delete_holds.empty() && put_actions.empty() && delete_actions.empty() &&
           put_syncs.empty() && delete_syncs.empty() && put_origins.empty() &&
           delete_origins.empty() && put_approvals.empty() && delete_approvals.empty() &&
           put_attempts.empty() && delete_attempts.empty() && put_history.empty() &&
           delete_history.empty() && put_runs.empty() && put_schedules.empty() &&
           delete_schedules.empty() && put_builds.empty() && put_repos.empty() &&
           put_procedures.empty() && delete_made.empty() && put_join_tokens.empty() &&
           delete_join_tokens.empty() && put_agent_certificates.empty() &&
           delete_agent_certificates.empty() && put_users.empty() && delete_users.empty() &&
           put_api_keys.empty() && delete_api_keys.empty() && trim_audit_through == 0 &&
           append_audit.empty() && put_secrets.empty() && delete_secrets.empty() &&
           put_sessions.empty() && delete_sessions.empty() && append_events.empty();
  }
};

// Nothing of the run happens any more.
inline bool HasEnded(const v1::Run& run) {
  return run.state() != v1::RUN_STATE_WAITING && run.state() != v1::RUN_STATE_RUNNING;
}

struct EventFilter {
  // Empty is all.
  std::string resource;
  // Newest so many; returned oldest first.
  uint32_t limit = 100;
};

struct RunFilter {
  // Empty is all.
  std::string id;
  std::string resource;
  // Newest so many.
  uint32_t limit = 50;
};

struct AuditFilter {
  // Only records with a greater id.
  uint64_t after_id = 0;
  // Only those of this time or later.
  absl::Time since = absl::InfinitePast();
  uint32_t limit = 1000;
  // The newest so many instead of the oldest.
  bool newest = false;
  // DataLoss names a record of which the time that `since` goes by is not its own.
  bool check_times = false;
};

// Thread-safe. Every method blocks on the disk; ResourceExhausted when it is full, Unavailable
// when the database does not answer: both may be tried again.
class Store {
 public:
  virtual ~Store() = default;

  virtual absl::StatusOr<StoreImage> Load() = 0;
  // Durable when it returns OK; nothing of it is visible otherwise.
  virtual absl::Status Apply(const StoreBatch& batch) = 0;
  virtual absl::StatusOr<std::vector<v1::Event>> ListEvents(const EventFilter& filter) = 0;
  // Specs of the resource that were applied, newest first.
  virtual absl::StatusOr<std::vector<v1::SpecRecord>> ListHistory(const std::string& resource) = 0;
  // Newest first.
  virtual absl::StatusOr<std::vector<v1::Run>> ListRuns(const RunFilter& filter) = 0;
  // In order of id.
  virtual absl::StatusOr<std::vector<v1::AuditRecord>> ListAudit(const AuditFilter& filter) = 0;

  // For who may not wait for the database any longer: calls under way and later ones fail at once,
  // as if it were gone. Any thread may call it.
  virtual void Abandon() {}
};

}  // namespace fairlead::store
