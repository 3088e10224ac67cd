// The commands for people, programs and the audit log.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "cli/commands.h"
#include "cli/session.h"

namespace fairlead::cli {

struct LoginOptions {
  // Asked for when it is empty.
  std::string user;
  // Of the first start: makes the first admin.
  std::string first_token;
  // By the OpenID provider of the controller, which then says who it is.
  bool oidc = false;
  // The browser is on another machine: its address is pasted.
  bool no_browser = false;
  // Of 127.0.0.1, where the browser comes back to; 0 is any.
  uint16_t port = 0;
};
// Reads the password from standard input, on a terminal without showing it.
absl::StatusOr<int> RunLogin(Session& session, const LoginOptions& options);

struct LogoutOptions {};
absl::StatusOr<int> RunLogout(Session& session, const LogoutOptions& options);

struct WhoAmIOptions {
  OutputFormat output = OutputFormat::kText;
};
absl::StatusOr<int> RunWhoAmI(Session& session, const WhoAmIOptions& options);

struct UserListOptions {
  OutputFormat output = OutputFormat::kText;
};
absl::StatusOr<int> RunUserList(Session& session, const UserListOptions& options);

struct UserAddOptions {
  std::string name;
  bool admin = false;
  std::vector<std::string> groups;
  // For one who comes with a certificate or keys only.
  bool no_password = false;
};
absl::StatusOr<int> RunUserAdd(Session& session, const UserAddOptions& options);

struct UserChangeOptions {
  enum class Admin { kKeep, kMake, kUnmake };
  std::string name;
  bool disable = false;
  bool enable = false;
  Admin admin = Admin::kKeep;
  std::vector<std::string> add_groups;
  std::vector<std::string> remove_groups;
};
absl::StatusOr<int> RunUserChange(Session& session, const UserChangeOptions& options);

struct UserPasswordOptions {
  // Empty: one's own.
  std::string name;
};
absl::StatusOr<int> RunUserPassword(Session& session, const UserPasswordOptions& options);

struct KeyCreateOptions {
  std::string name;
  std::string user;
  std::string expires;
  std::vector<std::string> cidrs;
  std::vector<std::string> permissions;
  OutputFormat output = OutputFormat::kText;
};
// Prints the key alone to standard output; what it is goes to standard error.
absl::StatusOr<int> RunKeyCreate(Session& session, const KeyCreateOptions& options);

struct KeyListOptions {
  OutputFormat output = OutputFormat::kText;
};
absl::StatusOr<int> RunKeyList(Session& session, const KeyListOptions& options);

struct KeyRevokeOptions {
  std::string key;
};
absl::StatusOr<int> RunKeyRevoke(Session& session, const KeyRevokeOptions& options);

enum class AuditFormat { kTable, kJsonLines, kCsv };
struct AuditOptions {
  // How far back; empty: the newest `tail`.
  std::string since;
  bool all = false;
  uint32_t tail = 50;
  AuditFormat output = AuditFormat::kTable;
};
absl::StatusOr<int> RunAudit(Session& session, const AuditOptions& options);

struct AuditVerifyOptions {
  OutputFormat output = OutputFormat::kText;
};
// 1 when the chain is broken.
absl::StatusOr<int> RunAuditVerify(Session& session, const AuditVerifyOptions& options);

}  // namespace fairlead::cli
