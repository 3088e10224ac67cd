// A store in memory.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/mutex.h"
#include "controller/store/store.h"

namespace fairlead::store {

// Forgets everything when destroyed. Thread-safe.
class FakeStore : public Store {
 public:
  absl::StatusOr<StoreImage> Load() override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Apply(const StoreBatch& batch) override ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::vector<v1::Event>> ListEvents(const EventFilter& filter) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::vector<v1::Run>> ListRuns(const RunFilter& filter) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::vector<v1::SpecRecord>> ListHistory(const std::string& resource) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::vector<v1::AuditRecord>> ListAudit(const AuditFilter& filter) override
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Every Apply is ResourceExhausted ("disk full") and leaves nothing.
  std::atomic<bool> apply_fails = false;
  // Batches applied.
  std::atomic<uint64_t> applied = 0;

 private:
  void DeleteLocked(const StoreBatch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WriteAccessLocked(const StoreBatch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PutLocked(const StoreBatch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  base::Mutex mutex_;
  std::map<std::string, std::string> settings_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::InventoryEntry> inventory_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, v1::FailedSpec> failed_specs_
      ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::Hold> holds_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::ActionRecord> actions_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::SyncRecord> syncs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::OriginRecord> origins_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::Approval> approvals_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::AttemptRecord> attempts_ ABSL_GUARDED_BY(mutex_);
  // By resource; newest first.
  std::map<std::string, std::vector<v1::SpecRecord>> history_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::Run> runs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::ScheduleRecord> schedules_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::BuildRecord> builds_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::RepoRecord> repos_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::ProcedureRecord> procedures_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::JoinToken> join_tokens_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::AgentCertificate> agent_certificates_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::LocalUser> users_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::ApiKey> api_keys_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::SecretRecord> secrets_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::SessionRecord> sessions_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, v1::AuditRecord> audit_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, v1::Event> events_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::store
