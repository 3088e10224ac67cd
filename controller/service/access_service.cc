#include "controller/service/access_service.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "controller/access/passwords.h"
#include "controller/access/secret.h"

namespace fairlead::service {
namespace {

using access::Caller;

constexpr uint32_t kMostAudit = 1000;
constexpr char kSystem[] = "";

bool MayChangeUsers(const Ticket& ticket) {
  return ticket.Check(v1::PERMISSION_LEVEL_WRITE, kSystem).ok();
}

std::string UserText(const v1::LocalUser& user) {
  return absl::StrCat("admin = ", user.admin() ? "true" : "false",
                      "\ndisabled = ", user.disabled() ? "true" : "false", "\ngroups = [",
                      absl::StrJoin(user.groups(), ", "), "]\n");
}

std::string KeyText(const v1::ApiKey& key) {
  return absl::StrCat(
      "user = ", key.user(), "\npermissions = [", absl::StrJoin(access::PermissionTexts(key), ", "),
      "]\ncidrs = [", absl::StrJoin(key.cidrs(), ", "), "]\nexpires = ",
      key.has_expires()
          ? absl::FormatTime(absl::RFC3339_sec, base::FromProto(key.expires()), absl::UTCTimeZone())
          : "never",
      "\n");
}

// Lines of one text that the other does not have.
std::string DiffOf(const std::string& before, const std::string& after) {
  std::string diff;
  const auto lines = [](const std::string& text) {
    std::vector<std::string> found;
    std::string::size_type begin = 0;
    while (begin < text.size()) {
      const auto end = std::min(text.find('\n', begin), text.size());
      found.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
    return found;
  };
  const std::vector<std::string> old_lines = lines(before);
  const std::vector<std::string> new_lines = lines(after);
  const auto add = [&diff](const char* sign, const std::vector<std::string>& of,
                           const std::vector<std::string>& other) {
    for (const std::string& line : of) {
      if (std::find(other.begin(), other.end(), line) == other.end()) {
        absl::StrAppend(&diff, sign, line, "\n");
      }
    }
  };
  add("-", old_lines, new_lines);
  add("+", new_lines, old_lines);
  return diff;
}

access::Change ChangeOf(const std::string& resource, std::string before, std::string after) {
  access::Change change{.resource = resource};
  change.diff = DiffOf(before, after);
  change.before = std::move(before);
  change.after = std::move(after);
  return change;
}

v1::KeyView ViewOf(const v1::ApiKey& key) {
  v1::KeyView view;
  view.set_id(key.id());
  view.set_name(key.name());
  view.set_prefix(key.prefix());
  view.set_user(key.user());
  for (const std::string& text : access::PermissionTexts(key)) view.add_permissions(text);
  *view.mutable_cidrs() = key.cidrs();
  if (key.has_expires()) *view.mutable_expires() = key.expires();
  *view.mutable_created() = key.created();
  view.set_created_by(key.created_by());
  view.set_revoked(key.revoked());
  return view;
}

// Sets a password that has the form of one.
absl::Status PutPassword(const std::string& password, absl::Time now, v1::LocalUser& user) {
  RETURN_IF_ERROR(access::CheckPasswordForm(password));
  ASSIGN_OR_RETURN(*user.mutable_password_hash(), access::HashPassword(password));
  *user.mutable_password_changed() = base::ToProto(now);
  return absl::OkStatus();
}

// Keys are for work that was planned, not for making more of themselves.
absl::Status RequireNoKey(const Ticket& ticket) {
  if (ticket.caller().kind != Caller::Kind::kKey || MayChangeUsers(ticket)) return absl::OkStatus();
  return absl::PermissionDeniedError("an API key cannot do this; log in with: fairlead login");
}

}  // namespace

absl::Status AccessServiceImpl::LogIn(const v1::LoginRequest& request, const std::string& address) {
  if (request.first_token().empty()) {
    return access_.authenticator()
        .CheckPassword(request.user(), request.password(), address)
        .status();
  }
  RETURN_IF_ERROR(access_.authenticator().CheckFirstToken(request.first_token(), address));
  v1::LocalUser user;
  user.set_name(request.user());
  user.set_admin(true);
  *user.mutable_created() = base::ToProto(clock_.Now());
  user.set_created_by("the token of the first start");
  RETURN_IF_ERROR(access::CheckUserName(user.name()));
  RETURN_IF_ERROR(PutPassword(request.password(), clock_.Now(), user));
  return access_.directory().AddFirstUser(user);
}

grpc::ServerUnaryReactor* AccessServiceImpl::Login(grpc::CallbackServerContext* call,
                                                   const v1::LoginRequest* request,
                                                   v1::LoginResponse* response) {
  const TicketPointer ticket = Admit(access_, *call, "AccessService.Login", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  // A name that cannot be one is not repeated to those who read the log.
  const bool is_name = access::CheckUserName(request->user()).ok();
  if (is_name) ticket->SetResource(absl::StrCat("user/", request->user()));
  const absl::Status status = LogIn(*request, ticket->caller().address);
  if (!status.ok()) return FinishWith(call, ticket, status);
  const access::Sessions::Opened opened = access_.sessions().Open(request->user(), clock_.Now());
  response->set_token(opened.token);
  *response->mutable_expires() = base::ToProto(opened.expires);
  ticket->SetCaller(
      {.kind = Caller::Kind::kUser, .name = request->user(), .address = ticket->caller().address});
  if (!request->first_token().empty()) ticket->SetWhy("made the first admin");
  return FinishWith(call, ticket, absl::OkStatus());
}

grpc::ServerUnaryReactor* AccessServiceImpl::Logout(grpc::CallbackServerContext* call,
                                                    const v1::LogoutRequest* request,
                                                    v1::LogoutResponse* /*response*/) {
  const TicketPointer ticket = Admit(access_, *call, "AccessService.Logout", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  access_.sessions().End(ticket->caller().session_id);
  return FinishWith(call, ticket, absl::OkStatus());
}

grpc::ServerUnaryReactor* AccessServiceImpl::WhoAmI(grpc::CallbackServerContext* call,
                                                    const v1::WhoAmIRequest* request,
                                                    v1::WhoAmIResponse* response) {
  const TicketPointer ticket = Admit(access_, *call, "AccessService.WhoAmI", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const Caller& caller = ticket->caller();
  response->set_caller(caller.Text());
  response->set_address(caller.address);
  response->set_admin(access_.gate().IsAdmin(caller));
  for (const std::string& group : access_.gate().GroupsOf(caller)) response->add_groups(group);
  if (caller.expires != absl::InfiniteFuture()) {
    *response->mutable_expires() = base::ToProto(caller.expires);
  }
  return FinishWith(call, ticket, absl::OkStatus());
}

grpc::ServerUnaryReactor* AccessServiceImpl::ListUsers(grpc::CallbackServerContext* call,
                                                       const v1::ListUsersRequest* request,
                                                       v1::ListUsersResponse* response) {
  const TicketPointer ticket = Admit(access_, *call, "AccessService.ListUsers", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  for (const auto& [name, user] : access_.directory().identities()->users) {
    v1::UserView& view = *response->add_users();
    view.set_name(name);
    view.set_admin(user.admin());
    view.set_disabled(user.disabled());
    *view.mutable_groups() = user.groups();
    *view.mutable_created() = user.created();
    view.set_created_by(user.created_by());
    if (user.declared()) view.set_declared_by(user.declared_by());
  }
  return FinishWith(call, ticket, absl::OkStatus());
}

grpc::ServerUnaryReactor* AccessServiceImpl::AddUser(grpc::CallbackServerContext* call,
                                                     const v1::AddUserRequest* request,
                                                     v1::AddUserResponse* /*response*/) {
  const TicketPointer ticket = Admit(access_, *call, "AccessService.AddUser", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  v1::LocalUser user;
  user.set_name(request->name());
  user.set_admin(request->admin());
  *user.mutable_groups() = request->groups();
  *user.mutable_created() = base::ToProto(clock_.Now());
  user.set_created_by(ticket->who());
  absl::Status status = access::CheckUserName(user.name());
  // Without a password it is one who comes with a certificate or keys.
  if (status.ok() && !request->password().empty()) {
    status = PutPassword(request->password(), clock_.Now(), user);
  }
  if (status.ok()) status = access_.directory().AddUser(user);
  ticket->AddChange(ChangeOf(absl::StrCat("user/", request->name()), "", UserText(user)));
  return FinishWith(call, ticket, status);
}

grpc::ServerUnaryReactor* AccessServiceImpl::ChangeUser(grpc::CallbackServerContext* call,
                                                        const v1::ChangeUserRequest* request,
                                                        v1::ChangeUserResponse* /*response*/) {
  const TicketPointer ticket = Admit(access_, *call, "AccessService.ChangeUser", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  std::string before;
  std::string after;
  const absl::Status status =
      access_.directory().ChangeUser(request->name(), [&](v1::LocalUser& user) {
        before = UserText(user);
        if (request->has_disabled()) user.set_disabled(request->disabled());
        if (request->has_admin()) user.set_admin(request->admin());
        std::vector<std::string> groups(user.groups().begin(), user.groups().end());
        groups.insert(groups.end(), request->add_groups().begin(), request->add_groups().end());
        std::sort(groups.begin(), groups.end());
        groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
        const auto& gone = request->remove_groups();
        std::erase_if(groups, [&gone](const std::string& group) {
          return std::find(gone.begin(), gone.end(), group) != gone.end();
        });
        user.mutable_groups()->Assign(groups.begin(), groups.end());
        after = UserText(user);
      });
  if (status.ok() && request->disabled()) access_.sessions().EndAllOf(request->name(), "");
  ticket->AddChange(
      ChangeOf(absl::StrCat("user/", request->name()), std::move(before), std::move(after)));
  return FinishWith(call, ticket, status);
}

absl::Status AccessServiceImpl::ChangePassword(const v1::SetPasswordRequest& request,
                                               Ticket& ticket) {
  const Caller& caller = ticket.caller();
  const std::string name = request.name().empty() ? caller.name : request.name();
  ticket.SetResource(absl::StrCat("user/", name));
  RETURN_IF_ERROR(RequireNoKey(ticket));
  const bool is_own = caller.kind == Caller::Kind::kUser && caller.name == name;
  if (!is_own) {
    RETURN_IF_ERROR(ticket.Check(v1::PERMISSION_LEVEL_WRITE, kSystem));
  } else {
    RETURN_IF_ERROR(access_.authenticator()
                        .CheckPassword(name, request.old_password(), caller.address)
                        .status(),
                    "the old password");
  }
  v1::LocalUser changed;
  RETURN_IF_ERROR(PutPassword(request.password(), clock_.Now(), changed));
  RETURN_IF_ERROR(access_.directory().ChangeUser(name, [&changed](v1::LocalUser& user) {
    user.set_password_hash(changed.password_hash());
    *user.mutable_password_changed() = changed.password_changed();
  }));
  access_.sessions().EndAllOf(name, "");
  ticket.AddChange({.after = "another password"});
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* AccessServiceImpl::SetPassword(grpc::CallbackServerContext* call,
                                                         const v1::SetPasswordRequest* request,
                                                         v1::SetPasswordResponse* /*response*/) {
  const TicketPointer ticket = Admit(access_, *call, "AccessService.SetPassword", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  return FinishWith(call, ticket, ChangePassword(*request, *ticket));
}

grpc::ServerUnaryReactor* AccessServiceImpl::ListKeys(grpc::CallbackServerContext* call,
                                                      const v1::ListKeysRequest* request,
                                                      v1::ListKeysResponse* response) {
  const TicketPointer ticket = Admit(access_, *call, "AccessService.ListKeys", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const bool all = ticket->Check(v1::PERMISSION_LEVEL_READ, kSystem).ok();
  for (const auto& [id, key] : access_.directory().identities()->keys) {
    const bool is_own = !key.record.user().empty() && key.record.user() == ticket->caller().name;
    if (all || is_own) *response->add_keys() = ViewOf(key.record);
  }
  return FinishWith(call, ticket, absl::OkStatus());
}

absl::Status AccessServiceImpl::FillKey(const v1::CreateKeyRequest& request, const Ticket& ticket,
                                        v1::ApiKey& key) {
  const Caller& caller = ticket.caller();
  RETURN_IF_ERROR(RequireNoKey(ticket));
  const auto identities = access_.directory().identities();
  const bool is_user = identities->ActiveUser(caller.name) != nullptr;
  key.set_user(request.user().empty() && is_user ? caller.name : request.user());
  const bool is_own = is_user && key.user() == caller.name;
  // A key of nobody stands for itself: only those who may make users make one.
  if (!is_own) RETURN_IF_ERROR(ticket.Check(v1::PERMISSION_LEVEL_WRITE, kSystem));
  if (!key.user().empty() && identities->ActiveUser(key.user()) == nullptr) {
    return absl::NotFoundError(absl::StrCat("no user \"", key.user(), "\", or it is disabled"));
  }
  for (const std::string& text : request.permissions()) {
    RETURN_IF_ERROR(access::AddPermission(text, key));
  }
  *key.mutable_cidrs() = request.cidrs();
  key.set_name(request.name());
  const absl::Time now = clock_.Now();
  *key.mutable_created() = base::ToProto(now);
  key.set_created_by(caller.Who());
  if (!request.has_expires_in()) return absl::OkStatus();
  const absl::Duration life = base::FromProto(request.expires_in());
  if (life <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("the time until the key expires must be positive");
  }
  *key.mutable_expires() = base::ToProto(now + life);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* AccessServiceImpl::CreateKey(grpc::CallbackServerContext* call,
                                                       const v1::CreateKeyRequest* request,
                                                       v1::CreateKeyResponse* response) {
  const TicketPointer ticket = Admit(access_, *call, "AccessService.CreateKey", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const access::Secret secret = access::NewSecret(access::kKeyKind);
  v1::ApiKey key;
  key.set_id(secret.id);
  key.set_prefix(absl::StrCat(secret.kind, "_", secret.id));
  key.set_secret_hash(access::Sha256(secret.secret));
  absl::Status status = FillKey(*request, *ticket, key);
  if (status.ok()) status = access_.directory().AddKey(key);
  if (status.ok()) {
    response->set_key(secret.Text());
    *response->mutable_view() = ViewOf(key);
  }
  ticket->SetResource(absl::StrCat("key/", key.name()));
  ticket->AddChange(ChangeOf(absl::StrCat("key/", key.prefix()), "", KeyText(key)));
  return FinishWith(call, ticket, status);
}

absl::StatusOr<std::string> AccessServiceImpl::FindKey(const std::string& text,
                                                       const Ticket& ticket) {
  const auto identities = access_.directory().identities();
  const bool all = MayChangeUsers(ticket);
  std::vector<std::string> found;
  for (const auto& [id, key] : identities->keys) {
    const v1::ApiKey& record = key.record;
    const bool is_own = !record.user().empty() && record.user() == ticket.caller().name;
    if (!all && !is_own) continue;
    if (record.id() == text || record.prefix() == text) return record.id();
    if (record.name() == text && !record.revoked()) found.push_back(record.id());
  }
  if (found.size() == 1) return found.front();
  if (found.empty()) {
    return absl::NotFoundError(
        absl::StrCat("no key \"", text, "\" of yours; see: fairlead key list"));
  }
  return absl::InvalidArgumentError(absl::StrCat("several keys are named \"", text,
                                                 "\"; give the id: ", absl::StrJoin(found, ", ")));
}

grpc::ServerUnaryReactor* AccessServiceImpl::RevokeKey(grpc::CallbackServerContext* call,
                                                       const v1::RevokeKeyRequest* request,
                                                       v1::RevokeKeyResponse* response) {
  const TicketPointer ticket = Admit(access_, *call, "AccessService.RevokeKey", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  ticket->SetResource(absl::StrCat("key/", request->key()));
  const absl::StatusOr<std::string> id = FindKey(request->key(), *ticket);
  if (!id.ok()) return FinishWith(call, ticket, id.status());
  response->set_id(*id);
  const absl::Status status = access_.directory().RevokeKey(*id);
  ticket->AddChange(ChangeOf(absl::StrCat("key/flk_", *id), "", "revoked = true\n"));
  return FinishWith(call, ticket, status);
}

grpc::ServerUnaryReactor* AccessServiceImpl::ListAudit(grpc::CallbackServerContext* call,
                                                       const v1::ListAuditRequest* request,
                                                       v1::ListAuditResponse* response) {
  const TicketPointer ticket = Admit(access_, *call, "AccessService.ListAudit", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const uint32_t asked = request->limit() == 0 ? kMostAudit : request->limit();
  absl::StatusOr<std::vector<v1::AuditRecord>> records = store_.ListAudit(
      {.after_id = request->after_id(),
       .since = request->has_since() ? base::FromProto(request->since()) : absl::InfinitePast(),
       .limit = std::min(asked, kMostAudit),
       .newest = request->newest()});
  if (records.ok()) {
    for (v1::AuditRecord& record : *records) *response->add_records() = std::move(record);
  }
  return FinishWith(call, ticket, records.status());
}

grpc::ServerUnaryReactor* AccessServiceImpl::VerifyAudit(grpc::CallbackServerContext* call,
                                                         const v1::VerifyAuditRequest* request,
                                                         v1::VerifyAuditResponse* response) {
  const TicketPointer ticket = Admit(access_, *call, "AccessService.VerifyAudit", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const absl::StatusOr<access::AuditReport> report = access_.log().Verify();
  if (!report.ok()) return FinishWith(call, ticket, report.status());
  response->set_records(report->records);
  response->set_first_id(report->first_id);
  response->set_last_id(report->head.id);
  response->set_head(absl::BytesToHexString(report->head.hash));
  response->set_problem(std::string(report->chain.message()));
  return FinishWith(call, ticket, absl::OkStatus());
}

}  // namespace fairlead::service
