// fairlead secret: values of secret variables.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "cli/commands.h"
#include "cli/session.h"

namespace fairlead::cli {

struct SecretOptions {
  // Of the variable; of those that take one.
  std::string name;
  OutputFormat output = OutputFormat::kText;
};
// The value is what standard input holds, without the end of its last line.
absl::StatusOr<int> RunSecretSet(Session& session, const SecretOptions& options);
absl::StatusOr<int> RunSecretList(Session& session, const SecretOptions& options);
absl::StatusOr<int> RunSecretRemove(Session& session, const SecretOptions& options);
absl::StatusOr<int> RunSecretRotate(Session& session, const SecretOptions& options);

}  // namespace fairlead::cli
