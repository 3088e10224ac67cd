#include "controller/access/passwords.h"

#include <sodium.h>

#include <array>
#include <cstddef>

#include "absl/strings/str_cat.h"

#include "base/ids.h"

namespace fairlead::access {
namespace {

constexpr std::size_t kShortest = 8;
constexpr std::size_t kLongest = 1024;

bool IsReady() {
  // Also chooses the fastest implementation.
  static const bool ready = sodium_init() >= 0;
  return ready;
}

// Of no password that anybody knows.
const std::string& DecoyHash() {
  static const auto* const hash = [] {
    const auto made = HashPassword(base::RandomBytes(base::Random::Real(), 32));
    return new std::string(made.ok() ? *made : "");
  }();
  return *hash;
}

}  // namespace

absl::Status CheckPasswordForm(absl::string_view password) {
  if (password.size() < kShortest) {
    return absl::InvalidArgumentError(absl::StrCat("the password is too short: it has ",
                                                   password.size(), " characters; take at least ",
                                                   kShortest));
  }
  if (password.size() > kLongest) {
    return absl::InvalidArgumentError(
        absl::StrCat("the password is longer than ", kLongest, " bytes"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> HashPassword(absl::string_view password) {
  std::array<char, crypto_pwhash_STRBYTES> hash{};
  if (!IsReady() ||
      crypto_pwhash_str_alg(hash.data(), password.data(), password.size(),
                            crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                            crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return absl::ResourceExhaustedError("hash the password: not enough memory");
  }
  return std::string(hash.data());
}

bool IsPasswordOf(absl::string_view password, const std::string& hash) {
  if (!IsReady()) return false;
  const std::string& checked = hash.empty() ? DecoyHash() : hash;
  const bool fits =
      crypto_pwhash_str_verify(checked.c_str(), password.data(), password.size()) == 0;
  return fits && !hash.empty();
}

}  // namespace fairlead::access
