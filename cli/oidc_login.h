// fairlead login --oidc.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "cli/access_commands.h"
#include "cli/session.h"
#include "fairlead/v1/oidc.pb.h"

namespace fairlead::cli {

// Sends the user to the provider, waits for the browser to come back or for its address to be
// pasted, and lets the controller end the login.
absl::StatusOr<v1::OidcFinishResponse> LogInByOidc(Session& session, const LoginOptions& options);

// The code in the address that the provider has sent the browser to: the whole of it, or from its
// path on. InvalidArgument: it is not that of the login `state`; PermissionDenied: the provider
// says no, and why.
absl::StatusOr<std::string> CodeOf(absl::string_view address, const std::string& state);

// The challenge of a PKCE verifier, S256 (RFC 7636).
std::string ChallengeOf(absl::string_view verifier);

}  // namespace fairlead::cli
