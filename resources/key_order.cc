#include "resources/key_order.h"

#include <limits>
#include <optional>

#include "absl/strings/string_view.h"

#include "fairlead/v1/resource.pb.h"
#include "resources/field_table.h"
#include "resources/kind_table.h"

namespace fairlead::resources {
namespace {

// More than a message has fields.
constexpr std::size_t kUnknownRank = 100000;
constexpr std::size_t kConfigRank = std::numeric_limits<std::size_t>::max();

// What the keys of a table mean.
struct Scope {
  enum class Type {
    // The keys are top-level tables.
    kFile,
    // An entry of a kind.
    kEntry,
    // A message.
    kFields,
    // `type` and `params` of a tagged message.
    kTagged,
    // The `params`: fields of any member of the message.
    kParams,
    // Nothing is known.
    kOpen,
  };
  Type type = Type::kOpen;
  // Of an entry.
  const Kind* kind = nullptr;
  const FieldTable* fields = nullptr;
};

struct Step {
  // Nothing for a key without a field.
  std::optional<std::size_t> rank;
  Scope inner;
};

Step StepInto(const Field& field, std::size_t before = 0) {
  Step step{.rank = before + field.index, .inner = {}};
  // The keys of a map are not fields.
  if (field.message == nullptr || field.rule->form() == v1::FORM_MAP) return step;
  step.inner.type =
      field.rule->form() == v1::FORM_TAGGED ? Scope::Type::kTagged : Scope::Type::kFields;
  step.inner.fields = field.message;
  return step;
}

Step StepIntoFile(absl::string_view key) {
  const Kind* kind = FindKind(key);
  if (kind == nullptr) return {};
  return {.rank = {}, .inner = {.type = Scope::Type::kEntry, .kind = kind}};
}

Step StepIntoEntry(const Kind& kind, absl::string_view key) {
  const FieldTable& entry = FieldsOf(v1::Resource::descriptor());
  const Field* field = entry.Find(key);
  if (field != nullptr && field->AppliesTo(kind.name)) return StepInto(*field);
  if (kind.flat) {
    const Field* flat = FieldsOf(kind.message).Find(key);
    return flat == nullptr ? Step{} : StepInto(*flat, entry.fields.size());
  }
  if (key != "config") return {};
  return {.rank = kConfigRank,
          .inner = {.type = kind.tagged ? Scope::Type::kTagged : Scope::Type::kFields,
                    .fields = &FieldsOf(kind.message)}};
}

Step StepIntoTagged(const FieldTable& tagged, absl::string_view key) {
  if (key == "type") return {.rank = 0, .inner = {}};
  if (key != "params") return {};
  return {.rank = 1, .inner = {.type = Scope::Type::kParams, .fields = &tagged}};
}

Step StepIntoParams(const FieldTable& tagged, absl::string_view key) {
  std::size_t before = 0;
  for (const Field& member : tagged.fields) {
    if (member.message == nullptr) continue;
    if (const Field* field = member.message->Find(key)) return StepInto(*field, before);
    before += member.message->fields.size();
  }
  return {};
}

Step StepIntoScope(const Scope& scope, absl::string_view key) {
  switch (scope.type) {
    case Scope::Type::kFile:
      return StepIntoFile(key);
    case Scope::Type::kEntry:
      return StepIntoEntry(*scope.kind, key);
    case Scope::Type::kFields: {
      const Field* field = scope.fields->Find(key);
      return field == nullptr ? Step{} : StepInto(*field);
    }
    case Scope::Type::kTagged:
      return StepIntoTagged(*scope.fields, key);
    case Scope::Type::kParams:
      return StepIntoParams(*scope.fields, key);
    case Scope::Type::kOpen:
      break;
  }
  return {};
}

}  // namespace

std::vector<std::size_t> KeyOrder::RankOf(const std::vector<std::string>& path) {
  std::vector<std::size_t> ranks;
  std::vector<std::string> prefix;
  Scope scope{.type = Scope::Type::kFile};
  for (const std::string& key : path) {
    prefix.push_back(key);
    const Step step = StepIntoScope(scope, key);
    ranks.push_back(step.rank
                        ? *step.rank
                        : kUnknownRank + unknown_.emplace(prefix, unknown_.size()).first->second);
    scope = step.inner;
  }
  return ranks;
}

}  // namespace fairlead::resources
