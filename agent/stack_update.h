// Makes one compose project equal to its files.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "agent/action_scope.h"
#include "agent/compose_command.h"
#include "agent/compose_project.h"
#include "agent/preflight.h"
#include "agent/stack_folder.h"
#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/live.pb.h"

namespace fairlead::agent {

// One ApplyStack. Only services whose hash is not that of all their containers, or that do not
// run as they should, are given to compose; a second run after a crash finds the others done.
// Lives for one Run.
class StackUpdate {
 public:
  // All outlive this.
  StackUpdate(ActionScope& scope, const v1::ApplyStack& request, const ComposeCommand& compose,
              const StackFolder& folder)
      : scope_(scope), request_(request), compose_(compose), folder_(folder) {}

  // FailedPrecondition when the project belongs to somebody else. A failure of compose leaves
  // what runs.
  absl::Status Run();

  // Whether Run would find what it needs, images included; they are pulled. Its files are written
  // into `scratch` instead of those of the project. Changes no container.
  absl::Status Check(const StackFolder& scratch, bool networks_may_come);

  // Records the project as it runs. FailedPrecondition when compose would change anything of it,
  // or when it belongs to somebody else. Changes no container.
  absl::Status Adopt();

 private:
  struct Present {
    v1::Container container;
    // What compose labelled it with.
    std::string compose_hash;
    // Changed by hand since it was made.
    bool changed = false;
    // Shares a namespace of a container that is gone.
    bool detached = false;
  };

  // Reads the record; refuses that of another resource.
  absl::Status ReadRecord();
  // Writes the files into `folder`, and resolves them as if they were the project's own.
  absl::Status Analyse(const StackFolder& folder);
  // Reads the project's containers.
  absl::Status Survey();
  // FailedPrecondition when all there is belongs to others.
  absl::Status RefuseStrangers() const;
  bool IsOurs(const v1::Container& container) const;
  // It ended as it should and is not to be started again.
  static bool IsCompleted(const v1::Container& container);
  // FailedPrecondition for a container that is another resource's.
  absl::Status RefuseOwners() const;
  // What compose would change; empty: nothing. `hashes` as ComposeCommand::ServiceHashes.
  std::vector<std::string> Differences(const std::map<std::string, std::string>& hashes) const;
  // An adopted service that only needs to be started: it has no labels, and a change of labels
  // would recreate it.
  bool StaysAdopted(const ComposeService& service) const;
  bool IsRight(const ComposeService& service) const;
  bool HasHash(const Present& present, const ComposeService& service) const;
  void Decide();
  absl::Status WriteOverride();
  bool IsTouched(const ComposeService& service) const;
  absl::Status EnsureImages();
  // Whether compose will be able to make what it is to make.
  absl::Status Preflight(HostChange change) const;
  absl::Status Up();
  absl::Status UpServices(const std::vector<std::string>& services, bool force);
  absl::Status RemoveGoneServices();
  absl::Status Record();
  // `path` as of the project's own files, which are in `folder` now.
  std::string ContentOf(const std::string& path, const StackFolder& folder) const;

  ActionScope& scope_;
  const v1::ApplyStack& request_;
  const ComposeCommand& compose_;
  const StackFolder& folder_;
  StackInput input_;
  // Run directory of the project; `input_` has that of a look ahead.
  std::string run_directory_;
  std::vector<ComposeService> services_;
  // By service, in the engine's order.
  std::map<std::string, std::vector<Present>> present_;
  // As of the last complete apply.
  v1::Project record_;
  std::vector<std::string> touched_;
  std::set<std::string> forced_;
};

}  // namespace fairlead::agent
