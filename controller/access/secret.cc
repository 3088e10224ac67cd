#include "controller/access/secret.h"

#include <sodium.h>

#include <cstddef>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/ids.h"

namespace fairlead::access {
namespace {

constexpr std::size_t kIdLength = 10;
constexpr std::size_t kSecretLength = 32;

bool IsPart(absl::string_view text, std::size_t length) {
  if (text.size() != length) return false;
  for (const char c : text) {
    if (!absl::ascii_islower(static_cast<unsigned char>(c)) &&
        !absl::ascii_isdigit(static_cast<unsigned char>(c))) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::string Secret::Text() const { return absl::StrCat(kind, "_", id, "_", secret); }

Secret NewSecret(absl::string_view kind) {
  base::Random& random = base::Random::Real();
  return {std::string(kind), base::NewId(random, kIdLength), base::NewId(random, kSecretLength)};
}

std::optional<Secret> ParseSecret(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '_');
  if (parts.size() != 3 || !IsPart(parts[1], kIdLength) || !IsPart(parts[2], kSecretLength)) {
    return std::nullopt;
  }
  if (parts[0] != kKeyKind && parts[0] != kSessionKind && parts[0] != kFirstKind) {
    return std::nullopt;
  }
  return Secret{std::string(parts[0]), std::string(parts[1]), std::string(parts[2])};
}

bool EqualBytes(absl::string_view a, absl::string_view b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace fairlead::access
