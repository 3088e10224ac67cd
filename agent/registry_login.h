// Accounts at image registries, as the engine and its tools take them.
#pragma once

#include <string>

#include <google/protobuf/repeated_ptr_field.h>

#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

using Logins = google::protobuf::RepeatedPtrField<v1::Login>;

// Where an image comes from: "localhost:5000" of "localhost:5000/team/api:1", else "docker.io".
std::string RegistryOf(const std::string& reference);

// Without a domain when there is none for the registry.
v1::Login LoginFor(const std::string& reference, const Logins& logins);

// The header X-Registry-Auth. Without a domain nobody's, which a push needs too.
std::string RegistryAuth(const v1::Login& login);

// The config.json of a folder for DOCKER_CONFIG.
std::string DockerConfig(const Logins& logins);

}  // namespace fairlead::agent
