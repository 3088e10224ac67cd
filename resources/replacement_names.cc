#include "resources/replacement_names.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace fairlead::resources {
namespace {

bool IsLetter(char c) { return absl::ascii_isalpha(static_cast<unsigned char>(c)) != 0; }

std::string WithOtherCaseAt(absl::string_view name, std::size_t at) {
  std::string spelling(name);
  const auto letter = static_cast<unsigned char>(spelling[at]);
  spelling[at] =
      absl::ascii_islower(letter) != 0 ? absl::ascii_toupper(letter) : absl::ascii_tolower(letter);
  return spelling;
}

}  // namespace

std::string OldNameOf(absl::string_view name) { return absl::StrCat(name, kOldSuffix); }

std::string NewNameOf(absl::string_view name) { return absl::StrCat(name, kNewSuffix); }

std::string ComingSpellingOf(absl::string_view name) {
  const auto* first = std::find_if(name.begin(), name.end(), IsLetter);
  return WithOtherCaseAt(name, static_cast<std::size_t>(first - name.begin()));
}

std::string GoingSpellingOf(absl::string_view name) {
  std::size_t last = name.size() - 1;
  while (!IsLetter(name[last])) --last;
  return WithOtherCaseAt(name, last);
}

bool HasSpellings(absl::string_view name) {
  return std::count_if(name.begin(), name.end(), IsLetter) >= 2;
}

ReplacementPart PartOf(absl::string_view container_name, absl::string_view name) {
  if (absl::EndsWith(container_name, kOldSuffix)) return ReplacementPart::kGoing;
  if (absl::EndsWith(container_name, kNewSuffix)) return ReplacementPart::kComing;
  // Most names end here, and the spellings need not be made.
  if (container_name == name || !absl::EqualsIgnoreCase(container_name, name) ||
      !HasSpellings(name)) {
    return ReplacementPart::kNone;
  }
  if (container_name == ComingSpellingOf(name)) return ReplacementPart::kComing;
  if (container_name == GoingSpellingOf(name)) return ReplacementPart::kGoing;
  return ReplacementPart::kNone;
}

}  // namespace fairlead::resources
