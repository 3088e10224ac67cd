#include "controller/service/call.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/ids.h"
#include "base/log.h"

namespace fairlead::service {
namespace {

constexpr char kServerPrefix[] = "fairlead://server/";
constexpr char kUserPrefix[] = "fairlead://user/";

std::vector<std::string> AlternativeNames(const grpc::CallbackServerContext& call) {
  std::vector<std::string> names;
  const auto context = call.auth_context();
  if (context == nullptr) return names;
  for (const grpc::string_ref& name :
       context->FindPropertyValues("x509_subject_alternative_name")) {
    names.emplace_back(name.data(), name.size());
  }
  return names;
}

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

std::string CallerOf(const grpc::CallbackServerContext& call) {
  for (const std::string& name : AlternativeNames(call)) {
    if (absl::StartsWith(name, kUserPrefix)) return name.substr(sizeof(kUserPrefix) - 1);
  }
  return "operator";
}

absl::Status CheckPerson(const grpc::CallbackServerContext& call) {
  for (const std::string& name : AlternativeNames(call)) {
    if (absl::StartsWith(name, kServerPrefix)) {
      return absl::PermissionDeniedError(
          absl::StrCat("the certificate of ", name, " is for the agent alone"));
    }
  }
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* FinishWith(grpc::CallbackServerContext* call,
                                     const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

}  // namespace fairlead::service
