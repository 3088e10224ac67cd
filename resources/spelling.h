// The nearest known word to a misspelt one.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace fairlead::resources {

// Insertions, deletions, replacements and swaps of neighbours that make `b` of `a`, in bytes.
std::size_t EditDistance(absl::string_view a, absl::string_view b);

// The candidate nearest to `word`, at most a third of its length away; the first of equals.
// '-' counts as '_' and case does not count. Empty when none is near.
std::string NearestWord(absl::string_view word, const std::vector<std::string>& candidates);

// What is likely meant by a key or table that files of the komodo format hold although it does not
// know it; empty for others.
std::string KnownMistake(absl::string_view word);

// `did you mean "environment"?`, or empty.
std::string DidYouMean(absl::string_view word, const std::vector<std::string>& candidates);

// `unknown key "alow"`, then the nearest of `known`, or all of them where none is near.
std::string DescribeUnknownKey(absl::string_view key, const std::vector<std::string>& known);

// What CLI11 said of an options file, in our words: it names only the key, a section as
// "limits.++".
std::string DescribeOptionsFileError(absl::string_view said, const std::vector<std::string>& known);

}  // namespace fairlead::resources
