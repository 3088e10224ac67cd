#include "controller/access/permission.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/status.h"
#include "resources/field_table.h"
#include "resources/name_pattern.h"

namespace fairlead::access {
namespace {

constexpr absl::string_view kTagPrefix = "tag:";
constexpr absl::string_view kSystem = "system";

// The kind of a type, "system" for what is none.
std::string KindOf(v1::ResourceType type) {
  const auto* const value = v1::ResourceType_descriptor()->FindValueByNumber(type);
  if (value == nullptr) return std::string(kSystem);
  const std::string& kind = value->options().GetExtension(v1::value).kind();
  return kind.empty() ? std::string(kSystem) : kind;
}

// System where no target can name the kind.
v1::ResourceType TypeOf(absl::string_view kind) {
  static const auto* const types = [] {
    auto* made = new absl::flat_hash_map<std::string, v1::ResourceType>();
    for (int i = 0; i < v1::ResourceType_descriptor()->value_count(); ++i) {
      const auto type =
          static_cast<v1::ResourceType>(v1::ResourceType_descriptor()->value(i)->number());
      (*made)[KindOf(type)] = type;
    }
    return made;
  }();
  const auto found = types->find(kind);
  return found == types->end() ? v1::RESOURCE_TYPE_SYSTEM : found->second;
}

template <typename Entry>
Right RightOf(const Entry& entry) {
  Right right(entry.level());
  for (const int specific : entry.specific()) {
    right.Add(static_cast<v1::SpecificPermission>(specific));
  }
  return right;
}

template <typename Enum>
std::vector<std::string> LowerNames(const google::protobuf::EnumDescriptor* type) {
  std::vector<std::string> names;
  for (int i = 0; i < type->value_count(); ++i) {
    names.push_back(
        absl::AsciiStrToLower(resources::TextOf(static_cast<Enum>(type->value(i)->number()))));
  }
  return names;
}

// The value of that text in lower case; nothing when there is none.
template <typename Enum>
std::optional<Enum> ValueOf(const google::protobuf::EnumDescriptor* type, absl::string_view text) {
  const std::vector<std::string> names = LowerNames<Enum>(type);
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(type->value(static_cast<int>(found - names.begin()))->number());
}

template <typename Entry>
absl::Status ReadRight(absl::string_view text, Entry& entry) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, '+');
  const auto level = ValueOf<v1::PermissionLevel>(v1::PermissionLevel_descriptor(), words[0]);
  if (!level.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", words[0], "\" is no level; write one of ",
        absl::StrJoin(LowerNames<v1::PermissionLevel>(v1::PermissionLevel_descriptor()), ", ")));
  }
  entry.set_level(*level);
  for (std::size_t i = 1; i < words.size(); ++i) {
    const auto specific =
        ValueOf<v1::SpecificPermission>(v1::SpecificPermission_descriptor(), words[i]);
    if (!specific.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", words[i], "\" cannot be allowed besides a level; known are ",
          absl::StrJoin(LowerNames<v1::SpecificPermission>(v1::SpecificPermission_descriptor()),
                        ", ")));
    }
    entry.add_specific(*specific);
  }
  return absl::OkStatus();
}

}  // namespace

std::string Right::Text() const {
  std::string text =
      absl::AsciiStrToLower(resources::TextOf(static_cast<v1::PermissionLevel>(level_)));
  for (int i = 0; i < v1::SpecificPermission_descriptor()->value_count(); ++i) {
    const int number = v1::SpecificPermission_descriptor()->value(i)->number();
    if ((specifics_ & (1u << static_cast<unsigned>(number))) == 0) continue;
    absl::StrAppend(
        &text, "+",
        absl::AsciiStrToLower(resources::TextOf(static_cast<v1::SpecificPermission>(number))));
  }
  return text;
}

struct Grants::Targeted {
  v1::ResourceType type = v1::RESOURCE_TYPE_SYSTEM;
  Right right;
  // Either a tag or a pattern.
  std::string tag;
  std::optional<resources::NamePattern> pattern;

  bool Matches(const Subject& subject) const {
    if (pattern.has_value()) return pattern->Matches(subject.name);
    return std::find(subject.tags.begin(), subject.tags.end(), tag) != subject.tags.end();
  }
};

absl::StatusOr<Grants> Grants::Compile(
    const google::protobuf::RepeatedPtrField<v1::TypePermission>& all,
    const google::protobuf::RepeatedPtrField<v1::Permission>& permissions) {
  Grants grants;
  grants.kinds_.resize(static_cast<std::size_t>(v1::ResourceType_ARRAYSIZE));
  for (const v1::TypePermission& each : all) {
    Right& right = grants.kinds_[static_cast<std::size_t>(each.type())];
    right = right.Or(RightOf(each));
  }
  for (const v1::Permission& each : permissions) {
    auto targeted = std::make_shared<Targeted>();
    targeted->type = each.target().type();
    targeted->right = RightOf(each);
    absl::string_view id = each.target().id();
    if (absl::ConsumePrefix(&id, kTagPrefix)) {
      targeted->tag = std::string(id);
    } else {
      ASSIGN_OR_RETURN(targeted->pattern, resources::NamePattern::Parse(id),
                       absl::StrCat("target ", KindOf(targeted->type), " \"", id, "\""));
    }
    grants.targeted_.push_back(std::move(targeted));
  }
  return grants;
}

Right Grants::Of(const Subject& subject) const {
  if (kinds_.empty()) return {};
  const v1::ResourceType type = TypeOf(subject.kind);
  Right right = kinds_[static_cast<std::size_t>(type)];
  for (const auto& targeted : targeted_) {
    if (targeted->type == type && targeted->Matches(subject)) right = right.Or(targeted->right);
  }
  return right;
}

Right Grants::OfKind(absl::string_view kind) const {
  return kinds_.empty() ? Right() : kinds_[static_cast<std::size_t>(TypeOf(kind))];
}

bool Grants::empty() const {
  return std::all_of(kinds_.begin(), kinds_.end(), [](Right right) { return right.empty(); }) &&
         std::all_of(targeted_.begin(), targeted_.end(),
                     [](const auto& targeted) { return targeted->right.empty(); });
}

Policy::Policy(std::vector<Group> groups, const std::vector<Subject>& declared)
    : groups_(std::move(groups)), declared_(declared) {
  for (std::size_t i = 0; i < declared_.size(); ++i) {
    positions_[absl::StrCat(declared_[i].kind, "/", declared_[i].name)] = i;
  }
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    if (groups_[i].everyone) everyone_.push_back(i);
    for (const std::string& user : groups_[i].users) users_[user].push_back(i);
    std::vector<Right>& rights = rights_.emplace_back();
    rights.reserve(declared_.size());
    for (const Subject& subject : declared_) rights.push_back(groups_[i].grants.Of(subject));
  }
}

std::vector<std::size_t> Policy::GroupsOf(absl::string_view user,
                                          const std::vector<std::string>& more) const {
  std::set<std::size_t> found(everyone_.begin(), everyone_.end());
  const auto listed = users_.find(std::string(user));
  if (listed != users_.end()) found.insert(listed->second.begin(), listed->second.end());
  for (std::size_t i = 0; i < groups_.size(); ++i) {
    const std::string& name = groups_[i].name;
    if (!name.empty() && std::find(more.begin(), more.end(), name) != more.end()) found.insert(i);
  }
  return {found.begin(), found.end()};
}

Subject Policy::SubjectOf(absl::string_view key) const {
  const auto position = positions_.find(key);
  if (position != positions_.end()) return declared_[position->second];
  const std::size_t slash = key.find('/');
  if (slash == absl::string_view::npos) return {std::string(key), "", {}};
  return {std::string(key.substr(0, slash)), std::string(key.substr(slash + 1)), {}};
}

Right Policy::Of(const std::vector<std::size_t>& groups, absl::string_view key) const {
  Right right;
  const auto position = positions_.find(key);
  if (position != positions_.end()) {
    for (const std::size_t group : groups) right = right.Or(rights_[group][position->second]);
    return right;
  }
  // Not declared, such as what is to be applied: its patterns are tried.
  const Subject subject = SubjectOf(key);
  for (const std::size_t group : groups) right = right.Or(groups_[group].grants.Of(subject));
  return right;
}

Right Policy::OfKind(const std::vector<std::size_t>& groups, absl::string_view kind) const {
  Right right;
  for (const std::size_t group : groups) right = right.Or(groups_[group].grants.OfKind(kind));
  return right;
}

bool Policy::AllowsNothing(const std::vector<std::size_t>& groups) const {
  return std::all_of(groups.begin(), groups.end(),
                     [this](std::size_t group) { return groups_[group].grants.empty(); });
}

absl::Status AddPermission(absl::string_view text, v1::ApiKey& key) {
  const std::size_t first = text.find(':');
  const std::size_t last = text.rfind(':');
  if (first == absl::string_view::npos || first == last) {
    return absl::InvalidArgumentError(absl::StrCat("permission \"", text,
                                                   "\": write KIND:NAME:LEVEL, such as ",
                                                   "stack:web-*:execute+logs or all:*:read"));
  }
  const absl::string_view kind = text.substr(0, first);
  const absl::string_view id = text.substr(first + 1, last - first - 1);
  const absl::string_view right = text.substr(last + 1);
  const std::string context = absl::StrCat("permission \"", text, "\"");
  const bool is_all = kind == "all";
  const v1::ResourceType type = TypeOf(kind);
  if (!is_all && KindOf(type) != kind) {
    return absl::InvalidArgumentError(absl::StrCat(
        context, ": \"", kind, "\" is no kind that permissions know; \"all\" is all of them"));
  }
  if (is_all && id != "*") {
    return absl::InvalidArgumentError(absl::StrCat(context, ": of all kinds the name is *"));
  }
  if (!is_all && id != "*") {
    v1::Permission& permission = *key.add_permissions();
    permission.mutable_target()->set_type(type);
    permission.mutable_target()->set_id(std::string(id));
    RETURN_IF_ERROR(ReadRight(right, permission), context);
    return Grants::Compile({}, key.permissions()).status();
  }
  for (int i = 0; i < v1::ResourceType_descriptor()->value_count(); ++i) {
    const auto each =
        static_cast<v1::ResourceType>(v1::ResourceType_descriptor()->value(i)->number());
    // "all" is all resources; what is none is named.
    if (is_all ? each == v1::RESOURCE_TYPE_SYSTEM : each != type) continue;
    v1::TypePermission& permission = *key.add_all();
    permission.set_type(each);
    RETURN_IF_ERROR(ReadRight(right, permission), context);
  }
  return absl::OkStatus();
}

std::vector<std::string> PermissionTexts(const v1::ApiKey& key) {
  std::vector<std::string> texts;
  for (const v1::TypePermission& each : key.all()) {
    texts.push_back(absl::StrCat(KindOf(each.type()), ":*:", RightOf(each).Text()));
  }
  for (const v1::Permission& each : key.permissions()) {
    texts.push_back(absl::StrCat(KindOf(each.target().type()), ":", each.target().id(), ":",
                                 RightOf(each).Text()));
  }
  return texts;
}

}  // namespace fairlead::access
