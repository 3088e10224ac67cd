// Reads a sync's files at one revision of its mirror.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "controller/loop/repo_mirrors.h"
#include "controller/loop/repo_source.h"
#include "controller/loop/stack_place.h"
#include "fairlead/v1/resource_sync.pb.h"
#include "fairlead/v1/service.pb.h"
#include "fairlead/v1/state.pb.h"
#include "sync/desired.h"
#include "sync/git/mirror.h"

namespace fairlead::loop {

// Of one sync. Keeps what it read last, so that the next revision costs by what differs. Confined
// to one thread at a time.
class SourceLoader {
 public:
  using AskRepo = std::function<RepoAnswer(const RepoQuestion&)>;
  // Reads a file of secrets; never fails (ParsedFile::variables). One that is closed (ClosedFiles)
  // is read anew by each load: the reason may be a key that comes later, or a busy machine.
  using Decrypt =
      std::function<resources::ParsedFile(const std::string& path, absl::string_view content)>;

  // `mirror` outlives the loader. `ask` answers at once.
  SourceLoader(std::string name, git::Mirror& mirror, AskRepo ask, Decrypt decrypt)
      : name_(std::move(name)),
        mirror_(mirror),
        ask_(std::move(ask)),
        decrypt_(std::move(decrypt)) {}

  // NotFound when the revision or a path is not there. `good_revision` is the last one that was
  // read completely, for the prune guard; may be empty.
  absl::StatusOr<std::shared_ptr<const sync::SourceSnapshot>> Load(
      const v1::ResourceSync& spec, const std::string& revision, const std::string& good_revision);

  // What the last load asked of other repositories.
  const std::set<RepoQuestion>& questions() const { return questions_; }

 private:
  using ParsedFile = std::shared_ptr<const resources::ParsedFile>;
  // Shared between revisions.
  struct File {
    std::string path;
    std::string blob_id;
    ParsedFile parsed;
    // Declares a stack whose files are in a repository, in this one or another.
    bool has_stacks = false;
  };
  using FilePointer = std::shared_ptr<const File>;
  // The files of one stack.
  struct StackContent {
    // Prefix, paths and blob ids: equal keys have equal contents.
    std::string key;
    sync::StackFiles files;
  };
  // Where they are. Not usable: a problem has been noted.
  struct StackFileList {
    bool is_usable = false;
    std::string key;
    // Of the run directory, with '/' at the end.
    std::string prefix;
    git::FileList entries;
  };
  // One revision as read. Files are sorted by path.
  struct Tree {
    std::string commit;
    std::vector<std::string> paths;
    v1::Dialect dialect = v1::DIALECT_TOML;
    std::vector<FilePointer> files;
    // Those among them that hold no resource, and those with stacks of this repository.
    std::vector<FilePointer> empty;
    std::vector<FilePointer> with_stacks;
    std::map<resources::ResourceId, StackContent> stacks;
    std::shared_ptr<const sync::SourceSnapshot> snapshot;
  };
  // What differs from `tree_`; null stands for everything.
  using Changes = std::vector<std::string>;

  absl::StatusOr<FilePointer> Parse(const git::FileEntry& entry);
  static void AddFile(FilePointer file, Tree& tree);
  absl::Status ReadWhole(Tree& tree);
  absl::Status Patch(const Changes& changes, Tree& tree);
  std::unique_ptr<Changes> FindChanges(const Tree& tree);
  void AddOtherRepos(const Tree& tree, sync::SourceSnapshot& snapshot);
  absl::Status AddStackFiles(const Changes* changes, Tree& tree, sync::SourceSnapshot& snapshot);
  StackFileList FindFilesOf(const resources::Declaration& declaration, const StackPlace& place,
                            const std::string& commit, sync::SourceSnapshot& snapshot);
  std::string PruneBlocker(const Tree& tree, const std::string& good_revision);
  // The file as it was at the good revision; null when it held no resources there.
  FilePointer FileAt(const std::string& good_revision, const File& file);
  // The files as the snapshot shows them: one that cannot be read holds what it held at the good
  // revision, each as a resource that cannot be read.
  std::vector<ParsedFile> CarryOver(const Tree& tree, const std::string& good_revision);

  const std::string name_;
  git::Mirror& mirror_;
  const AskRepo ask_;
  const Decrypt decrypt_;
  std::set<RepoQuestion> questions_;
  // Of the last load.
  Tree tree_;
};

// The snapshot of files given by hand (a working tree) instead of a revision; with the files of
// secrets that the sync has now, which do not leave the controller.
std::shared_ptr<const sync::SourceSnapshot> SnapshotOfFiles(
    const std::string& origin, const std::string& name, const v1::ResourceSync& spec,
    const std::vector<v1::SourceFile>& files, const sync::DesiredState& in_force);

// Files of secrets without any value, and why, as text; empty: there is none.
std::string ClosedFiles(const sync::SourceSnapshot& snapshot);

// What is kept of a sync once `snapshot` is in force; `good_revision` is that of the record before.
v1::SyncRecord RecordOf(const sync::SourceSnapshot& snapshot, const std::string& good_revision,
                        absl::Time now);

}  // namespace fairlead::loop
