// What a resolved compose configuration says. Pure, but for the contents it asks for.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <boost/json/fwd.hpp>
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "agent/host_needs.h"
#include "fairlead/v1/action.pb.h"
#include "resources/spec_hash.h"

namespace fairlead::agent {

struct ComposeService {
  std::string name;
  // "v1:KEYID:HASH" over the resolved definition, the contents of files it mounts, and the
  // hashes of services whose namespaces it shares.
  std::string hash;
  int replicas = 1;
  // Empty when it is built without a name.
  std::string image;
  bool builds = false;
  // Of networks and volumes those that compose does not make itself.
  HostNeeds needs;
  // Changes with the files that ask for a restart of it; empty: there are none.
  std::string restart_key;
  // Services whose containers this one shares namespaces or volumes with: it must be recreated
  // after them, which compose does not do.
  std::set<std::string> tied_to;
};

// A file whose change asks for something.
struct WatchedPath {
  // Absolute.
  std::string path;
  // Empty: all.
  std::set<std::string> services;
  v1::ApplyStack::WatchedFile::Effect effect = v1::ApplyStack::WatchedFile::EFFECT_NONE;
};

struct ComposeQuestion {
  // From `config`: services, networks, volumes, secrets, configs.
  const boost::json::object& config;
  const resources::SpecHasher& hasher;
  // Text that changes when what is mounted from this absolute path changes, but for the files of
  // the second; empty for a path that does not count.
  std::function<std::string(const std::string&, const std::set<std::string>&)> content_of;
  // COMPOSE_PROFILES.
  std::vector<std::string> profiles;
  // Mounted or not; what is said here of a file counts instead.
  std::vector<WatchedPath> watched;
  // The same text for the folder that an image is built from; absent: builds do not count.
  std::function<std::string(const std::string&)> context_of = nullptr;
};

// The active services, each behind those it depends on, else by name. InvalidArgument when there
// is none, or when services share namespaces in a circle.
absl::StatusOr<std::vector<ComposeService>> AnalyseServices(const ComposeQuestion& question);

// A compose file that adds labels, by service. JSON, which is YAML too.
std::string ToLabelOverride(
    const std::map<std::string, std::map<std::string, std::string>>& labels);

// `text` of a compose file without a top-level `name:`, which docker-compose 1 refuses.
std::string StripTopLevelName(absl::string_view text);

}  // namespace fairlead::agent
