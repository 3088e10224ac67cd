// The controller's store as a disk shows it after a crash: batches that were applied, whole.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "controller/store/store.h"
#include "controller/store/testing/fake_store.h"
#include "fairlead/v1/state.pb.h"
#include "integration/simulation/stage.h"

namespace fairlead::simulation {

// Outlives the controllers that use it. Confined to one run.
class DurableStore {
 public:
  explicit DurableStore(Stage& stage) : stage_(stage) {}

  absl::Status Apply(const store::StoreBatch& batch);
  store::StoreImage Load() { return *inner_.Load(); }

  // Decided and without a durable outcome; null for all others.
  const v1::ActionRecord* OpenAction(const std::string& id) const;
  std::size_t open_actions() const { return open_.size(); }

  // The disk is full until then.
  void FillUpUntil(absl::Time until) { full_until_ = until; }
  // No durable text holds one of these.
  void ForbidText(const std::string& secret) { secrets_.push_back(secret); }

 private:
  void CheckSecrets(const store::StoreBatch& batch);

  Stage& stage_;
  store::FakeStore inner_;
  std::map<std::string, v1::ActionRecord> open_;
  std::vector<std::string> secrets_;
  absl::Time full_until_ = absl::InfinitePast();
};

}  // namespace fairlead::simulation
