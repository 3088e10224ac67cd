#include "agent/build_step.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace fairlead::agent {
namespace {

bool IsNumber(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
}

// "4/11"
bool IsCount(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('/', 1));
  return IsNumber(parts.first) && IsNumber(parts.second);
}

std::optional<std::string> ClassicStep(absl::string_view line) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(line, absl::MaxSplits(" : ", 1));
  if (!IsCount(parts.first)) return std::nullopt;
  return absl::StrCat("step ", parts.first, ": ", absl::StripAsciiWhitespace(parts.second));
}

// Behind "#9 [".
std::optional<std::string> BuildKitStep(absl::string_view line) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(line, absl::MaxSplits("] ", 1));
  const absl::string_view step = absl::StripAsciiWhitespace(parts.second);
  if (step.empty()) return std::nullopt;
  // The name of the stage may be missing, and numbers are padded: "[web  4/11]".
  const std::size_t blank = parts.first.rfind(' ');
  const bool named = blank != absl::string_view::npos;
  const absl::string_view count = named ? parts.first.substr(blank + 1) : parts.first;
  if (!IsCount(count)) return std::nullopt;
  const absl::string_view stage =
      named ? absl::StripAsciiWhitespace(parts.first.substr(0, blank)) : absl::string_view();
  return absl::StrCat("step ", count, stage.empty() ? "" : " of ", stage, ": ", step);
}

}  // namespace

std::optional<std::string> BuildStepOf(absl::string_view line) {
  line = absl::StripAsciiWhitespace(line);
  if (absl::ConsumePrefix(&line, "Step ")) return ClassicStep(line);
  if (!absl::ConsumePrefix(&line, "#")) return std::nullopt;
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(line, absl::MaxSplits(" [", 1));
  if (!IsNumber(parts.first)) return std::nullopt;
  return BuildKitStep(parts.second);
}

}  // namespace fairlead::agent
