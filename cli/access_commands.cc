// fairlead login, logout, whoami, user, key and audit.
#include "cli/access_commands.h"

#include <istream>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "cli/oidc_login.h"
#include "cli/render/access_text.h"

namespace fairlead::cli {
namespace {

constexpr uint32_t kAuditPage = 1000;

enum class Typed { kShown, kHidden };

// One line of standard input. On a terminal it is asked for.
absl::StatusOr<std::string> ReadLine(Session& session, absl::string_view question, Typed typed) {
  Environment& environment = session.environment();
  const bool hide = environment.in_is_terminal && typed == Typed::kHidden;
  if (environment.in_is_terminal) environment.err << std::string(question) << ": " << std::flush;
  if (hide) environment.set_echo(false);
  std::string line;
  const bool read = static_cast<bool>(std::getline(environment.in, line));
  if (hide) {
    environment.set_echo(true);
    environment.err << "\n";
  }
  if (!read) {
    return absl::InvalidArgumentError(
        absl::StrCat("standard input ends where a line is expected: ", question));
  }
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return line;
}

// On a terminal typed twice.
absl::StatusOr<std::string> ReadNewPassword(Session& session) {
  ASSIGN_OR_RETURN(std::string password, ReadLine(session, "New password", Typed::kHidden));
  if (!session.environment().in_is_terminal) return password;
  ASSIGN_OR_RETURN(const std::string again, ReadLine(session, "Once more", Typed::kHidden));
  if (again != password) return absl::InvalidArgumentError("the two passwords differ");
  return password;
}

// Of a login that went well.
absl::StatusOr<int> KeepSession(Session& session, const std::string& user, const std::string& token,
                                const google::protobuf::Timestamp& expires) {
  ASSIGN_OR_RETURN(const ConnectionOptions connection, session.Connection());
  RETURN_IF_ERROR(SaveSession(session.environment(), connection.controller, token),
                  "keep the session");
  session.Print(absl::StrCat("logged in as ", Printable(user), " until ",
                             FormatMoment(base::FromProto(expires), session.text_options()), "\n"));
  if (session.environment().variable("FAIRLEAD_TOKEN").value_or("").empty()) return kExitOk;
  session.environment().err << "fairlead: FAIRLEAD_TOKEN is set and goes before the session\n";
  return kExitOk;
}

template <typename Message>
absl::StatusOr<int> PrintList(Session& session, OutputFormat output, const Message& message,
                              std::string (*render)(const Message&, const TextOptions&)) {
  if (output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(message));
  } else {
    session.Print(render(message, session.text_options()));
  }
  return kExitOk;
}

}  // namespace

absl::StatusOr<int> RunLogin(Session& session, const LoginOptions& options) {
  if (options.oidc) {
    ASSIGN_OR_RETURN(const v1::OidcFinishResponse in, LogInByOidc(session, options));
    return KeepSession(session, in.user(), in.token(), in.expires());
  }
  v1::LoginRequest request;
  request.set_user(options.user);
  request.set_first_token(options.first_token);
  if (options.user.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_user(), ReadLine(session, "User", Typed::kShown));
  }
  if (options.first_token.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_password(), ReadLine(session, "Password", Typed::kHidden));
  } else {
    ASSIGN_OR_RETURN(*request.mutable_password(), ReadNewPassword(session));
  }
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::LoginResponse response, controller->Login(request));
  return KeepSession(session, request.user(), response.token(), response.expires());
}

absl::StatusOr<int> RunLogout(Session& session, const LogoutOptions& /*options*/) {
  ASSIGN_OR_RETURN(const ConnectionOptions connection, session.Connection());
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  const absl::Status ended = controller->Logout({}).status();
  // One that is over already is forgotten all the same.
  RETURN_IF_ERROR(SaveSession(session.environment(), connection.controller, ""));
  if (!ended.ok() && !absl::IsUnauthenticated(ended)) return ended;
  session.Print("logged out\n");
  return kExitOk;
}

absl::StatusOr<int> RunWhoAmI(Session& session, const WhoAmIOptions& options) {
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::WhoAmIResponse response, controller->WhoAmI({}));
  return PrintList(session, options.output, response, &RenderWhoAmI);
}

absl::StatusOr<int> RunUserList(Session& session, const UserListOptions& options) {
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::ListUsersResponse response, controller->ListUsers({}));
  return PrintList(session, options.output, response, &RenderUsers);
}

absl::StatusOr<int> RunUserAdd(Session& session, const UserAddOptions& options) {
  v1::AddUserRequest request;
  request.set_name(options.name);
  request.set_admin(options.admin);
  for (const std::string& group : options.groups) request.add_groups(group);
  if (!options.no_password) {
    ASSIGN_OR_RETURN(*request.mutable_password(), ReadNewPassword(session));
    if (request.password().empty()) {
      return absl::InvalidArgumentError(
          "the password is empty; --no-password makes a user without one");
    }
  }
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  RETURN_IF_ERROR(controller->AddUser(request).status());
  session.Print(absl::StrCat("added user ", Printable(options.name), "\n"));
  return kExitOk;
}

absl::StatusOr<int> RunUserChange(Session& session, const UserChangeOptions& options) {
  v1::ChangeUserRequest request;
  request.set_name(options.name);
  if (options.disable || options.enable) request.set_disabled(options.disable);
  if (options.admin != UserChangeOptions::Admin::kKeep) {
    request.set_admin(options.admin == UserChangeOptions::Admin::kMake);
  }
  for (const std::string& group : options.add_groups) request.add_add_groups(group);
  for (const std::string& group : options.remove_groups) request.add_remove_groups(group);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  RETURN_IF_ERROR(controller->ChangeUser(request).status());
  session.Print(absl::StrCat("changed user ", Printable(options.name), "\n"));
  return kExitOk;
}

absl::StatusOr<int> RunUserPassword(Session& session, const UserPasswordOptions& options) {
  v1::SetPasswordRequest request;
  request.set_name(options.name);
  if (options.name.empty()) {
    ASSIGN_OR_RETURN(*request.mutable_old_password(),
                     ReadLine(session, "Old password", Typed::kHidden));
  }
  ASSIGN_OR_RETURN(*request.mutable_password(), ReadNewPassword(session));
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  RETURN_IF_ERROR(controller->SetPassword(request).status());
  session.Print("changed the password; log in again with: fairlead login\n");
  return kExitOk;
}

absl::StatusOr<int> RunKeyCreate(Session& session, const KeyCreateOptions& options) {
  v1::CreateKeyRequest request;
  request.set_name(options.name);
  request.set_user(options.user);
  for (const std::string& cidr : options.cidrs) request.add_cidrs(cidr);
  for (const std::string& permission : options.permissions) request.add_permissions(permission);
  if (!options.expires.empty()) {
    ASSIGN_OR_RETURN(const absl::Duration life, ParseSpan("--expires", options.expires));
    *request.mutable_expires_in() = base::ToProto(life);
  }
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::CreateKeyResponse response, controller->CreateKey(request));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
    return kExitOk;
  }
  session.Print(absl::StrCat(Printable(response.key()), "\n"));
  session.environment().err << "fairlead: this is the only time the key is shown; programs take "
                               "it from FAIRLEAD_TOKEN\n";
  return kExitOk;
}

absl::StatusOr<int> RunKeyList(Session& session, const KeyListOptions& options) {
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::ListKeysResponse response, controller->ListKeys({}));
  return PrintList(session, options.output, response, &RenderKeys);
}

absl::StatusOr<int> RunKeyRevoke(Session& session, const KeyRevokeOptions& options) {
  v1::RevokeKeyRequest request;
  request.set_key(options.key);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::RevokeKeyResponse response, controller->RevokeKey(request));
  session.Print(absl::StrCat("revoked key ", Printable(response.id()), "\n"));
  return kExitOk;
}

absl::StatusOr<int> RunAudit(Session& session, const AuditOptions& options) {
  v1::ListAuditRequest request;
  const bool from_begin = options.all || !options.since.empty();
  request.set_limit(from_begin ? kAuditPage : options.tail);
  request.set_newest(!from_begin);
  if (!options.since.empty()) {
    ASSIGN_OR_RETURN(const absl::Duration span, ParseSpan("--since", options.since));
    *request.mutable_since() = base::ToProto(session.environment().clock.Now() - span);
  }
  if (options.output == AuditFormat::kCsv) session.Print(AuditCsvHead());
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  v1::ListAuditResponse table;
  while (true) {
    ASSIGN_OR_RETURN(const v1::ListAuditResponse page, controller->ListAudit(request));
    for (const v1::AuditRecord& record : page.records()) {
      if (options.output == AuditFormat::kJsonLines) {
        RETURN_IF_ERROR(session.PrintJson(record, JsonStyle::kLine));
      } else if (options.output == AuditFormat::kCsv) {
        session.Print(AuditCsvRow(record));
      } else {
        *table.add_records() = record;
      }
    }
    if (!from_begin || page.records().empty()) break;
    request.set_after_id(page.records().rbegin()->id());
  }
  if (options.output == AuditFormat::kTable) {
    session.Print(RenderAudit(table, session.text_options()));
  }
  return kExitOk;
}

absl::StatusOr<int> RunAuditVerify(Session& session, const AuditVerifyOptions& options) {
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::VerifyAuditResponse response, controller->VerifyAudit({}));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
  } else if (response.problem().empty()) {
    session.Print(absl::StrCat("all ", response.records(), " records are as they were written (",
                               response.first_id(), " to ", response.last_id(), ")\nhead ",
                               Printable(response.head()), "\n"));
  } else {
    session.Print(
        absl::StrCat("the audit log was tampered with: ", Printable(response.problem()), "\n"));
  }
  return response.problem().empty() ? kExitOk : kExitError;
}

}  // namespace fairlead::cli
