#include "integration/simulation/store.h"

#include "absl/strings/match.h"

namespace fairlead::simulation {

absl::Status DurableStore::Apply(const store::StoreBatch& batch) {
  if (stage_.timeline.now() < full_until_) return absl::ResourceExhaustedError("disk full");
  CheckSecrets(batch);
  const absl::Status status = inner_.Apply(batch);
  if (!status.ok()) {
    stage_.Violate("the store refuses a batch: ", status.message());
    return status;
  }
  for (const std::string& id : batch.delete_actions) open_.erase(id);
  for (const v1::ActionRecord& record : batch.put_actions) open_[record.action().id()] = record;
  return status;
}

const v1::ActionRecord* DurableStore::OpenAction(const std::string& id) const {
  const auto found = open_.find(id);
  return found == open_.end() ? nullptr : &found->second;
}

void DurableStore::CheckSecrets(const store::StoreBatch& batch) {
  const auto check = [this](const auto& messages, const char* what) {
    for (const auto& message : messages) {
      const std::string bytes = message.SerializeAsString();
      for (const std::string& secret : secrets_) {
        if (absl::StrContains(bytes, secret)) {
          stage_.Violate("a secret is stored in ", what, ": ", message.ShortDebugString());
        }
      }
    }
  };
  check(batch.put_inventory, "the inventory");
  check(batch.put_failed_specs, "failed specs");
  check(batch.put_actions, "actions");
  check(batch.put_attempts, "failed attempts");
  check(batch.append_events, "events");
}

}  // namespace fairlead::simulation
