#include "resources/user_name.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace fairlead::resources {
namespace {

constexpr std::size_t kLongestUserName = 64;

bool IsNameCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_' ||
         c == '@';
}

}  // namespace

absl::Status CheckUserName(const std::string& name) {
  const bool good = !name.empty() && name.size() <= kLongestUserName &&
                    absl::ascii_isalnum(static_cast<unsigned char>(name.front())) &&
                    std::all_of(name.begin(), name.end(), IsNameCharacter);
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("\"", name, "\" cannot be a name: use up to ", kLongestUserName,
                   " letters, digits and .-_@, a letter or digit first"));
}

}  // namespace fairlead::resources
