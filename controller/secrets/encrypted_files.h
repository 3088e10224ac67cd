// Files of secrets in the tree of a sync.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "controller/secrets/sops_file.h"
#include "resources/toml_reader.h"

namespace fairlead::secrets {

// Decrypts with the program `age` and a key on the controller. What is decrypted stays in memory. A
// value: it keeps only where the key is. Thread-safe.
class EncryptedFiles {
 public:
  // A file of age identities, read by its owner alone. Empty: there is none, and files say so.
  explicit EncryptedFiles(std::string key_file) : key_file_(std::move(key_file)) {}

  // Variables of the file, all of them secret. Never fails: what cannot be decrypted has names
  // without values that say why, or where names are hidden too ParsedFile::sealed, and a warning.
  // Runs a program: takes some 10 ms.
  resources::ParsedFile Read(const std::string& path, absl::string_view content) const;

  // OK, or why nothing can be decrypted now.
  absl::Status CheckKey() const;

 private:
  absl::StatusOr<std::string> DecryptWithAge(absl::string_view content) const;
  // The first of them that the key opens.
  absl::StatusOr<std::string> FindDataKey(const std::vector<std::string>& encrypted) const;
  absl::StatusOr<NamedValues> Decrypt(absl::string_view path, absl::string_view content,
                                      std::vector<std::string>* names) const;

  const std::string key_file_;
};

}  // namespace fairlead::secrets
