// Keyed hashes over what, when changed, recreates containers.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/resource.pb.h"

namespace fairlead::resources {

// Hashes over values that may be secret use a key of the installation, so that equal values can
// be seen but not guessed. Values read "v1:KEYID:HASH". Thread-safe.
class SpecHasher {
 public:
  // `key` has 32 bytes.
  SpecHasher(std::string key_id, std::string key);

  // Over the fields marked `recreate` that differ from their type's default, compared by
  // meaning (order of sets, comments and spacing do not count), and over the files of a stack but
  // for env files that it does not track.
  // Requires: `resource` is interpolated.
  std::string Hash(const v1::Resource& resource,
                   const std::vector<v1::StackFile>& files = {}) const;

  // Keyed hash of any text, 32 hex characters.
  std::string HashText(absl::string_view text) const;

  // True when `hash` is of a version and key this hasher can check.
  bool CanVerify(absl::string_view hash) const;

  const std::string& key_id() const { return key_id_; }
  const std::string& key() const { return key_; }

 private:
  std::string key_id_;
  std::string key_;
};

}  // namespace fairlead::resources
