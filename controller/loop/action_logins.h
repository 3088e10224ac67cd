// Registry logins of actions, from the accounts that resources name.
#pragma once

#include "absl/status/status.h"

#include "controller/accounts/accounts.h"
#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/resource.pb.h"

namespace fairlead::loop {

// Adds the logins that `spec` asks for to an action that pulls or builds, and what of them is
// secret; other actions stay as they are. NotFound when an account is not known, saying where to
// add it.
absl::Status AddLogins(const controller::Accounts& accounts, const v1::Resource& spec,
                       v1::Action* action);

}  // namespace fairlead::loop
