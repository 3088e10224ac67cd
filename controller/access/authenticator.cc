#include "controller/access/authenticator.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "controller/access/passwords.h"
#include "controller/access/secret.h"

namespace fairlead::access {
namespace {

constexpr absl::string_view kServerPrefix = "fairlead://server/";
constexpr absl::string_view kUserPrefix = "fairlead://user/";
constexpr int kPasswordsAtOnce = 2;

// An agent's where one name is a server's.
Caller FromCertificate(const std::vector<std::string>& names) {
  Caller caller{.kind = Caller::Kind::kCertificate, .name = kOperator};
  for (const std::string& each : names) {
    absl::string_view name = each;
    if (absl::ConsumePrefix(&name, kServerPrefix)) {
      return {.kind = Caller::Kind::kAgent, .name = std::string(name)};
    }
    if (caller.name == kOperator && absl::ConsumePrefix(&name, kUserPrefix)) {
      caller.name = std::string(name);
    }
  }
  return caller;
}

}  // namespace

absl::Status Authenticator::Refuse(const std::string& user, const std::string& address,
                                   const std::string& reason) {
  lockout_.NoteFailure(user, address, clock_.Uptime());
  return absl::UnauthenticatedError(reason);
}

absl::Status Authenticator::CheckAddress(const std::string& address) const {
  return lockout_.Check("", address, clock_.Uptime());
}

absl::StatusOr<Caller> Authenticator::Authenticate(const Credentials& credentials) {
  if (!credentials.bearer.empty()) return FromBearer(credentials);
  Caller caller;
  if (credentials.has_certificate || !credentials.names.empty()) {
    caller = FromCertificate(credentials.names);
  } else if (options_.dev) {
    caller.kind = Caller::Kind::kDev;
  } else {
    return absl::UnauthenticatedError(
        "the call says neither by a key nor by a certificate who it is");
  }
  caller.address = credentials.address;
  return caller;
}

absl::StatusOr<Caller> Authenticator::FromBearer(const Credentials& credentials) {
  const std::string& address = credentials.address;
  const std::optional<Secret> secret = ParseSecret(credentials.bearer);
  const absl::Time now = clock_.Now();
  if (!secret.has_value() || secret->kind == kFirstKind) {
    return absl::UnauthenticatedError("the token is neither an API key nor of a session");
  }
  const auto identities = directory_.identities();
  if (secret->kind == kSessionKind) {
    const std::optional<Session> session = sessions_.Find(*secret, now);
    if (!session.has_value()) {
      return absl::UnauthenticatedError("the session is over; log in again with: fairlead login");
    }
    if (session->claimed_groups.has_value()) {
      // Also a local user that was added meanwhile; the name is that one's now.
      if (identities->users.contains(session->user)) {
        return absl::UnauthenticatedError(
            "the session is over: there is a local user of that name now");
      }
      return Caller{.kind = Caller::Kind::kOidc,
                    .name = session->user,
                    .session_id = secret->id,
                    .groups = *session->claimed_groups,
                    .address = address,
                    .expires = session->expires};
    }
    const v1::LocalUser* const user = identities->ActiveUser(session->user);
    if (user == nullptr || base::FromProto(user->password_changed()) > session->begun) {
      return absl::UnauthenticatedError("the session is over: the user was disabled or changed");
    }
    return Caller{.kind = Caller::Kind::kUser,
                  .name = session->user,
                  .session_id = secret->id,
                  .address = address,
                  .expires = session->expires};
  }
  const auto known = identities->keys.find(secret->id);
  if (known == identities->keys.end() ||
      !EqualBytes(known->second.record.secret_hash(), Sha256(secret->secret))) {
    return absl::UnauthenticatedError("there is no such API key");
  }
  const v1::ApiKey& record = known->second.record;
  if (identities->ActiveKey(secret->id, now) == nullptr) {
    return absl::UnauthenticatedError(
        absl::StrCat("API key \"", record.name(),
                     "\" is revoked or expired, or its user is disabled; make another one"));
  }
  const auto& networks = known->second.networks;
  if (!networks.empty() &&
      std::none_of(networks.begin(), networks.end(),
                   [&address](const Network& network) { return network.Contains(address); })) {
    return absl::UnauthenticatedError(
        absl::StrCat("API key \"", record.name(), "\" may not be used from ", address));
  }
  Caller caller{.kind = Caller::Kind::kKey,
                .name = record.user(),
                .key_id = record.id(),
                .key_name = record.name(),
                .address = address};
  if (record.has_expires()) caller.expires = base::FromProto(record.expires());
  return caller;
}

absl::StatusOr<v1::LocalUser> Authenticator::CheckPassword(const std::string& user,
                                                           const std::string& password,
                                                           const std::string& address) {
  RETURN_IF_ERROR(lockout_.Check(user, address, clock_.Uptime()));
  {
    base::MutexLock lock(mutex_);
    if (checking_ >= kPasswordsAtOnce) {
      return absl::ResourceExhaustedError("too many log in at once; try again in a moment");
    }
    ++checking_;
  }
  const auto identities = directory_.identities();
  const v1::LocalUser* const known = identities->ActiveUser(user);
  const bool fits = IsPasswordOf(password, known == nullptr ? "" : known->password_hash());
  {
    base::MutexLock lock(mutex_);
    --checking_;
  }
  if (!fits) return Refuse(user, address, "user and password do not fit");
  lockout_.NoteSuccess(user);
  return *known;
}

absl::Status Authenticator::CheckFirstToken(const std::string& token, const std::string& address) {
  RETURN_IF_ERROR(CheckAddress(address));
  if (directory_.IsFirstToken(token)) return absl::OkStatus();
  return Refuse("", address,
                "the token of the first start is not this one, or was used; a start without users "
                "prints another one");
}

}  // namespace fairlead::access
