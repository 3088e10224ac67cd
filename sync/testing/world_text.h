// Worlds as text, for golden tests: what is declared, what is live, what is remembered.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "resources/spec_hash.h"
#include "sync/planner.h"

namespace fairlead::sync {

// A source as text.
struct SourceText {
  std::string origin;
  std::string name;
  std::string revision = "r1";
  std::string subject;
  v1::Dialect dialect = v1::DIALECT_TOML;
  bool prune = false;
  bool approval = false;
  std::string prune_blocker;
  std::vector<std::string> match_tags;
  // By path.
  std::map<std::string, std::string> files;
};
std::shared_ptr<const SourceSnapshot> ReadSource(const SourceText& text);

// The key that hashes of tests use.
const resources::SpecHasher& TestHasher();
inline constexpr char kTestInstallation[] = "home";

struct World {
  PlanInput input;
  std::vector<std::shared_ptr<const SourceSnapshot>> sources;
};

// Reads the format that testdata/plans/README.md describes. InvalidArgument names the line.
absl::StatusOr<World> ReadWorld(absl::string_view text);

// A plan with its decisions as text; hashes are left out, times are relative to now.
std::string WritePlan(const PlanInput& input, const PlanResult& result);

// Everything of a result, byte for byte.
std::string Fingerprint(const PlanResult& result);

}  // namespace fairlead::sync
