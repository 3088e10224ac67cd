// Which tokens and agent certificates there are, and what they are good for.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "controller/identity/audit_sink.h"
#include "controller/identity/certificate_authority.h"
#include "controller/identity/join_token.h"
#include "controller/store/store.h"
#include "fairlead/v1/access.pb.h"

namespace fairlead::identity {

struct IdentityOptions {
  // Signs agents' certificates.
  KeyPair authority;
  // PEM of those whose client certificates count too; may be empty.
  std::string other_authorities;
  // PEM: whom agents believe from their enrolment on; empty: the machine's authorities.
  std::string agent_trust;
};

// What is kept of one server.
struct AgentIdentity {
  // Newest certificate.
  v1::AgentCertificate certificate;
  bool rotating = false;
};

// Thread-safe. Makes durable before it answers; no lock is held meanwhile.
class AgentIdentities {
 public:
  // Makes a batch durable.
  using Persist = std::function<absl::Status(const store::StoreBatch&)>;
  // The tags with which a server is declared.
  using TagsOf = std::function<std::set<std::string>(const std::string& server)>;
  // All certificates of the server count no more.
  using OnRevoked = std::function<void(const std::string& server, const std::string& why)>;

  // `clock`, `random` and `audit` must outlive it.
  AgentIdentities(IdentityOptions options, const store::StoreImage& image, Persist persist,
                  base::Clock& clock, base::Random& random, AuditSink& audit);

  // Both are set before the first agent comes.
  void SetTags(TagsOf tags) { tags_ = std::move(tags); }
  void SetOnRevoked(OnRevoked on_revoked) { on_revoked_ = std::move(on_revoked); }
  // Of the certificate that ends the chain which the controller presents: tokens carry it.
  void SetFingerprint(std::string fingerprint) ABSL_LOCKS_EXCLUDED(mutex_);

  struct IssuedToken {
    // Told once.
    std::string text;
    v1::JoinToken record;
  };
  absl::StatusOr<IssuedToken> CreateToken(const TokenTerms& terms) ABSL_LOCKS_EXCLUDED(mutex_);

  // The agent's chain, PEM. Earlier certificates of the server count no more. PermissionDenied when
  // the token does not allow it; every refusal is audited.
  absl::StatusOr<std::string> Enrol(const std::string& token, const std::string& request,
                                    const std::string& server, const std::string& from)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // `certificate` is that of the caller. PermissionDenied when it is not one of ours.
  absl::StatusOr<std::string> Renew(const std::string& certificate, const std::string& request,
                                    const std::string& from) ABSL_LOCKS_EXCLUDED(mutex_);

  // OK when the chain (PEM) that a peer has presented may connect now.
  absl::Status CheckPeer(const std::string& chain) const ABSL_LOCKS_EXCLUDED(mutex_);
  // The same without the authority, for calls on a connection that was let in earlier.
  absl::Status CheckStillGood(const std::string& certificate) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Serial numbers. NotFound when the server has no certificate that counts.
  absl::StatusOr<std::vector<std::string>> Revoke(const std::string& server, const std::string& why,
                                                  const std::string& who)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Servers that are asked to renew; all with an empty `server`. NotFound as above.
  absl::StatusOr<std::vector<std::string>> Rotate(const std::string& server, const std::string& who)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The certificate is to be renewed before its time.
  bool IsRotating(const std::string& certificate) const ABSL_LOCKS_EXCLUDED(mutex_);

  // By server.
  std::map<std::string, AgentIdentity> List() const ABSL_LOCKS_EXCLUDED(mutex_);

  const IdentityOptions& options() const { return options_; }
  absl::Time Now() const { return clock_.Now(); }

 private:
  absl::StatusOr<std::string> EnrolChecked(const TokenText& token, const std::string& request,
                                           const std::string& server, const std::string& from)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::string> RenewChecked(const std::string& server, const std::string& serial,
                                           const std::string& request, const std::string& from)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Counts a use of the token, if it allows it.
  absl::StatusOr<v1::JoinToken> TakeToken(const TokenText& text, const std::string& server)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void GiveBack(const std::string& token_id) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<v1::AgentCertificate> RecordOf(const std::string& pem, const std::string& server,
                                                const std::string& from) const;
  bool HasGoodLocked(const std::string& server, absl::Time now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckRevokedLocked(const std::string& serial) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Good certificates of the server as they are when revoked.
  std::vector<v1::AgentCertificate> RevokedLocked(const std::string& server, absl::Time now,
                                                  const std::string& why) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Serial numbers of what ended long ago.
  std::vector<std::string> StaleLocked(absl::Time now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void KeepLocked(const store::StoreBatch& batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const IdentityOptions options_;
  const Persist persist_;
  base::Clock& clock_;
  base::Random& random_;
  AuditSink& audit_;
  TagsOf tags_;
  OnRevoked on_revoked_;

  mutable base::Mutex mutex_;
  std::string fingerprint_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::JoinToken> tokens_ ABSL_GUARDED_BY(mutex_);
  // By serial number.
  std::map<std::string, v1::AgentCertificate> certificates_ ABSL_GUARDED_BY(mutex_);
  // Serial numbers whose agents are asked to renew. Not durable: whoever asked asks again.
  std::set<std::string> rotating_ ABSL_GUARDED_BY(mutex_);
};

// NAME of the one "fairlead://server/NAME" of the certificate (PEM), its serial number and end.
struct PeerName {
  std::string server;
  std::string serial;
  absl::Time not_after;
};
absl::StatusOr<PeerName> ReadPeerName(const std::string& certificate);

}  // namespace fairlead::identity
