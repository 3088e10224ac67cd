#include "controller/identity/tls_folder.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/certificate.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"

namespace fairlead::identity {
namespace {

constexpr std::size_t kFileLimit = 1u << 20;

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
}

// `what` names the files in messages. A certificate that is not valid yet passes: a clock that was
// set back may not keep the controller from its work, and every peer looks at its own clock.
absl::Status CheckTimes(const std::string& certificate, const std::string& what, absl::Time now) {
  ASSIGN_OR_RETURN(const base::CertificateFacts facts, base::ReadCertificate(certificate), what);
  if (now >= facts.not_after) {
    return absl::FailedPreconditionError(
        absl::StrCat(what, " has expired at ", TimeText(facts.not_after),
                     "; the clock of this machine says ", TimeText(now)));
  }
  return absl::OkStatus();
}

void WarnOfEarlyClock(const std::string& certificate, const std::string& what, absl::Time now) {
  const absl::StatusOr<base::CertificateFacts> facts = base::ReadCertificate(certificate);
  if (!facts.ok() || facts->not_before <= now) return;
  base::LogWarning("tls", what, " is valid only from ", TimeText(facts->not_before),
                   "; the clock of this machine says ", TimeText(now),
                   ": is it right? Who has the same clock will refuse the certificate.");
}

absl::StatusOr<KeyPair> ReadPair(const std::string& certificate, const std::string& key) {
  KeyPair pair;
  ASSIGN_OR_RETURN(pair.certificate, base::ReadFile(certificate, kFileLimit));
  ASSIGN_OR_RETURN(pair.key, base::ReadFile(key, kFileLimit));
  return pair;
}

bool CoversNames(const base::CertificateFacts& facts, const HostNames& names) {
  const std::set<std::string> dns(facts.dns.begin(), facts.dns.end());
  // Addresses are written in more than one way; how many there are is enough beside the names.
  return facts.addresses.size() == names.addresses.size() &&
         std::all_of(names.names.begin(), names.names.end(),
                     [&dns](const std::string& name) { return dns.contains(name); });
}

}  // namespace

std::string TlsFolder::File(const std::string& name) const {
  return absl::StrCat(options_.folder, "/", name);
}
std::string TlsFolder::serving_certificate() const { return File("serving.crt"); }
std::string TlsFolder::serving_key() const { return File("serving.key"); }

absl::StatusOr<TlsFolder> TlsFolder::Open(TlsOptions options, absl::Time now) {
  if (options.certificate.empty() != options.key.empty()) {
    return absl::InvalidArgumentError(
        "--tls-cert and --tls-key belong together: give both, or none to have a certificate made");
  }
  TlsFolder folder(std::move(options));
  RETURN_IF_ERROR(base::MakeDirectories(folder.options_.folder, 0700));
  RETURN_IF_ERROR(folder.LoadAuthority(now));
  if (!folder.options_.authority.empty()) {
    ASSIGN_OR_RETURN(folder.other_authorities_,
                     base::ReadFile(folder.options_.authority, kFileLimit), "--tls-ca");
    RETURN_IF_ERROR(base::ReadCertificate(folder.other_authorities_).status(),
                    absl::StrCat("--tls-ca ", folder.options_.authority));
  }
  WarnOfEarlyClock(folder.authority_.certificate,
                   absl::StrCat("the authority ", folder.File("ca.crt")), now);
  ASSIGN_OR_RETURN(const KeyPair wanted, folder.Wanted(now));
  if (!folder.options_.certificate.empty()) {
    WarnOfEarlyClock(wanted.certificate, absl::StrCat("--tls-cert ", folder.options_.certificate),
                     now);
  }
  RETURN_IF_ERROR(folder.Serve(wanted));
  folder.agent_trust_ = folder.TrustOf(wanted.certificate, now);
  return folder;
}

std::string TlsFolder::TrustOf(const std::string& chain, absl::Time now) const {
  if (options_.certificate.empty()) return authority_.certificate;
  base::ChainCheck check{.chain = chain,
                         .roots = other_authorities_,
                         .use = base::CertificateUse::kServer,
                         .now = now,
                         .early = absl::InfiniteDuration()};
  if (!check.roots.empty() && base::VerifyChain(check).ok()) return other_authorities_;
  check.roots.clear();
  check.machine_roots = true;
  return base::VerifyChain(check).ok() ? "" : base::SplitCertificates(chain).back();
}

absl::Status TlsFolder::LoadAuthority(absl::Time now) {
  const std::string certificate = File("ca.crt");
  const std::string key = File("ca.key");
  const absl::StatusOr<std::string> kept = base::ReadFile(certificate, kFileLimit);
  const absl::StatusOr<std::string> kept_key = base::ReadPrivateFile(key, kFileLimit);
  if (absl::IsNotFound(kept.status())) {
    if (!absl::IsNotFound(kept_key.status())) {
      return absl::FailedPreconditionError(
          absl::StrCat(certificate, " is lost; put it back from a backup, or remove ", key,
                       " too: then a new authority is made and every agent must join again"));
    }
    ASSIGN_OR_RETURN(
        authority_,
        MakeAuthority(absl::FormatTime("%Y-%m-%d %H:%M", now, absl::UTCTimeZone()), now));
    RETURN_IF_ERROR(base::WriteFileAtomically(key, authority_.key));
    RETURN_IF_ERROR(base::WriteFileAtomically(certificate, authority_.certificate));
    ASSIGN_OR_RETURN(const base::CertificateFacts facts,
                     base::ReadCertificate(authority_.certificate));
    base::LogInfo("tls", "made an authority for this controller and its agents in ",
                  options_.folder, "; SHA-256 fingerprint ",
                  base::FingerprintText(facts.fingerprint));
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(kept.status());
  if (absl::IsNotFound(kept_key.status())) {
    return absl::FailedPreconditionError(absl::StrCat(
        key,
        " is lost, and without it no agent can be given a certificate; put it back from a "
        "backup, or remove ",
        certificate, " too: then a new authority is made and every agent must join again"));
  }
  RETURN_IF_ERROR(kept_key.status());
  authority_ = {.certificate = *kept, .key = *kept_key};
  RETURN_IF_ERROR(base::CheckKeyPair(*kept, *kept_key),
                  absl::StrCat("put both back from a backup: ", certificate, " and ", key));
  return CheckTimes(*kept, absl::StrCat("the authority ", certificate), now);
}

absl::StatusOr<KeyPair> TlsFolder::Wanted(absl::Time now) const {
  return options_.certificate.empty() ? Own(now) : Given(now);
}

absl::StatusOr<KeyPair> TlsFolder::Given(absl::Time now) const {
  KeyPair pair;
  ASSIGN_OR_RETURN(pair.certificate, base::ReadFile(options_.certificate, kFileLimit),
                   "--tls-cert");
  ASSIGN_OR_RETURN(pair.key, base::ReadFile(options_.key, kFileLimit), "--tls-key");
  RETURN_IF_ERROR(base::CheckKeyPair(pair.certificate, pair.key),
                  absl::StrCat("--tls-cert ", options_.certificate, ", --tls-key ", options_.key));
  RETURN_IF_ERROR(
      CheckTimes(pair.certificate, absl::StrCat("--tls-cert ", options_.certificate), now));
  return pair;
}

absl::StatusOr<KeyPair> TlsFolder::Own(absl::Time now) const {
  const HostNames names = ComputeHostNames(options_.listen, options_.names);
  const auto kept = ReadPair(File("server.crt"), File("server.key"));
  if (kept.ok() && base::CheckKeyPair(kept->certificate, kept->key).ok()) {
    const auto facts = base::ReadCertificate(kept->certificate);
    const bool ours = base::VerifyChain({.chain = kept->certificate,
                                         .roots = authority_.certificate,
                                         .use = base::CertificateUse::kServer,
                                         .now = now,
                                         // A clock that was set back is no reason for another one.
                                         .early = absl::InfiniteDuration()})
                          .ok();
    if (facts.ok() && ours && now < RenewalOf(facts->not_before, facts->not_after) &&
        CoversNames(*facts, names)) {
      return kept;
    }
  }
  ASSIGN_OR_RETURN(const KeyPair made, IssueController(authority_, names, now));
  RETURN_IF_ERROR(base::WriteFileAtomically(File("server.key"), made.key));
  RETURN_IF_ERROR(base::WriteFileAtomically(File("server.crt"), made.certificate));
  base::LogInfo("tls", "made a certificate for this controller, good until ",
                TimeText(now + kControllerLife));
  return made;
}

absl::Status TlsFolder::Serve(const KeyPair& pair) {
  const std::string last = base::SplitCertificates(pair.certificate).back();
  ASSIGN_OR_RETURN(const base::CertificateFacts end, base::ReadCertificate(last));
  fingerprint_ = end.fingerprint;
  // Who reads between both tries again a second later.
  RETURN_IF_ERROR(base::WriteFileAtomically(serving_key(), pair.key));
  RETURN_IF_ERROR(base::WriteFileAtomically(serving_certificate(), pair.certificate));
  serving_ = pair;
  return absl::OkStatus();
}

absl::StatusOr<bool> TlsFolder::Refresh(absl::Time now) {
  ASSIGN_OR_RETURN(const KeyPair wanted, Wanted(now));
  if (wanted.certificate == serving_.certificate && wanted.key == serving_.key) return false;
  RETURN_IF_ERROR(Serve(wanted));
  return true;
}

}  // namespace fairlead::identity
