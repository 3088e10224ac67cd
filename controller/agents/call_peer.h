// Who is at the other end of a call, also of one that another controller passes on.
#pragma once

#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "absl/strings/string_view.h"

namespace fairlead::agents {

// What a standby adds to a call that it passes on: the certificate of its caller in PEM, empty
// without one, and its address as gRPC writes it. Whoever else sends them is not believed.
inline constexpr char kRelayedCertificate[] = "fairlead-relayed-certificate-bin";
inline constexpr char kRelayedAddress[] = "fairlead-relayed-address";
inline constexpr absl::string_view kRelayedPrefix = "fairlead-relayed-";
// A standby's own certificate names it: "fairlead://controller/HOLDER". Only the authority of the
// controllers makes such ones.
inline constexpr absl::string_view kRelayUri = "fairlead://controller/";

struct CallPeer {
  // As gRPC writes it: "ipv4:192.0.2.7:4711".
  std::string address;
  bool has_certificate = false;
  // PEM; empty without one.
  std::string certificate;
  // Subject alternative names of the certificate.
  std::vector<std::string> names;
};

// Of a call that a standby passes on, its caller there; a standby by itself is nobody.
CallPeer ReadCallPeer(const grpc::CallbackServerContext& context);

// Whether the call has come through a standby, or claims it.
bool IsRelayed(const grpc::CallbackServerContext& context);

}  // namespace fairlead::agents
