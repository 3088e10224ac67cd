// The keys that secrets are encrypted with where they lie.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/ids.h"
#include "fairlead/v1/secret.pb.h"

namespace fairlead::secrets {

// A value. The text of it is the key file: a line `ID KEY` for each key, the newest first, the key
// as base64 of 32 bytes; lines that begin with # say nothing.
class KeyRing {
 public:
  // Without keys.
  KeyRing() = default;

  // InvalidArgument names the line; never the key.
  static absl::StatusOr<KeyRing> Parse(absl::string_view text);
  std::string Text() const;

  // In front of the others.
  void AddNewKey(base::Random& random);

  bool empty() const { return keys_.empty(); }
  bool Has(absl::string_view id) const;
  // Of the key that Encrypt uses; empty when there is none.
  std::string newest() const { return keys_.empty() ? "" : keys_.front().id; }

  // Fills key_id, nonce and ciphertext of a record with a name. The ring is not empty.
  void Encrypt(absl::string_view value, base::Random& random, v1::SecretRecord* record) const;
  // FailedPrecondition: the ring lacks the key. DataLoss: it is not the key that the record was
  // encrypted with, or the record was altered.
  absl::StatusOr<std::string> Decrypt(const v1::SecretRecord& record) const;

 private:
  struct Key {
    std::string id;
    std::string bytes;
  };
  std::vector<Key> keys_;
};

}  // namespace fairlead::secrets
