// Makes the container of a resource be what is declared.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"

#include "agent/action_scope.h"
#include "agent/preflight.h"
#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/live.pb.h"

namespace fairlead::agent {

// One ApplyContainer, or the look ahead at one. Looks at the engine first and goes on from what it
// finds, so that a second run after a crash at any point ends as the first would have. What it
// changed is undone when a later step fails: the container that ran before runs again. Lives for
// one Run.
class ContainerReplacement {
 public:
  // Both outlive this.
  ContainerReplacement(ActionScope& scope, const v1::ApplyContainer& request)
      : scope_(scope), request_(request), spec_(request.spec()) {}

  // FailedPrecondition when somebody else's container holds the name. A failed pull changes
  // nothing.
  absl::Status Run();
  // The same looks, and the image; no container is changed. Ok when a Run would find nothing in its
  // way, once what else the change is about is done.
  absl::Status Check(bool networks_may_come);

 private:
  absl::Status Survey();
  // The container of the resource that has this name; somebody else's is an error if `name` is
  // needed, and nothing otherwise.
  absl::StatusOr<std::optional<v1::Container>> Holder(const std::string& name,
                                                      bool is_needed) const;
  absl::Status FindStray();
  // The new container is to start while the old one serves.
  bool Overlaps() const;
  // Right hash, and nobody changed it since it was made.
  absl::StatusOr<bool> IsWanted(const v1::Container& container) const;
  // `wanted` is right, but may have to be started.
  absl::Status CompleteWanted(const v1::Container& wanted);
  absl::Status Replace();
  // What is in the way is found before anything stops.
  absl::Status Preflight(HostChange change);
  absl::Status MakeRoom();
  // Stops `container` for good and gives it the name of the old one.
  absl::Status SetAside(v1::Container container);
  absl::Status Create();
  absl::Status Start(const std::string& id);
  // Removes what this action made and puts the old container back.
  void Undo();
  absl::Status Remove(const v1::Container& container);

  ActionScope& scope_;
  const v1::ApplyContainer& request_;
  const v1::ContainerSpec& spec_;
  // The holder of the name.
  std::optional<v1::Container> current_;
  // The holder of NAME.fairlead-old, kept by an earlier step or by this one, or one that is about
  // to have that name.
  std::optional<v1::Container> old_;
  // Made to take the place of a container that still serves.
  std::optional<v1::Container> coming_;
  // A container of the resource under another name.
  std::optional<v1::Container> stray_;
  // Name to give back to the old one.
  std::string old_name_before_;
  // Made by this action.
  std::string created_id_;
};

}  // namespace fairlead::agent
