// What certificates the controller makes: its authority, its own, and those of agents. Values in,
// PEM out.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fairlead::identity {

inline constexpr absl::string_view kServerUri = "fairlead://server/";
// In the controller's own certificate: agents believe it at any address.
inline constexpr absl::string_view kControllerUri = "fairlead://controller";

inline constexpr absl::Duration kAuthorityLife = absl::Hours(24 * 3652);
inline constexpr absl::Duration kControllerLife = absl::Hours(24 * 90);
inline constexpr absl::Duration kRelayLife = absl::Hours(24 * 2);
inline constexpr absl::Duration kAgentLife = absl::Hours(24 * 7);

struct KeyPair {
  // PEM; a chain, its own certificate first.
  std::string certificate;
  std::string key;
};

// A new authority. `installation` tells it from others.
absl::StatusOr<KeyPair> MakeAuthority(absl::string_view installation, absl::Time now);

// A peer's certificate is good this long before its first moment: the controller's clock may have
// been set back by a day since it was made.
inline constexpr absl::Duration kEarlyPeer = absl::Hours(48);

// Names and numeric addresses under which the controller is reached.
struct HostNames {
  std::vector<std::string> names;
  std::vector<std::string> addresses;
};

// Of "address:port" texts and plain names, without repetitions. Addresses that mean all of the
// machine's are left out.
HostNames ComputeHostNames(const std::vector<std::string>& listen,
                           const std::vector<std::string>& names);

// A key and a certificate for the controller; the chain ends with the authority.
absl::StatusOr<KeyPair> IssueController(const KeyPair& authority, const HostNames& names,
                                        absl::Time now);

// A key and a certificate with which the controller `holder` passes calls on to another one of the
// same authority: fairlead://controller/`holder`.
absl::StatusOr<KeyPair> IssueRelay(const KeyPair& authority, const std::string& holder,
                                   absl::Time now);

// When a certificate of that life is to be replaced: a third before its end.
absl::Time RenewalOf(absl::Time not_before, absl::Time not_after);

// OK when `server` can stand in a certificate and in an agent's Hello.
absl::Status CheckServerName(absl::string_view server);

// Answers the request (PEM) with a certificate for fairlead://server/`server`. InvalidArgument when
// the request cannot be read, PermissionDenied when it names anything else.
absl::StatusOr<std::string> IssueAgent(const KeyPair& authority, absl::string_view request,
                                       const std::string& server, absl::Time now);

}  // namespace fairlead::identity
