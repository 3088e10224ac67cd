#include "controller/agents/call_peer.h"

#include <utility>

#include "absl/strings/match.h"

#include "base/certificate.h"

namespace fairlead::agents {
namespace {

std::string MetadataOf(const grpc::CallbackServerContext& context, const char* key) {
  const auto found = context.client_metadata().find(key);
  if (found == context.client_metadata().end()) return "";
  return std::string(found->second.data(), found->second.size());
}

CallPeer FromConnection(const grpc::CallbackServerContext& context) {
  CallPeer peer{.address = context.peer()};
  const auto auth = context.auth_context();
  if (auth == nullptr) return peer;
  for (const grpc::string_ref& pem : auth->FindPropertyValues("x509_pem_cert")) {
    if (!peer.has_certificate) peer.certificate = std::string(pem.data(), pem.size());
    peer.has_certificate = true;
  }
  for (const grpc::string_ref& name : auth->FindPropertyValues("x509_subject_alternative_name")) {
    peer.names.emplace_back(name.data(), name.size());
  }
  return peer;
}

}  // namespace

CallPeer ReadCallPeer(const grpc::CallbackServerContext& context) {
  CallPeer direct = FromConnection(context);
  if (direct.names.size() != 1 || !absl::StartsWith(direct.names.front(), kRelayUri)) {
    return direct;
  }
  CallPeer peer;
  peer.address = IsRelayed(context) ? MetadataOf(context, kRelayedAddress) : direct.address;
  std::string certificate = MetadataOf(context, kRelayedCertificate);
  const auto facts = base::ReadCertificate(certificate);
  // Who had none, or one that nobody can read, is nobody.
  if (!facts.ok()) return peer;
  peer.has_certificate = true;
  peer.certificate = std::move(certificate);
  peer.names = facts->uris;
  peer.names.insert(peer.names.end(), facts->dns.begin(), facts->dns.end());
  peer.names.insert(peer.names.end(), facts->addresses.begin(), facts->addresses.end());
  return peer;
}

bool IsRelayed(const grpc::CallbackServerContext& context) {
  return context.client_metadata().contains(kRelayedAddress);
}

}  // namespace fairlead::agents
