#include "controller/service/call.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/ids.h"
#include "base/log.h"
#include "controller/agents/call_peer.h"

namespace fairlead::service {
namespace {

constexpr absl::string_view kBearer = "bearer ";
constexpr char kPackage[] = "fairlead.v1.";

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  if (absl::IsInternal(status)) {
    const std::string id = base::NewId(base::Random::Real(), 8);
    base::LogError("service", "error ", id, ": ", status.message());
    return {grpc::StatusCode::INTERNAL,
            absl::StrCat("internal error ", id, "; the controller's log has the details")};
  }
  return {static_cast<grpc::StatusCode>(status.code()), std::string(status.message())};
}

access::Credentials CredentialsOf(const grpc::CallbackServerContext& call) {
  access::Credentials credentials;
  credentials.peer = call.peer();
  agents::CallPeer peer = agents::ReadCallPeer(call);
  credentials.address = access::AddressOfPeer(peer.address);
  const auto header = call.client_metadata().find("authorization");
  if (header != call.client_metadata().end()) {
    const absl::string_view value(header->second.data(), header->second.size());
    // What is no bearer is kept as it is: then it is wrong, instead of not there.
    credentials.bearer = std::string(
        absl::StartsWithIgnoreCase(value, kBearer) ? value.substr(kBearer.size()) : value);
    if (credentials.bearer.empty()) credentials.bearer = "-";
  }
  credentials.has_certificate = peer.has_certificate;
  credentials.names = std::move(peer.names);
  return credentials;
}

std::string CertificateOf(const grpc::CallbackServerContext& call) {
  return agents::ReadCallPeer(call).certificate;
}

bool Ticket::MayRead(const std::string& resource) const {
  return access_.gate().MayRead(admission_.caller, resource);
}

absl::Status Ticket::Check(v1::PermissionLevel level, const std::string& resource) const {
  return access_.gate().Check(admission_.caller, access::Right(level), resource);
}

void Ticket::Finish(grpc::ServerUnaryReactor* reactor, const absl::Status& status) {
  access_.audit().NoteEnded(method_, admission_, status, why_, changes_);
  reactor->Finish(ToGrpc(status));
}

TicketPointer Admit(access::Access& access, const grpc::CallbackServerContext& call,
                    const std::string& method, const google::protobuf::Message& request) {
  const std::string full_name = kPackage + method;
  auto ticket = std::make_shared<Ticket>(
      access, full_name, access.gate().Admit(full_name, request, CredentialsOf(call)));
  if (!ticket->ok()) {
    access.audit().NoteRefused(full_name, {.status = ticket->status(),
                                           .caller = ticket->caller(),
                                           .rule = nullptr,
                                           .resource = ticket->resource(),
                                           .is_told = ticket->is_told()});
  }
  return ticket;
}

grpc::ServerUnaryReactor* EndWith(grpc::CallbackServerContext* call, const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

grpc::ServerUnaryReactor* FinishWith(grpc::CallbackServerContext* call, const TicketPointer& ticket,
                                     const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  ticket->Finish(reactor, status);
  return reactor;
}

grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* call, const TicketPointer& ticket) {
  return EndWith(call, ticket->status());
}

}  // namespace fairlead::service
