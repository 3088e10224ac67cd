// Who calls.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace fairlead::access {

// Of a client certificate that names no user.
inline constexpr char kOperator[] = "operator";

// A value: an identity that was proven, not what it may do. That is looked up at each check, so
// that a change counts at once.
struct Caller {
  enum class Kind {
    // Not proven.
    kNobody,
    // Without TLS on loopback, nobody is asked.
    kDev,
    // A client certificate that is not an agent's.
    kCertificate,
    kUser,
    // Whom the OpenID provider vouches for, with no record here.
    kOidc,
    kKey,
    // The agent of a server.
    kAgent,
  };

  // "user/ann", as the audit log has it.
  std::string Text() const {
    switch (kind) {
      case Kind::kDev:
        return "dev";
      case Kind::kCertificate:
        return absl::StrCat("certificate/", name);
      case Kind::kUser:
        return absl::StrCat("user/", name);
      case Kind::kOidc:
        return absl::StrCat("oidc/", name);
      case Kind::kKey:
        return absl::StrCat("key/", name.empty() ? "" : absl::StrCat(name, "/"), key_name);
      case Kind::kAgent:
        return absl::StrCat("agent/", name);
      case Kind::kNobody:
        break;
    }
    return "unknown";
  }
  // The short form that holds, approvals and runs keep.
  std::string Who() const {
    if (kind == Kind::kDev) return kOperator;
    if (kind != Kind::kKey) return name;
    return name.empty() ? key_name : absl::StrCat(name, "/", key_name);
  }

  Kind kind = Kind::kNobody;
  // Of the user, of a key's user, of the certificate or of the server.
  std::string name;
  // Of a key.
  std::string key_id;
  std::string key_name;
  // Of a session.
  std::string session_id;
  // Of kOidc: the user groups that its claims make.
  std::vector<std::string> groups;
  // IP address without a port, or "unix".
  std::string address;
  // Of the session or key.
  absl::Time expires = absl::InfiniteFuture();
};

}  // namespace fairlead::access
