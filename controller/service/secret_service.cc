#include "controller/service/secret_service.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "controller/service/call.h"

namespace fairlead::service {
namespace {

// Resources that [[name]] goes into.
std::vector<std::string> UsersOf(const loop::LoopView& view, const std::string& name) {
  std::vector<std::string> users;
  for (const auto& [id, resource] : view.input.desired->resources) {
    const auto& names = resource->placeholders;
    if (std::find(names.begin(), names.end(), name) != names.end()) users.push_back(id.ToString());
  }
  return users;
}

template <typename Response>
void FillUsers(const loop::LoopView& view, const std::string& name, Response* response) {
  for (std::string& user : UsersOf(view, name)) response->add_used_by(std::move(user));
}

}  // namespace

grpc::ServerUnaryReactor* SecretServiceImpl::SetSecret(grpc::CallbackServerContext* call,
                                                       const v1::SetSecretRequest* request,
                                                       v1::SetSecretResponse* response) {
  const TicketPointer ticket = Admit(access_, *call, "SecretService.SetSecret", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const std::string who = ticket->who();
  const auto record = keeper_.Set(request->name(), request->value(), who);
  if (!record.ok()) return FinishWith(call, ticket, record.status());
  Tell(request->name(), "secret-set",
       absl::StrCat("set by ", who, ", version ", record->version()));
  response->set_version(record->version());
  FillUsers(*reconciler_.View(), request->name(), response);
  return FinishWith(call, ticket, absl::OkStatus());
}

grpc::ServerUnaryReactor* SecretServiceImpl::ListSecrets(grpc::CallbackServerContext* call,
                                                         const v1::ListSecretsRequest* request,
                                                         v1::ListSecretsResponse* response) {
  const TicketPointer ticket = Admit(access_, *call, "SecretService.ListSecrets", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const auto view = reconciler_.View();
  std::map<std::string, v1::ListSecretsResponse::Secret> secrets;
  for (const auto& [name, file] : view->input.desired->secret_files) {
    secrets[name].set_from(file);
    secrets[name].set_problem(view->input.desired->variables.at(name).why_none);
  }
  // What a provider is asked for goes before files.
  for (const auto& [name, from] : sync::SourcesOfSecrets(*view->input.desired)) {
    secrets[name].set_from(from);
    secrets[name].clear_problem();
  }
  for (const v1::SecretRecord& record : keeper_.Records()) {
    v1::ListSecretsResponse::Secret& secret = secrets[record.name()];
    // What is set on the controller goes before.
    secret.clear_from();
    secret.clear_problem();
    *secret.mutable_set_at() = record.set_at();
    secret.set_set_by(record.set_by());
    secret.set_version(record.version());
    secret.set_key_id(record.key_id());
  }
  const secrets::SecretKeeper::Values values = keeper_.Current();
  for (auto& [name, secret] : secrets) {
    if (!ticket->MayRead(absl::StrCat("variable/", name))) continue;
    secret.set_name(name);
    const auto value = values->find(name);
    if (value != values->end()) secret.set_problem(value->second.why_none);
    FillUsers(*view, name, &secret);
    *response->add_secrets() = std::move(secret);
  }
  response->set_key_problem(keeper_.key_problem());
  return FinishWith(call, ticket, absl::OkStatus());
}

grpc::ServerUnaryReactor* SecretServiceImpl::RemoveSecret(grpc::CallbackServerContext* call,
                                                          const v1::RemoveSecretRequest* request,
                                                          v1::RemoveSecretResponse* response) {
  const TicketPointer ticket = Admit(access_, *call, "SecretService.RemoveSecret", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const absl::Status removed = keeper_.Remove(request->name());
  if (!removed.ok()) return FinishWith(call, ticket, removed);
  Tell(request->name(), "secret-removed", absl::StrCat("removed by ", ticket->who()));
  FillUsers(*reconciler_.View(), request->name(), response);
  return FinishWith(call, ticket, absl::OkStatus());
}

grpc::ServerUnaryReactor* SecretServiceImpl::RotateSecretKey(
    grpc::CallbackServerContext* call, const v1::RotateSecretKeyRequest* request,
    v1::RotateSecretKeyResponse* response) {
  const TicketPointer ticket = Admit(access_, *call, "SecretService.RotateSecretKey", *request);
  if (!ticket->ok()) return Refuse(call, ticket);
  const absl::StatusOr<std::size_t> count = keeper_.Rotate();
  if (!count.ok()) return FinishWith(call, ticket, count.status());
  response->set_secrets(static_cast<uint32_t>(*count));
  response->set_key_id(keeper_.key_id());
  return FinishWith(call, ticket, absl::OkStatus());
}

void SecretServiceImpl::Tell(const std::string& name, const std::string& type,
                             const std::string& message) {
  reconciler_.Post([name, type, message](loop::Core& core, absl::Time now) {
    v1::Event event;
    event.set_resource(absl::StrCat("variable/", name));
    event.set_type(type);
    event.set_message(message);
    core.AddEvent(std::move(event), now);
  });
}

}  // namespace fairlead::service
