#include "sync/facts.h"

#include "absl/strings/str_cat.h"

#include "resources/container_spec.h"
#include "resources/kind_table.h"

namespace fairlead::sync {
namespace {

template <typename Value>
const Value* FindIn(const std::map<std::string, Value>& map, const std::string& key) {
  if (map.empty()) return nullptr;
  const auto it = map.find(key);
  return it == map.end() ? nullptr : &it->second;
}

bool IsInForce(const v1::Hold& hold, absl::Time now) {
  return !hold.has_expires_at() || FromProto(hold.expires_at()) > now;
}

// A spec that stands in may be of another place and name than the declared one.
void Locate(Facts& facts) {
  if (facts.desired == nullptr) {
    facts.server_name = facts.inventory == nullptr ? "" : facts.inventory->server();
    facts.docker_name = facts.inventory == nullptr ? "" : facts.inventory->name();
  } else if (facts.target.uses_good_spec && facts.target.spec != nullptr) {
    facts.server_name = resources::ServerOf(*facts.target.spec);
    facts.docker_name = resources::DockerNameOf(*facts.target.spec);
  } else {
    facts.server_name = facts.desired->server;
    facts.docker_name = facts.desired->docker_name;
  }
  if (!facts.server_name.empty()) facts.server = &facts.context.Server(facts.server_name);
}

void CompareHash(Facts& facts) {
  if (facts.shape == Shape::kProject) {
    // An empty hash was never completely applied: it differs.
    if (facts.pair.project != nullptr) facts.live_hash = facts.pair.project->spec_hash();
    facts.hash_matches = facts.pair.project != nullptr && facts.live_hash == facts.target.hash;
    if (facts.live_hash.empty()) return;
  } else {
    if (facts.pair.current == nullptr) return;
    facts.live_hash = facts.pair.current->spec_hash();
    facts.hash_matches = facts.live_hash == facts.target.hash;
  }
  if (facts.hash_matches) return;
  const resources::SpecHasher* hasher = facts.input().hasher;
  if (hasher != nullptr && !hasher->CanVerify(facts.live_hash)) {
    facts.unverified = true;
    facts.hash_matches = true;
  }
}

}  // namespace

Shape ShapeOf(absl::string_view kind) {
  if (kind == "deployment") return Shape::kContainer;
  if (kind == "stack") return Shape::kProject;
  return Shape::kNone;
}

const ServerFacts& PlanContext::Server(const std::string& name) {
  std::unique_ptr<ServerFacts>& known = servers_[name];
  if (known != nullptr) return *known;
  known = std::make_unique<ServerFacts>();
  ServerFacts& facts = *known;
  const auto host = index.hosts().find(name);
  if (host != index.hosts().end()) facts.host = host->second->host.get();
  const auto declared = input.desired->resources.find(resources::ResourceId{"server", name});
  if (declared != input.desired->resources.end()) {
    facts.declared = true;
    const auto& spec = declared->second->spec;
    facts.enabled = spec == nullptr || spec->server().enabled();
  }
  return facts;
}

std::unique_ptr<Facts> GatherFacts(PlanContext& context, const resources::ResourceId& id,
                                   const DesiredResource* desired,
                                   const v1::InventoryEntry* inventory, bool unapproved) {
  const PlanInput& input = context.input;
  auto facts = std::make_unique<Facts>(Facts{.context = context, .id = id});
  facts->key.reserve(id.kind.size() + 1 + id.name.size());
  absl::StrAppend(&facts->key, id.kind, "/", id.name);
  facts->shape = ShapeOf(id.kind);
  facts->desired = desired;
  facts->inventory = inventory;
  facts->unapproved = unapproved;
  if (facts->shape != Shape::kNone) facts->presence = context.index.Find(facts->key);
  if (desired == nullptr && inventory == nullptr && facts->presence.places.empty()) return nullptr;
  if (const v1::Hold* hold = FindIn(input.holds, facts->key);
      hold != nullptr && IsInForce(*hold, input.now)) {
    facts->hold = hold;
  }
  facts->attempt = FindIn(input.failed_attempts, facts->key);
  if (const auto* busy = FindIn(input.busy, facts->key)) facts->busy = *busy;
  if (facts->shape == Shape::kNone) return facts;
  facts->target = ComputeTarget(*facts);
  Locate(*facts);
  facts->pair = ComputePair(*facts);
  if (facts->target.spec != nullptr) facts->health = HealthRulesOf(*facts->target.spec);
  facts->vitals =
      ComputeVitals(facts->pair.members, facts->health, facts->clock_offset(), input.now);
  CompareHash(*facts);
  return facts;
}

}  // namespace fairlead::sync
