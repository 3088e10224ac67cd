// Something else that keeps secrets: one small interface.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "fairlead/v1/secret.pb.h"

namespace fairlead::secrets {

// Thread-safe.
class Provider {
 public:
  virtual ~Provider() = default;
  // The value at `path`, at most 64 KiB. Blocks up to its timeout. NotFound: there is none;
  // PermissionDenied, InvalidArgument, Unavailable, DeadlineExceeded: why it cannot be had. No
  // message holds the value.
  virtual absl::StatusOr<std::string> Read(const std::string& path) = 0;
};

struct KnownProvider {
  std::unique_ptr<Provider> provider;
  absl::Duration refresh;
};
// By name.
using Providers = std::map<std::string, KnownProvider>;

inline constexpr std::size_t kLargestProvided = 64u << 10;

// Reads the file of --secrets. InvalidArgument with all problems, PermissionDenied when others may
// write what it runs; else as base::ReadFile.
absl::StatusOr<Providers> LoadProviders(const std::string& path);

// InvalidArgument says which setting is missing or wrong. Paths are relative to `folder`.
absl::StatusOr<std::unique_ptr<Provider>> MakeProvider(const v1::SecretProvider& settings,
                                                       const std::string& folder);

// HashiCorp Vault, KV version 2: "PATH#FIELD", without a field "value".
// https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2
absl::StatusOr<std::unique_ptr<Provider>> MakeVaultProvider(const v1::SecretProvider& settings,
                                                            const std::string& folder);

}  // namespace fairlead::secrets
