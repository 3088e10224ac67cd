// What a caller may do with a resource. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "fairlead/v1/access.pb.h"
#include "fairlead/v1/user_group.pb.h"

namespace fairlead::access {

// A level and specifics, as allowed or as needed. A value of two bytes.
class Right {
 public:
  Right() = default;
  explicit Right(v1::PermissionLevel level) : level_(static_cast<uint8_t>(level)) {}
  Right(v1::PermissionLevel level, v1::SpecificPermission specific) : Right(level) {
    Add(specific);
  }

  static Right All() {
    Right all(v1::PERMISSION_LEVEL_WRITE);
    all.specifics_ = 0xff;
    return all;
  }

  void Add(v1::SpecificPermission specific) {
    specifics_ = static_cast<uint8_t>(specifics_ | (1u << static_cast<unsigned>(specific)));
  }
  // The higher level, the specifics of both.
  Right Or(Right other) const {
    Right sum;
    sum.level_ = level_ > other.level_ ? level_ : other.level_;
    sum.specifics_ = static_cast<uint8_t>(specifics_ | other.specifics_);
    return sum;
  }
  // The lower level, the specifics that both have.
  Right And(Right other) const {
    Right common;
    common.level_ = level_ < other.level_ ? level_ : other.level_;
    common.specifics_ = static_cast<uint8_t>(specifics_ & other.specifics_);
    return common;
  }
  bool Covers(Right needed) const {
    return level_ >= needed.level_ && (specifics_ & needed.specifics_) == needed.specifics_;
  }
  bool empty() const { return level_ == 0 && specifics_ == 0; }
  // "execute+logs".
  std::string Text() const;
  friend bool operator==(Right, Right) = default;

 private:
  uint8_t level_ = 0;
  uint8_t specifics_ = 0;
};

// A resource as permissions see it.
struct Subject {
  std::string kind;
  std::string name;
  std::vector<std::string> tags;
};

// The permissions of one user group or of one key, for quick questions. Immutable.
//
// A target's id is a name, a wildcard, a regex between backslashes, or "tag:NAME". Kinds that
// Komodo's targets do not name (variables, user groups) and what is no resource (users, the audit
// log) belong to the type System.
class Grants {
 public:
  // InvalidArgument names a target that cannot be read.
  static absl::StatusOr<Grants> Compile(
      const google::protobuf::RepeatedPtrField<v1::TypePermission>& all,
      const google::protobuf::RepeatedPtrField<v1::Permission>& permissions);

  // Of any resource, declared or not; its patterns are tried one after the other.
  Right Of(const Subject& subject) const;
  // Of all resources of a kind.
  Right OfKind(absl::string_view kind) const;
  // Nothing is allowed at all.
  bool empty() const;

 private:
  struct Targeted;
  // By ResourceType.
  std::vector<Right> kinds_;
  std::vector<std::shared_ptr<const Targeted>> targeted_;
};

// Everybody's groups against the resources that are declared. Immutable; made anew when either
// changes. A question costs one look-up and one addition for each group.
class Policy {
 public:
  struct Group {
    // Empty: what a user is allowed in person.
    std::string name;
    bool everyone = false;
    std::vector<std::string> users;
    Grants grants;
  };

  Policy() = default;
  Policy(std::vector<Group> groups, const std::vector<Subject>& declared);

  // Positions of the groups of a user: those of `more` by name, those that list the user, and
  // those of everyone.
  std::vector<std::size_t> GroupsOf(absl::string_view user,
                                    const std::vector<std::string>& more) const;
  // Whether a group lists the user by name.
  bool Names(absl::string_view user) const { return users_.contains(std::string(user)); }
  const std::string& NameOf(std::size_t group) const { return groups_[group].name; }

  // What these groups together allow. `key` is "stack/web".
  Right Of(const std::vector<std::size_t>& groups, absl::string_view key) const;
  Right OfKind(const std::vector<std::size_t>& groups, absl::string_view kind) const;
  bool AllowsNothing(const std::vector<std::size_t>& groups) const;
  // Tags and all, of a resource that is declared; else with its kind and name alone.
  Subject SubjectOf(absl::string_view key) const;

 private:
  std::vector<Group> groups_;
  std::map<std::string, std::vector<std::size_t>> users_;
  std::vector<std::size_t> everyone_;
  std::vector<Subject> declared_;
  // "stack/web" to its position in `declared_` and in each of `rights_`.
  absl::flat_hash_map<std::string, std::size_t> positions_;
  // By group.
  std::vector<std::vector<Right>> rights_;
};

// "stack:web-*:execute+logs", "all:*:read", "system:*:read" as permissions; InvalidArgument says
// what is wrong with the text.
absl::Status AddPermission(absl::string_view text, v1::ApiKey& key);
// The same back again, one text for each permission.
std::vector<std::string> PermissionTexts(const v1::ApiKey& key);

}  // namespace fairlead::access
