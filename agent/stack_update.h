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
#include "agent/login_folder.h"
#include "agent/preflight.h"
#include "agent/stack_folder.h"
#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/live.pb.h"

namespace fairlead::agent {

// One ApplyStack. Only services whose hash is not that of all their containers, or that do not
// run as they should, are given to compose; a second run after a crash finds the others done.
// pre_deploy and post_deploy run only around a change. Lives for one Run.
class StackUpdate {
 public:
  // All outlive this.
  StackUpdate(ActionScope& scope, const v1::ApplyStack& request, ComposeCommand compose,
              const StackFolder& folder);

  // FailedPrecondition when the project belongs to somebody else, InvalidArgument when the files do
  // not resolve or a command around the deploy fails. A failure of compose leaves what runs.
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
    // As it is now.
    std::map<std::string, std::string> section_hash;
    // Changed by hand since it was made.
    bool changed = false;
    // Shares a namespace of a container that is gone.
    bool detached = false;
  };

  // What there is and what is wanted; touches no container.
  absl::Status LookAround();
  // Reads the record; refuses that of another resource.
  absl::Status ReadRecord();
  // Logins, profiles and the wrapper, for the calls of compose.
  absl::Status Surround();
  // Writes the files, and resolves them as the project's own, wherever they are.
  absl::Status Analyse();
  // A path of the project's files where it is now, and the other way round.
  std::string Written(absl::string_view path) const;
  std::string OfProject(absl::string_view path) const;
  std::vector<WatchedPath> WatchedPaths() const;
  // Names of services that config_files give and the project does not have.
  void WarnOfUnknownServices();
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
  // Services whose files ask for a restart.
  void DecideRestarts();
  bool WillChange() const;
  // With pre_deploy: what it did counts, so all is looked at again.
  absl::Status RunPreDeploy();
  // Also when only that is left of an earlier run.
  absl::Status RunPostDeploy();
  absl::Status RunHook(const std::string& what, const v1::HostCommand& command);
  absl::Status WriteOverride();
  bool IsTouched(const ComposeService& service) const;
  absl::Status EnsureImages();
  // Whether compose will be able to make what it is to make.
  absl::Status Preflight(HostChange change) const;
  absl::Status Build();
  absl::Status Up();
  absl::Status UpServices(const std::vector<std::string>& services, bool force);
  enum class Dependencies { kLeft, kIncluded };
  // In one call of compose.
  absl::Status UpTogether(const std::vector<std::string>& services, bool force,
                          Dependencies dependencies);
  absl::Status RestartServices();
  absl::Status RemoveGoneServices();
  bool IsGone(const std::string& service) const;
  absl::Status Record();
  std::string ContentOf(const std::string& path, const std::set<std::string>& but) const;
  std::string ContextOf(const std::string& path) const;
  std::string HashOfFile(const std::string& path) const;
  // Restart keys by service, as of the last time.
  std::map<std::string, std::string> ReadRestartKeys() const;
  absl::Status WriteRestartKeys() const;

  ActionScope& scope_;
  const v1::ApplyStack& request_;
  const StackFolder& folder_;
  LoginFolder login_folder_;
  ComposeCommand compose_;
  // Of `up`, without profiles.
  std::vector<std::string> extra_args_;
  std::vector<std::string> profiles_;
  // Where its files are written to: its own folder, or that of a look ahead.
  const StackFolder* source_;
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
  std::vector<std::string> restarts_;
};

}  // namespace fairlead::agent
