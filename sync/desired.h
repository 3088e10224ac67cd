// Desired state: what all sources together declare.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"

#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/common.pb.h"
#include "fairlead/v1/plan.pb.h"
#include "fairlead/v1/resource.pb.h"
#include "fairlead/v1/resource_sync.pb.h"
#include "resources/host_ports.h"
#include "resources/interpolation.h"
#include "resources/reference.h"
#include "resources/resource_id.h"
#include "resources/spec_hash.h"
#include "resources/toml_reader.h"

namespace fairlead::sync {

// The files of a stack that come from the sync's own repository.
using StackFiles = std::shared_ptr<const std::vector<v1::StackFile>>;

// What a resource_sync takes from its files.
struct SourceFilters {
  // Resources carry all of these.
  std::vector<std::string> match_tags;
  bool include_resources = true;
  bool include_variables = true;
  bool include_user_groups = true;

  bool operator==(const SourceFilters&) const = default;
};

// One source at one revision, as read. Immutable.
struct SourceSnapshot {
  // "resource_sync/main", "bootstrap" or "api".
  std::string origin;
  // "main"; equals the origin for the two others.
  std::string name;
  std::string revision;
  // First line of the commit message.
  std::string subject;
  v1::Dialect dialect = v1::DIALECT_TOML;
  // In sorted order of path.
  std::vector<std::shared_ptr<const resources::ParsedFile>> files;
  // Files of stacks from this repository or another, and what is wrong with them.
  std::map<resources::ResourceId, StackFiles> stack_files;
  std::map<resources::ResourceId, std::vector<v1::Problem>> stack_problems;
  // By stack: which files of another repository are its own, or why there are none. Differs when
  // the files do.
  std::map<resources::ResourceId, std::string> other_sources;
  // Remove what is no longer declared.
  bool prune = false;
  // Its changes wait for approval.
  bool approval = false;
  // Why nothing may be pruned, although the files themselves are well: "the source has not been
  // read", "stacks.toml held resources at the last good revision and now holds none". Empty:
  // nothing speaks against it.
  std::string prune_blocker;
  SourceFilters filters;
};

// One declared resource after all files are seen. Immutable.
struct DesiredResource {
  resources::ResourceId id;
  std::string origin;
  std::string sync;
  // Of the first build that saw it as it is; what is in effect now is in `sources`.
  std::string revision;
  resources::SourcePosition position;
  v1::Dialect dialect = v1::DIALECT_TOML;
  // As declared; null when it cannot be read (see problems).
  std::shared_ptr<const v1::Resource> spec;
  // Interpolated; null when a placeholder, a reference or the spec itself is wrong.
  std::shared_ptr<const v1::Resource> resolved;
  StackFiles files;
  // Over `resolved` and `files`; empty when there is none.
  std::string spec_hash;
  // Errors and warnings. An error makes the resource invalid.
  std::vector<v1::Problem> problems;
  bool invalid = false;
  // Secret values within `resolved`.
  std::vector<std::string> secrets;
  // Resolved names of `after`; unresolved ones in `missing_after`, as written.
  std::vector<resources::ResourceId> after;
  std::vector<std::string> missing_after;
  // Docker-side name and server.
  std::string docker_name;
  std::string server;
  // Ports of the server that it publishes while it runs.
  std::vector<resources::HostPort> ports;
  // What this version does not act on yet (resources::NotYetReason); empty: nothing.
  std::string not_yet;
  // Names of the variables and of the other resources that it depends on; what sharing looks at.
  std::vector<std::string> placeholders;
  std::vector<resources::Reference> references;
  // Of a deployment of a build: "build/api", and why its image is not known so far.
  std::string image_build;
  std::string waits_for;
  bool waits_for_ever = false;
  // A problem of it comes from another resource: a duplicate, a name or port taken twice, a cycle.
  bool entangled = false;
};

// What a plan says of one source.
struct SourceSummary {
  std::string origin;
  std::string name;
  std::string revision;
  std::string subject;
  uint32_t files = 0;
  uint32_t resources = 0;
  bool prune = false;
  bool approval = false;
  // Why nothing of it may be pruned; includes errors of its files. Empty: it may.
  std::string prune_blocker;
  // Problems of files and of resources, by file and position.
  std::vector<v1::Problem> problems;
};

// All sources at once. Immutable; readers hold it by shared_ptr<const DesiredState>.
struct DesiredState {
  absl::btree_map<resources::ResourceId, std::shared_ptr<const DesiredResource>> resources;
  // By origin.
  std::map<std::string, SourceSummary> sources;
  resources::Variables variables;
  // Of variables whose values files of secrets give: "PATH of ORIGIN" of the one that counts. Where
  // two of one origin have it, which makes it have no value, the first.
  std::map<std::string, std::string> secret_files;
  // Those of the options, by pointer. May be null.
  std::shared_ptr<const resources::Variables> secrets;
  // The reverse of `after`: who waits for a resource. Null: nobody for any.
  std::shared_ptr<const std::map<resources::ResourceId, std::vector<resources::ResourceId>>>
      dependents;
  // By build, the deployments that are to run its image. Null: none.
  std::shared_ptr<const std::map<resources::ResourceId, std::vector<resources::ResourceId>>>
      image_users;
  // Raised with each build.
  uint64_t generation = 0;
  // Every source has been read completely at least once: pruning may begin.
  bool complete = false;
  // What it was built from.
  std::vector<std::shared_ptr<const SourceSnapshot>> read_from;
  // Set when it is the state of the generation before with these resources replaced.
  std::optional<std::vector<resources::ResourceId>> patched;
};

struct DesiredOptions {
  // Origins that exist but have no snapshot yet: nothing is pruned while there is one.
  std::set<std::string> unread_origins;
  // The origin that owns a resource so far (from the inventory and from earlier builds): it
  // keeps a resource that two origins declare. Empty when nobody does.
  std::function<std::string(const resources::ResourceId&)> owner;
  // Values kept outside of the sources, by name; they go before declared ones. May be null.
  std::shared_ptr<const resources::Variables> secrets;
};

// Merges the sources: duplicates, tags, variables, references, cycles, hashes. Resources that
// did not change against `previous` (may be null) are shared with it, not computed again; but
// for DesiredResource::revision and the generation the result is the same either way.
std::shared_ptr<const DesiredState> BuildDesiredState(
    const std::vector<std::shared_ptr<const SourceSnapshot>>& sources,
    const resources::SpecHasher& hasher, const DesiredOptions& options,
    const DesiredState* previous);

// Resources that came, went or changed from `before` (null: nothing) to `after`, in order.
std::vector<resources::ResourceId> ComputeDesiredChange(const DesiredState* before,
                                                        const DesiredState& after);

// Variables whose values somebody else keeps: name to `from`.
std::map<std::string, std::string> SourcesOfSecrets(const DesiredState& state);

// Equal in all but revision.
bool IsSame(const DesiredResource& a, const DesiredResource& b);

}  // namespace fairlead::sync
