#include "agent/build_step.h"

#include <algorithm>
#include <cstddef>
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

// Of the ids that docker prints.
constexpr std::size_t kIdLength = 12;

// "3f4fca12ab34: Pull complete"
std::optional<TransferNews> LayerNews(absl::string_view line) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(line, absl::MaxSplits(": ", 1));
  const absl::string_view id = parts.first;
  const bool is_id = id.size() == kIdLength && std::all_of(id.begin(), id.end(), [](char c) {
                       return absl::ascii_isxdigit(static_cast<unsigned char>(c));
                     });
  if (!is_id) return std::nullopt;
  return TransferNews{.part = std::string(id), .status = std::string(parts.second)};
}

// Other steps print what they like.
bool MayPull(absl::string_view step) {
  const std::size_t begin = step.find(": ");
  if (begin == absl::string_view::npos) return false;
  const std::string instruction = absl::AsciiStrToUpper(step.substr(begin + 2));
  return absl::StartsWith(instruction, "FROM ") || absl::StartsWith(instruction, "COPY --FROM=");
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

std::optional<std::string> BuildSteps::Add(absl::string_view line) {
  if (std::optional<std::string> step = BuildStepOf(line)) {
    step_ = *step;
    may_pull_ = MayPull(step_);
    layers_ = TransferProgress();
    return step;
  }
  if (!may_pull_) return std::nullopt;
  const std::optional<TransferNews> news = LayerNews(absl::StripAsciiWhitespace(line));
  if (!news.has_value() || !layers_.Add(*news)) return std::nullopt;
  return layers_.Detail(step_);
}

}  // namespace fairlead::agent
