// Reads from the engine what is reported of containers.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <boost/json/fwd.hpp>
#include "absl/status/statusor.h"

#include "agent/container_records.h"
#include "agent/engine_client.h"
#include "agent/live_view.h"
#include "agent/prober.h"
#include "agent/secret_texts.h"
#include "base/clock.h"
#include "fairlead/v1/live.pb.h"
#include "resources/spec_hash.h"

namespace fairlead::agent {

// Knows which containers are ours, has those asked that are to be, and remembers what the engine
// forgets: that a run was ended by a kill, and logs already read. Confined to the reporter's
// thread.
class ContainerWatch {
 public:
  // All outlive this. Without a `prober` nothing is asked.
  ContainerWatch(const EngineClient& engine, ContainerRecords& records, SecretTexts& secrets,
                 const base::Clock& clock, std::string data_directory, Prober* prober);

  void SetInstallation(const std::string& installation,
                       std::shared_ptr<const resources::SpecHasher> hasher);

  // Everything on the host.
  struct Look {
    std::vector<v1::Container> containers;
    std::vector<v1::Project> projects;
  };
  // With `known` a container of ours that the list shows unchanged is taken from there.
  absl::StatusOr<Look> LookAtAll(const LiveView* known);

  // The container of `event` as it is now. NotFound when it is gone; FailedPrecondition when it
  // is no concern of the event (a network of somebody else's container).
  absl::StatusOr<v1::Container> LookAt(const EngineEvent& event, const LiveView& view);

  // Remembers kills. True when what is said of the container may change by that alone.
  bool Note(const EngineEvent& event);

 private:
  bool IsOurs(const v1::Container& container) const;
  // `known` says what the list says.
  bool IsCurrent(const v1::Container& known, const v1::Container& listed) const;
  absl::StatusOr<v1::Container> Inspect(const std::string& id);
  // Its sections now, and which of them are not as recorded.
  void FillSections(const boost::json::object& inspect, v1::Container& container);
  // What its probe found, for a container that has one.
  void FillProbed(const boost::json::object& inspect, v1::Container& container);
  std::string LogTailOf(const v1::Container& container, bool tty);
  CallLimits Limits(absl::Duration time) const;

  const EngineClient& engine_;
  ContainerRecords& records_;
  SecretTexts& secrets_;
  const base::Clock& clock_;
  const std::string data_directory_;
  Prober* const prober_;
  std::string installation_;
  std::shared_ptr<const resources::SpecHasher> hasher_;
  // Compose projects applied here.
  std::set<std::string> projects_;
  // Containers whose last run was ended by a kill or stop.
  std::set<std::string> killed_;
  // What image references stand for, during one look at all.
  std::optional<std::map<std::string, std::string>> images_now_;
  // Containers in which secrets of an earlier run were looked for.
  std::set<std::string> searched_;
  struct Tail {
    // End of the run, or the health, that the text belongs to.
    std::string of;
    std::string text;
  };
  std::map<std::string, Tail> tails_;
};

}  // namespace fairlead::agent
