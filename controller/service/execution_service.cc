#include <utility>

#include "base/proto_time.h"
#include "controller/service/call.h"
#include "controller/service/services.h"

namespace fairlead::service {

grpc::ServerUnaryReactor* ExecutionServiceImpl::Request(grpc::CallbackServerContext* call,
                                                        loop::OperatorRequest wish,
                                                        v1::ExecutionResponse* response) {
  const absl::Status allowed = CheckPerson(*call);
  if (!allowed.ok()) return FinishWith(call, allowed);
  wish.who = CallerOf(*call);
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  context_.reconciler.Post([reactor, response, wish](loop::Core& core, absl::Time now) {
    const absl::StatusOr<std::string> text = core.OnRequest(wish, now);
    if (text.ok()) response->set_message(*text);
    reactor->Finish(ToGrpc(text.status()));
  });
  return reactor;
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Stop(grpc::CallbackServerContext* call,
                                                     const v1::StopRequest* request,
                                                     v1::ExecutionResponse* response) {
  loop::OperatorRequest wish{.kind = loop::OperatorRequest::Kind::kStop,
                             .resource = request->resource(),
                             .why = request->why()};
  if (request->has_expires_in()) {
    wish.expires_at = context_.clock.Now() + base::FromProto(request->expires_in());
  }
  return Request(call, std::move(wish), response);
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Start(grpc::CallbackServerContext* call,
                                                      const v1::ExecutionRequest* request,
                                                      v1::ExecutionResponse* response) {
  return Request(call,
                 {.kind = loop::OperatorRequest::Kind::kStart,
                  .resource = request->resource(),
                  .why = request->why()},
                 response);
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Restart(grpc::CallbackServerContext* call,
                                                        const v1::ExecutionRequest* request,
                                                        v1::ExecutionResponse* response) {
  return Request(call,
                 {.kind = loop::OperatorRequest::Kind::kRestart,
                  .resource = request->resource(),
                  .why = request->why()},
                 response);
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Release(grpc::CallbackServerContext* call,
                                                        const v1::ExecutionRequest* request,
                                                        v1::ExecutionResponse* response) {
  return Request(call,
                 {.kind = loop::OperatorRequest::Kind::kRelease,
                  .resource = request->resource(),
                  .why = request->why()},
                 response);
}

grpc::ServerUnaryReactor* ExecutionServiceImpl::Retry(grpc::CallbackServerContext* call,
                                                      const v1::ExecutionRequest* request,
                                                      v1::ExecutionResponse* response) {
  return Request(call,
                 {.kind = loop::OperatorRequest::Kind::kRetry,
                  .resource = request->resource(),
                  .why = request->why()},
                 response);
}

}  // namespace fairlead::service
