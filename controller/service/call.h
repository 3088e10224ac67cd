// What every handler does first and last.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/message.h>

#include "absl/status/status.h"

#include "controller/access/access.h"

namespace fairlead::service {

// The message goes out as it is; an internal error is logged with an id that the caller sees.
grpc::Status ToGrpc(const absl::Status& status);

// What the transport knows of who calls.
access::Credentials CredentialsOf(const grpc::CallbackServerContext& call);

// The certificate that the caller has presented, PEM; empty without one.
std::string CertificateOf(const grpc::CallbackServerContext& call);

// One call that was looked at: who calls, whether it is allowed, and what is to be told of it.
// Kept until the call ends, also by what answers on other threads; those do not use it at once.
class Ticket {
 public:
  Ticket(access::Access& access, std::string method, access::Admission admission)
      : access_(access), method_(std::move(method)), admission_(std::move(admission)) {}

  bool ok() const { return admission_.status.ok(); }
  // Why it is refused.
  const absl::Status& status() const { return admission_.status; }
  // The audit log tells of the refusal already.
  bool is_told() const { return admission_.is_told; }
  const access::Caller& caller() const { return admission_.caller; }
  // "stack/web"; empty when the call is about none, or not about one.
  const std::string& resource() const { return admission_.resource; }
  // What holds, approvals and runs keep of the caller.
  std::string who() const { return admission_.caller.Who(); }

  // As of now, which for a stream is later than at its start.
  bool MayRead(const std::string& resource) const;
  absl::Status Check(v1::PermissionLevel level, const std::string& resource) const;

  // For the audit log: what was done, and the reason that the caller gave.
  void AddChange(access::Change change) { changes_.push_back(std::move(change)); }
  void SetWhy(const std::string& why) { why_ = why; }
  // Of a call that only its handler knows: who it is after all, what it is about.
  void SetCaller(access::Caller caller) { admission_.caller = std::move(caller); }
  void SetResource(const std::string& resource) { admission_.resource = resource; }

  // Writes the audit record of a change, then ends the call.
  void Finish(grpc::ServerUnaryReactor* reactor, const absl::Status& status);

 private:
  access::Access& access_;
  const std::string method_;
  access::Admission admission_;
  std::string why_;
  std::vector<access::Change> changes_;
};
using TicketPointer = std::shared_ptr<Ticket>;

// Who calls, and whether that may be; a refusal is in the audit log when it returns. `method` is
// without the package: "ExecutionService.Stop". The first thing in every handler.
TicketPointer Admit(access::Access& access, const grpc::CallbackServerContext& call,
                    const std::string& method, const google::protobuf::Message& request);

// Ends the call of an agent at once, which is looked at in a way of its own.
grpc::ServerUnaryReactor* EndWith(grpc::CallbackServerContext* call, const absl::Status& status);
// Ends the call at once.
grpc::ServerUnaryReactor* FinishWith(grpc::CallbackServerContext* call, const TicketPointer& ticket,
                                     const absl::Status& status);
// Ends a refused call.
grpc::ServerUnaryReactor* Refuse(grpc::CallbackServerContext* call, const TicketPointer& ticket);

}  // namespace fairlead::service
