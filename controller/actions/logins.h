// Accounts at git servers and image registries, as jobs need them.
#pragma once

#include <string>

#include "fairlead/v1/action.pb.h"

namespace fairlead::actions {

// Confined to the loop's thread; what it returns is valid until the next call.
class Logins {
 public:
  virtual ~Logins() = default;
  // Null when there is no such account. An empty account is the only one of the domain.
  virtual const v1::Login* FindGit(const std::string& domain, const std::string& account) const = 0;
  virtual const v1::Login* FindRegistry(const std::string& domain,
                                        const std::string& account) const = 0;
};

}  // namespace fairlead::actions
