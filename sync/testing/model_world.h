// A small model of hosts and controller: performs the steps of plans, so that laws of planning
// can be tested over whole histories.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "sync/planner.h"
#include "sync/testing/world_text.h"

namespace fairlead::sync {

// Confined to one test. Images steer what containers do: "bad:..." exits at once with 1,
// "slow:..." never gets healthy, "job:..." ends at once with 0.
class ModelWorld {
 public:
  ModelWorld() { AdvanceTo(absl::FromUnixSeconds(1'700'000'000)); }

  // Declares; a source of the same origin is replaced.
  void Declare(const SourceText& source);
  void RemoveSource(const std::string& origin);
  void Connect(const std::string& server, bool online);

  // Things that happen on hosts behind the controller's back.
  void RemoveContainer(const std::string& server, const std::string& id);
  void Change(const std::string& server, const v1::Container& container);
  const std::map<std::string, HostLive>& hosts() const { return hosts_; }

  void Hold(const std::string& resource);
  void Release(const std::string& resource);

  void AdvanceTo(absl::Time now) { input_.now = now; }
  absl::Time now() const { return input_.now; }

  // The world as the planner sees it, and what changed in it since the last call of TakeDirty.
  const PlanInput& Look();
  std::set<resources::ResourceId> TakeDirty();

  // What a controller notes after each plan: failed specs, good specs, what was forgotten.
  void Note(const PlanResult& result);
  // Carries out a step at once.
  void Perform(const v1::Step& step, const Decision& decision);

 private:
  const v1::Resource* SpecOf(const Decision& decision) const;
  HostLive& Host(const std::string& server) { return hosts_.at(server); }
  void Touch(const std::string& resource);
  v1::Container NewContainer(const std::string& resource, const v1::Resource& spec,
                             const std::string& hash, bool leave_stopped);
  void Run(v1::Container& container);
  static void Halt(v1::Container& container, absl::Time now);
  void Put(const std::string& server, const v1::Container& container);
  std::vector<v1::Container> Owned(const std::string& server, const std::string& resource) const;
  void RemoveOwned(const std::string& server, const std::string& resource);
  void Apply(const std::string& server, const Decision& decision);
  void ApplyStack(const std::string& server, const Decision& decision, const v1::Resource& spec);
  void EndReplacement(const std::string& server, const std::string& resource, bool keep_new);
  void RecordApplied(const Decision& decision, const v1::Resource& spec,
                     const std::string& container_id);
  v1::InventoryEntry& Entry(const std::string& resource);

  std::map<std::string, std::shared_ptr<const SourceSnapshot>> sources_;
  std::map<std::string, HostLive> hosts_;
  std::map<std::string, std::shared_ptr<const HostLive>> shown_hosts_;
  std::map<std::string, v1::InventoryEntry> entries_;
  PlanInput input_;
  bool sources_changed_ = true;
  std::set<std::string> touched_;
  std::set<resources::ResourceId> dirty_;
  int containers_ = 0;
};

}  // namespace fairlead::sync
