// Reads a sync's files at one revision of its mirror.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "fairlead/v1/resource_sync.pb.h"
#include "fairlead/v1/service.pb.h"
#include "fairlead/v1/state.pb.h"
#include "sync/desired.h"
#include "sync/git/mirror.h"

namespace fairlead::loop {

// Of one sync. Keeps the files of the last load parsed, by blob id, so that only changed ones
// are read again. Confined to one thread at a time.
class SourceLoader {
 public:
  // `mirror` outlives the loader.
  SourceLoader(std::string name, git::Mirror& mirror) : name_(std::move(name)), mirror_(mirror) {}

  // NotFound when the revision or a path is not there. `last` is the record of the revision read
  // last, for the prune guard; may be null.
  absl::StatusOr<std::shared_ptr<const sync::SourceSnapshot>> Load(const v1::ResourceSync& spec,
                                                                   const std::string& revision,
                                                                   const v1::SyncRecord* last);

 private:
  using FileKey = std::pair<std::string, std::string>;  // path, blob id
  absl::Status LoadStackFiles(const git::Revision& revision, sync::SourceSnapshot& snapshot);

  const std::string name_;
  git::Mirror& mirror_;
  v1::Dialect dialect_ = v1::DIALECT_TOML;
  std::map<FileKey, std::shared_ptr<const resources::ParsedFile>> parsed_;
  // By id of the run directory's tree and the paths asked for.
  std::map<std::string, sync::StackFiles> stack_files_;
};

// The snapshot of files given by hand (a working tree) instead of a revision.
std::shared_ptr<const sync::SourceSnapshot> SnapshotOfFiles(
    const std::string& origin, const std::string& name, const v1::ResourceSync& spec,
    const std::vector<v1::SourceFile>& files);

// Files of a snapshot that hold resources, for the record.
v1::SyncRecord RecordOf(const sync::SourceSnapshot& snapshot, absl::Time now);

}  // namespace fairlead::loop
