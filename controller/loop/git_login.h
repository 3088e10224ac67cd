// Access to git servers, from the accounts that resources name.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "controller/accounts/accounts.h"
#include "sync/git/fetch.h"

namespace fairlead::loop {

// Sets the address of a fetch: `url`, with what `account` has for its server: a login in an http
// address, or the key and the known hosts for ssh. NotFound when the account is not known,
// FailedPrecondition when it has nothing that opens this kind of address. `accounts` may be null:
// none are known.
absl::Status AddAddress(const controller::Accounts* accounts, const std::string& url,
                        absl::string_view account, git::FetchRequest* request);

}  // namespace fairlead::loop
