// Secrets that programs carry: made, taken apart, hashed.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

#include "base/sha256.h"

namespace fairlead::access {

// "flk" of API keys, "fls" of sessions, "fla" of the first admin.
inline constexpr char kKeyKind[] = "flk";
inline constexpr char kSessionKind[] = "fls";
inline constexpr char kFirstKind[] = "fla";

// KIND_ID_SECRET. The id finds the record, the secret proves it: 32 characters of [0-9a-z], which
// are 160 bits.
struct Secret {
  std::string kind;
  std::string id;
  std::string secret;

  std::string Text() const;
};

// From the machine's randomness.
Secret NewSecret(absl::string_view kind);
// Nothing when the text is none.
std::optional<Secret> ParseSecret(absl::string_view text);

// What is kept of a secret: it has 160 bits, so that a fast hash does.
using base::Sha256;
// Takes as long whatever differs.
bool EqualBytes(absl::string_view a, absl::string_view b);

}  // namespace fairlead::access
