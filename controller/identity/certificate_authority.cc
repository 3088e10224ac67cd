#include "controller/identity/certificate_authority.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/certificate.h"
#include "base/status.h"

namespace fairlead::identity {
namespace {

// Clocks of hosts may be this far behind.
constexpr absl::Duration kClockSlack = absl::Minutes(10);
constexpr std::size_t kLongestName = 253;

bool IsNumeric(absl::string_view host) {
  return host.find(':') != absl::string_view::npos ||
         host.find_first_not_of("0123456789.") == absl::string_view::npos;
}

// Without the port, and without the brackets of IPv6.
absl::string_view HostOf(absl::string_view address) {
  if (absl::ConsumePrefix(&address, "[")) return address.substr(0, address.find(']'));
  return address.substr(0, address.rfind(':'));
}

void Add(absl::string_view host, HostNames& names) {
  if (host.empty() || host == "0.0.0.0" || host == "::" || host == "*") return;
  std::vector<std::string>& list = IsNumeric(host) ? names.addresses : names.names;
  if (std::find(list.begin(), list.end(), host) == list.end()) list.emplace_back(host);
}

}  // namespace

absl::StatusOr<KeyPair> MakeAuthority(absl::string_view installation, absl::Time now) {
  KeyPair made;
  ASSIGN_OR_RETURN(made.key, base::MakePrivateKey());
  ASSIGN_OR_RETURN(made.certificate,
                   base::IssueCertificate({.common_name = absl::StrCat("Fairlead ", installation),
                                           .not_before = now - kClockSlack,
                                           .not_after = now + kAuthorityLife,
                                           .use = base::CertificateUse::kAuthority},
                                          made.key, "", made.key));
  return made;
}

HostNames ComputeHostNames(const std::vector<std::string>& listen,
                           const std::vector<std::string>& names) {
  HostNames found;
  for (const absl::string_view host : {"localhost", "127.0.0.1", "::1"}) Add(host, found);
  for (const std::string& address : listen) {
    if (!absl::StartsWith(address, "unix:")) Add(HostOf(address), found);
  }
  for (const std::string& name : names) Add(name, found);
  return found;
}

absl::StatusOr<KeyPair> IssueController(const KeyPair& authority, const HostNames& names,
                                        absl::Time now) {
  KeyPair made;
  ASSIGN_OR_RETURN(made.key, base::MakePrivateKey());
  ASSIGN_OR_RETURN(made.certificate,
                   base::IssueCertificate({.common_name = "fairlead-controller",
                                           .uris = {std::string(kControllerUri)},
                                           .dns = names.names,
                                           .addresses = names.addresses,
                                           .not_before = now - kClockSlack,
                                           .not_after = now + kControllerLife,
                                           .use = base::CertificateUse::kServer},
                                          made.key, authority.certificate, authority.key));
  absl::StrAppend(&made.certificate, authority.certificate);
  return made;
}

absl::StatusOr<KeyPair> IssueRelay(const KeyPair& authority, const std::string& holder,
                                   absl::Time now) {
  KeyPair made;
  ASSIGN_OR_RETURN(made.key, base::MakePrivateKey());
  ASSIGN_OR_RETURN(made.certificate,
                   base::IssueCertificate({.common_name = "fairlead-standby",
                                           .uris = {absl::StrCat(kControllerUri, "/", holder)},
                                           .not_before = now - kClockSlack,
                                           .not_after = now + kRelayLife,
                                           .use = base::CertificateUse::kClient},
                                          made.key, authority.certificate, authority.key));
  return made;
}

absl::Time RenewalOf(absl::Time not_before, absl::Time not_after) {
  return not_after - (not_after - not_before) / 3;
}

absl::Status CheckServerName(absl::string_view server) {
  const bool plain = !server.empty() && server.size() <= kLongestName &&
                     std::all_of(server.begin(), server.end(), [](char c) {
                       return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' ||
                              c == '_' || c == '.';
                     });
  if (plain) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("server \"", server.substr(0, kLongestName),
                   "\": a name in a certificate has letters, digits, '-', '_' and '.' only"));
}

absl::StatusOr<std::string> IssueAgent(const KeyPair& authority, absl::string_view request,
                                       const std::string& server, absl::Time now) {
  RETURN_IF_ERROR(CheckServerName(server));
  ASSIGN_OR_RETURN(const base::RequestFacts facts, base::ReadRequest(request),
                   "certificate request");
  const std::string uri = absl::StrCat(kServerUri, server);
  if (facts.uri != uri) {
    return absl::PermissionDeniedError(absl::StrCat("the certificate request is for ", facts.uri,
                                                    ", this agent may only have ", uri));
  }
  return base::IssueCertificate({.common_name = server,
                                 .uris = {uri},
                                 .not_before = now - kClockSlack,
                                 .not_after = now + kAgentLife,
                                 .use = base::CertificateUse::kClient},
                                facts.public_key, authority.certificate, authority.key);
}

}  // namespace fairlead::identity
