#include "controller/loop/action_logins.h"

#include <utility>

#include "base/status.h"
#include "resources/image_reference.h"

namespace fairlead::loop {
namespace {

// Where an action of a deployment has its login; null: it pulls nothing.
v1::ApplyContainer* PullOf(v1::Action* action) {
  if (action->has_apply_container()) return action->mutable_apply_container();
  if (action->has_check()) return action->mutable_check()->mutable_apply();
  return nullptr;
}

// The same of a stack.
v1::ApplyStack* StackOf(v1::Action* action) {
  if (action->has_apply_stack()) return action->mutable_apply_stack();
  if (action->has_check_stack()) return action->mutable_check_stack()->mutable_stack();
  return nullptr;
}

}  // namespace

absl::Status AddLogins(const controller::Accounts& accounts, const v1::Resource& spec,
                       v1::Action* action) {
  v1::ApplyContainer* pull = PullOf(action);
  if (pull != nullptr && !spec.deployment().image_registry_account().empty()) {
    ASSIGN_OR_RETURN(v1::Login login,
                     accounts.FindRegistry(resources::RegistryOf(pull->spec().image()),
                                           spec.deployment().image_registry_account()),
                     "image_registry_account");
    action->add_secrets(login.secret());
    *pull->mutable_login() = std::move(login);
  }
  const v1::Stack& stack = spec.stack();
  v1::ApplyStack* applied = StackOf(action);
  if (applied != nullptr && !stack.registry_account().empty()) {
    const std::string domain =
        stack.registry_provider().empty() ? resources::kDefaultRegistry : stack.registry_provider();
    ASSIGN_OR_RETURN(v1::Login login, accounts.FindRegistry(domain, stack.registry_account()),
                     "registry_account");
    action->add_secrets(login.secret());
    *applied->add_logins() = std::move(login);
  }
  return absl::OkStatus();
}

}  // namespace fairlead::loop
