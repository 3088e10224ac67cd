#include "resources/image_reference.h"

#include "absl/strings/match.h"

namespace fairlead::resources {

std::string RegistryOf(absl::string_view image) {
  const std::size_t slash = image.find('/');
  if (slash == absl::string_view::npos) return kDefaultRegistry;
  const absl::string_view first = image.substr(0, slash);
  const bool is_domain =
      first == "localhost" || absl::StrContains(first, ".") || absl::StrContains(first, ":");
  return is_domain && first != "index.docker.io" ? std::string(first) : kDefaultRegistry;
}

}  // namespace fairlead::resources
