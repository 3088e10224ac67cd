#include "controller/identity/agent_identities.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/certificate.h"
#include "base/log.h"
#include "base/proto_time.h"
#include "base/status.h"

namespace fairlead::identity {
namespace {

// How long records of what is over are kept.
constexpr absl::Duration kKeepFor = absl::Hours(24 * 30);

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
}

bool IsGood(const v1::AgentCertificate& certificate, absl::Time now) {
  return !certificate.revoked() && now < base::FromProto(certificate.not_after());
}

absl::Status NoAgent(const std::string& server) {
  return absl::NotFoundError(absl::StrCat(
      "server \"", server, "\" has no certificate of this controller that still counts; ",
      "\"fairlead agent list\" names those that have"));
}

std::string ResourceOf(const std::string& server) { return absl::StrCat("server/", server); }

}  // namespace

absl::StatusOr<PeerName> ReadPeerName(const std::string& certificate) {
  ASSIGN_OR_RETURN(const base::CertificateFacts facts, base::ReadCertificate(certificate));
  const std::size_t names = facts.uris.size() + facts.dns.size() + facts.addresses.size();
  absl::string_view server = facts.uris.empty() ? absl::string_view() : facts.uris.front();
  if (names != 1 || !absl::ConsumePrefix(&server, kServerUri) || server.empty()) {
    return absl::PermissionDeniedError(absl::StrCat("the certificate \"", facts.subject,
                                                    "\" is not for one ", kServerUri, "NAME"));
  }
  return PeerName{
      .server = std::string(server), .serial = facts.serial, .not_after = facts.not_after};
}

AgentIdentities::AgentIdentities(IdentityOptions options, const store::StoreImage& image,
                                 Persist persist, base::Clock& clock, base::Random& random,
                                 AuditSink& audit)
    : options_(std::move(options)),
      persist_(std::move(persist)),
      clock_(clock),
      random_(random),
      audit_(audit) {
  for (const v1::JoinToken& token : image.join_tokens) tokens_[token.id()] = token;
  for (const v1::AgentCertificate& one : image.agent_certificates) {
    certificates_[one.serial()] = one;
  }
}

void AgentIdentities::SetFingerprint(std::string fingerprint) {
  base::MutexLock lock(mutex_);
  fingerprint_ = std::move(fingerprint);
}

absl::StatusOr<AgentIdentities::IssuedToken> AgentIdentities::CreateToken(const TokenTerms& terms) {
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const NewToken made, MakeToken(terms, now, random_));
  store::StoreBatch batch;
  batch.put_join_tokens.push_back(made.record);
  {
    base::MutexLock lock(mutex_);
    for (const auto& [id, token] : tokens_) {
      if (base::FromProto(token.expires()) + kKeepFor < now) batch.delete_join_tokens.push_back(id);
    }
  }
  RETURN_IF_ERROR(persist_(batch), "cannot keep the join token");
  TokenText text{.id = made.record.id(), .secret = made.secret};
  {
    base::MutexLock lock(mutex_);
    KeepLocked(batch);
    text.fingerprint = fingerprint_;
  }
  audit_.Note({.who = terms.created_by,
               .what = "token",
               .resource = terms.server.empty() ? "" : ResourceOf(terms.server),
               .allowed = true,
               .reason = absl::StrCat("join token ", made.record.id(), ", good until ",
                                      TimeText(terms.expires))});
  return IssuedToken{.text = FormatToken(text), .record = made.record};
}

absl::StatusOr<std::string> AgentIdentities::Enrol(const std::string& token,
                                                   const std::string& request,
                                                   const std::string& server,
                                                   const std::string& from) {
  absl::StatusOr<TokenText> text = ParseToken(token);
  absl::StatusOr<std::string> issued = text.ok() ? EnrolChecked(*text, request, server, from)
                                                 : absl::StatusOr<std::string>(text.status());
  audit_.Note({.who = text.ok() ? absl::StrCat("token/", text->id) : "",
               .from = from,
               .what = "enrol",
               .resource = ResourceOf(server),
               .allowed = issued.ok(),
               .reason = std::string(issued.status().message())});
  return issued;
}

absl::StatusOr<v1::JoinToken> AgentIdentities::TakeToken(const TokenText& text,
                                                         const std::string& server) {
  // Asked before the lock is taken: it looks into the loop's picture.
  Joining joining{.server = server, .tags = tags_ ? tags_(server) : std::set<std::string>()};
  const absl::Time now = clock_.Now();
  base::MutexLock lock(mutex_);
  const auto found = tokens_.find(text.id);
  if (found == tokens_.end()) {
    return absl::PermissionDeniedError(
        absl::StrCat("there is no join token ", text.id.substr(0, 16), " here"));
  }
  joining.has_certificate = HasGoodLocked(server, now);
  RETURN_IF_ERROR(CheckToken(found->second, text.secret, joining, now));
  // Taken before it is durable: nobody else may use it meanwhile.
  found->second.set_uses(found->second.uses() + 1);
  return found->second;
}

void AgentIdentities::GiveBack(const std::string& token_id) {
  base::MutexLock lock(mutex_);
  const auto found = tokens_.find(token_id);
  if (found != tokens_.end()) found->second.set_uses(found->second.uses() - 1);
}

absl::StatusOr<std::string> AgentIdentities::EnrolChecked(const TokenText& token,
                                                          const std::string& request,
                                                          const std::string& server,
                                                          const std::string& from) {
  const absl::Time now = clock_.Now();
  // Before the token is spent: a request that is wrong does not cost it.
  ASSIGN_OR_RETURN(const std::string issued, IssueAgent(options_.authority, request, server, now));
  ASSIGN_OR_RETURN(v1::AgentCertificate record, RecordOf(issued, server, from));
  ASSIGN_OR_RETURN(const v1::JoinToken taken, TakeToken(token, server));
  record.set_token_id(taken.id());
  store::StoreBatch batch;
  bool replaced = false;
  {
    base::MutexLock lock(mutex_);
    batch.put_agent_certificates = RevokedLocked(server, now, "another agent joined as the server");
    replaced = !batch.put_agent_certificates.empty();
    batch.delete_agent_certificates = StaleLocked(now);
  }
  batch.put_agent_certificates.push_back(record);
  batch.put_join_tokens.push_back(taken);
  const absl::Status durable = persist_(batch);
  if (!durable.ok()) {
    GiveBack(taken.id());
    return base::Annotate(durable, "cannot keep the new certificate");
  }
  {
    base::MutexLock lock(mutex_);
    // Another use of the token may be ahead in memory already.
    batch.put_join_tokens.clear();
    KeepLocked(batch);
  }
  if (replaced && on_revoked_) on_revoked_(server, "another agent joined as the server");
  return issued;
}

absl::StatusOr<std::string> AgentIdentities::Renew(const std::string& certificate,
                                                   const std::string& request,
                                                   const std::string& from) {
  ASSIGN_OR_RETURN(const PeerName peer, ReadPeerName(certificate));
  absl::Status allowed = base::VerifyChain({.chain = certificate,
                                            .roots = options_.authority.certificate,
                                            .use = base::CertificateUse::kClient,
                                            .now = clock_.Now(),
                                            .early = kEarlyPeer});
  if (allowed.ok()) allowed = CheckStillGood(certificate);
  absl::StatusOr<std::string> issued = allowed.ok()
                                           ? RenewChecked(peer.server, peer.serial, request, from)
                                           : absl::StatusOr<std::string>(std::move(allowed));
  audit_.Note({.who = absl::StrCat("agent/", peer.server),
               .from = from,
               .what = "renew",
               .resource = ResourceOf(peer.server),
               .allowed = issued.ok(),
               .reason = std::string(issued.status().message())});
  return issued;
}

absl::StatusOr<std::string> AgentIdentities::RenewChecked(const std::string& server,
                                                          const std::string& serial,
                                                          const std::string& request,
                                                          const std::string& from) {
  const absl::Time now = clock_.Now();
  ASSIGN_OR_RETURN(const std::string issued, IssueAgent(options_.authority, request, server, now));
  ASSIGN_OR_RETURN(v1::AgentCertificate record, RecordOf(issued, server, from));
  store::StoreBatch batch;
  {
    base::MutexLock lock(mutex_);
    const auto old = certificates_.find(serial);
    if (old != certificates_.end()) record.set_token_id(old->second.token_id());
    batch.delete_agent_certificates = StaleLocked(now);
  }
  batch.put_agent_certificates.push_back(record);
  RETURN_IF_ERROR(persist_(batch), "cannot keep the new certificate");
  base::MutexLock lock(mutex_);
  // Revoked meanwhile: the new one must not live on.
  RETURN_IF_ERROR(CheckRevokedLocked(serial));
  KeepLocked(batch);
  rotating_.erase(serial);
  return issued;
}

absl::StatusOr<v1::AgentCertificate> AgentIdentities::RecordOf(const std::string& pem,
                                                               const std::string& server,
                                                               const std::string& from) const {
  ASSIGN_OR_RETURN(const base::CertificateFacts facts, base::ReadCertificate(pem));
  v1::AgentCertificate record;
  record.set_serial(facts.serial);
  record.set_server(server);
  *record.mutable_not_before() = base::ToProto(facts.not_before);
  *record.mutable_not_after() = base::ToProto(facts.not_after);
  record.set_address(from);
  return record;
}

namespace {

// Whoever is a controller may say for whom it calls: no other authority makes one.
absl::Status CheckNamesNoController(const std::string& chain) {
  ASSIGN_OR_RETURN(const base::CertificateFacts facts, base::ReadCertificate(chain));
  for (const std::string& uri : facts.uris) {
    if (absl::StartsWith(uri, kControllerUri)) {
      return absl::PermissionDeniedError(
          absl::StrCat("only the controllers' own authority makes certificates for ", uri));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AgentIdentities::CheckPeer(const std::string& chain) const {
  base::ChainCheck check{.chain = chain,
                         .roots = options_.authority.certificate,
                         .use = base::CertificateUse::kClient,
                         .now = clock_.Now(),
                         .early = kEarlyPeer};
  const absl::Status ours = base::VerifyChain(check);
  if (ours.ok()) {
    ASSIGN_OR_RETURN(const base::CertificateFacts facts, base::ReadCertificate(chain));
    base::MutexLock lock(mutex_);
    return CheckRevokedLocked(facts.serial);
  }
  if (options_.other_authorities.empty()) return ours;
  check.roots = options_.other_authorities;
  const absl::Status theirs = base::VerifyChain(check);
  if (theirs.ok()) RETURN_IF_ERROR(CheckNamesNoController(chain));
  // Whose it is tells more than that the other one does not know it.
  return theirs.ok() || absl::StrContains(ours.message(), "not known here") ? theirs : ours;
}

absl::Status AgentIdentities::CheckStillGood(const std::string& certificate) const {
  ASSIGN_OR_RETURN(const base::CertificateFacts facts, base::ReadCertificate(certificate));
  if (clock_.Now() >= facts.not_after) {
    return absl::PermissionDeniedError(absl::StrCat(
        "the certificate \"", facts.subject, "\" has expired at ", TimeText(facts.not_after)));
  }
  base::MutexLock lock(mutex_);
  return CheckRevokedLocked(facts.serial);
}

absl::StatusOr<std::vector<std::string>> AgentIdentities::Revoke(const std::string& server,
                                                                 const std::string& why,
                                                                 const std::string& who) {
  const absl::Time now = clock_.Now();
  const std::string reason =
      absl::StrCat("by ", who, why.empty() ? "" : ": ", why, ", at ", TimeText(now));
  std::vector<std::string> serials;
  while (true) {
    store::StoreBatch batch;
    {
      base::MutexLock lock(mutex_);
      batch.put_agent_certificates = RevokedLocked(server, now, reason);
    }
    // Once more, for what was issued while this was being written.
    if (batch.put_agent_certificates.empty()) break;
    RETURN_IF_ERROR(persist_(batch), "cannot keep the revocation");
    for (const auto& one : batch.put_agent_certificates) serials.push_back(one.serial());
    base::MutexLock lock(mutex_);
    KeepLocked(batch);
  }
  if (serials.empty()) return NoAgent(server);
  if (on_revoked_) on_revoked_(server, absl::StrCat("its certificate was revoked ", reason));
  audit_.Note({.who = who,
               .what = "revoke",
               .resource = ResourceOf(server),
               .allowed = true,
               .reason = reason});
  return serials;
}

absl::StatusOr<std::vector<std::string>> AgentIdentities::Rotate(const std::string& server,
                                                                 const std::string& who) {
  const absl::Time now = clock_.Now();
  std::set<std::string> servers;
  {
    base::MutexLock lock(mutex_);
    for (const auto& [serial, one] : certificates_) {
      if (!IsGood(one, now) || (!server.empty() && one.server() != server)) continue;
      servers.insert(one.server());
      rotating_.insert(serial);
    }
  }
  if (servers.empty() && !server.empty()) return NoAgent(server);
  for (const std::string& one : servers) {
    audit_.Note({.who = who,
                 .what = "rotate",
                 .resource = ResourceOf(one),
                 .allowed = true,
                 .reason = "asked for a new key"});
  }
  return std::vector<std::string>(servers.begin(), servers.end());
}

bool AgentIdentities::IsRotating(const std::string& certificate) const {
  const absl::StatusOr<base::CertificateFacts> facts = base::ReadCertificate(certificate);
  if (!facts.ok()) return false;
  base::MutexLock lock(mutex_);
  return rotating_.contains(facts->serial);
}

std::map<std::string, AgentIdentity> AgentIdentities::List() const {
  std::map<std::string, AgentIdentity> agents;
  base::MutexLock lock(mutex_);
  for (const auto& [serial, one] : certificates_) {
    AgentIdentity& agent = agents[one.server()];
    const bool newer =
        base::FromProto(one.not_after()) >= base::FromProto(agent.certificate.not_after());
    // What counts goes before what was revoked.
    if (agent.certificate.serial().empty() ||
        (one.revoked() == agent.certificate.revoked() ? newer : !one.revoked())) {
      agent = {.certificate = one, .rotating = rotating_.contains(serial)};
    }
  }
  return agents;
}

bool AgentIdentities::HasGoodLocked(const std::string& server, absl::Time now) const {
  return std::any_of(certificates_.begin(), certificates_.end(), [&](const auto& entry) {
    return entry.second.server() == server && IsGood(entry.second, now);
  });
}

absl::Status AgentIdentities::CheckRevokedLocked(const std::string& serial) const {
  const auto found = certificates_.find(serial);
  if (found == certificates_.end() || !found->second.revoked()) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat("the certificate of server \"",
                                                  found->second.server(),
                                                  "\" was revoked: ", found->second.revoked_why()));
}

std::vector<v1::AgentCertificate> AgentIdentities::RevokedLocked(const std::string& server,
                                                                 absl::Time now,
                                                                 const std::string& why) const {
  std::vector<v1::AgentCertificate> revoked;
  for (const auto& [serial, one] : certificates_) {
    if (one.server() != server || !IsGood(one, now)) continue;
    revoked.push_back(one);
    revoked.back().set_revoked(true);
    revoked.back().set_revoked_why(why);
  }
  return revoked;
}

std::vector<std::string> AgentIdentities::StaleLocked(absl::Time now) const {
  std::vector<std::string> stale;
  for (const auto& [serial, one] : certificates_) {
    if (base::FromProto(one.not_after()) + kKeepFor < now) stale.push_back(serial);
  }
  return stale;
}

void AgentIdentities::KeepLocked(const store::StoreBatch& batch) {
  for (const std::string& id : batch.delete_join_tokens) tokens_.erase(id);
  for (const std::string& serial : batch.delete_agent_certificates) certificates_.erase(serial);
  for (const v1::JoinToken& token : batch.put_join_tokens) tokens_[token.id()] = token;
  for (const v1::AgentCertificate& one : batch.put_agent_certificates) {
    certificates_[one.serial()] = one;
    if (one.revoked()) rotating_.erase(one.serial());
  }
}

}  // namespace fairlead::identity
