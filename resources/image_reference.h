// References of images, such as "registry.example.com:5000/team/api:1".
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace fairlead::resources {

// What the engine asks where a reference names no registry.
inline constexpr char kDefaultRegistry[] = "docker.io";

// Where an image comes from: "localhost:5000" of "localhost:5000/team/api:1"; "docker.io" where
// none is named, and for "index.docker.io", which is the same one.
std::string RegistryOf(absl::string_view image);

}  // namespace fairlead::resources
