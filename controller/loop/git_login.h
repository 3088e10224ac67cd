// Logins at git servers, from the accounts that resources name.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "controller/accounts/accounts.h"

namespace fairlead::loop {

// `url` with the login of `account` at its server; as it is without an account. NotFound when the
// account is not known, FailedPrecondition when it has nothing that opens this kind of address.
// `accounts` may be null: none are known.
absl::StatusOr<std::string> UrlWithLogin(const controller::Accounts* accounts,
                                         const std::string& url, absl::string_view account);

}  // namespace fairlead::loop
