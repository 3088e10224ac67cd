// Secrets that programs carry: made, taken apart, hashed.
#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

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

// 32 bytes.
std::string Sha256(absl::string_view bytes);
// Takes as long whatever differs.
bool EqualBytes(absl::string_view a, absl::string_view b);

}  // namespace fairlead::access
