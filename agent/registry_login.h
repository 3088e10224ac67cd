// Accounts at image registries, as the engine takes them.
#pragma once

#include <string>

#include <google/protobuf/repeated_ptr_field.h>

#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

using Logins = google::protobuf::RepeatedPtrField<v1::Login>;

// Without a domain when there is none for the registry.
v1::Login LoginFor(const std::string& reference, const Logins& logins);

// What docker calls the registry of a login.
std::string ServerAddress(const std::string& domain);

// The header X-Registry-Auth. Without a domain nobody's, which a push needs too.
std::string RegistryAuth(const v1::Login& login);

}  // namespace fairlead::agent
