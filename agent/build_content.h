// What goes into an image, as one hash.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "fairlead/v1/action.pb.h"

namespace fairlead::agent {

// A digest over the names, kinds, modes and contents of the files of a build context that docker
// would send, without their times and owners. Cancelled when `is_cancelled` says so.
absl::StatusOr<std::string> DigestContext(const std::string& directory, absl::string_view ignore,
                                          const std::function<bool()>& is_cancelled);

// Images that a Dockerfile begins with, each once, in order; without its own stages, "scratch", and
// names that an argument makes.
std::vector<std::string> BaseImages(absl::string_view dockerfile);

// Everything of a build that goes into the image, in a text that is to be hashed by key, for it
// holds secrets. Tags and logins do not count.
std::string ContentText(const v1::BuildImage& request, absl::string_view dockerfile,
                        absl::string_view context_digest,
                        const std::vector<std::string>& base_image_ids);

}  // namespace fairlead::agent
