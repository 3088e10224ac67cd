#include "resources/toml_source.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace fairlead::resources {
namespace {

constexpr std::size_t kLargestFile = 10u << 20;
// Deeper keys overflow the parser's stack.
constexpr int kDeepestKey = 64;
// Longer lines are not shown with a problem.
constexpr std::size_t kLongestShownLine = 512;

absl::string_view WithoutByteOrderMark(absl::string_view content) {
  return absl::StripPrefix(content, "\xEF\xBB\xBF");
}

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0u) == 0x80u; }

// Bytes of the UTF-8 sequence at the start of `text`; 0 when it is none.
std::size_t SequenceLength(absl::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (!IsContinuation(text[i])) return 0;
  }
  const auto second = static_cast<unsigned char>(text[1]);
  // Overlong forms, surrogates, beyond U+10FFFF.
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
      (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
    return 0;
  }
  return length;
}

std::size_t FindBadUtf8(absl::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = SequenceLength(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return absl::string_view::npos;
}

// Walks over strings and comments, so that what is left is keys and punctuation.
class DepthScanner {
 public:
  explicit DepthScanner(absl::string_view text) : text_(text) {}

  // Offset of the first key that is too deep.
  std::size_t Find() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        SkipString(c);
        continue;
      }
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
        segments_ = 1;
        continue;
      }
      if (c == '.') {
        if (++segments_ > kDeepestKey) return at_;
      } else if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-' &&
                 c != ' ' && c != '\t') {
        segments_ = 1;
      }
      ++at_;
    }
    return absl::string_view::npos;
  }

 private:
  void SkipString(char quote) {
    const std::string triple(3, quote);
    const bool block = absl::StartsWith(text_.substr(at_), triple);
    at_ += block ? 3 : 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\\' && quote == '"') {
        at_ += 2;
      } else if (block && absl::StartsWith(text_.substr(at_), triple)) {
        at_ += 3;
        return;
      } else if (!block && (c == quote || c == '\n')) {
        ++at_;
        return;
      } else {
        ++at_;
      }
    }
  }

  const absl::string_view text_;
  std::size_t at_ = 0;
  int segments_ = 1;
};

}  // namespace

TomlSource::TomlSource(absl::string_view path, absl::string_view content, v1::Dialect dialect)
    : path_(path), content_(WithoutByteOrderMark(content)) {
  if (content_.size() > kLargestFile) return;
  lines_.push_back(0);
  for (std::size_t i = 0; i < content_.size(); ++i) {
    if (content_[i] == '\n') lines_.push_back(i + 1);
  }
  if (dialect == v1::DIALECT_KOMODO) DoubleBackslashes();
}

void TomlSource::DoubleBackslashes() {
  constexpr absl::string_view kQuotes = "\"\"\"";
  if (!absl::StrContains(content_, '\\')) return;
  bool inside = false;
  std::size_t at = 0;
  while (at < content_.size()) {
    const std::size_t end = std::min(content_.find(kQuotes, at), content_.size());
    for (; inside && at < end; ++at) {
      rewritten_ += content_[at];
      if (content_[at] != '\\') continue;
      rewritten_ += '\\';
      doubled_.push_back(at);
    }
    const std::size_t next = std::min(end + kQuotes.size(), content_.size());
    absl::StrAppend(&rewritten_, content_.substr(at, next - at));
    at = next;
    inside = !inside;
  }
}

std::optional<v1::Problem> TomlSource::Check() const {
  if (content_.size() > kLargestFile) {
    return MakeProblem(v1::SEVERITY_ERROR, "too-large", SourcePosition{path_, 0, 0},
                       absl::StrCat("file is larger than ", kLargestFile >> 20, " MiB"));
  }
  const std::size_t bad = FindBadUtf8(content_);
  if (bad != absl::string_view::npos) {
    // Without its line: messages hold UTF-8 only.
    v1::Problem problem = MakeProblem(v1::SEVERITY_ERROR, "not-utf8", SourcePosition{path_, 0, 0},
                                      "file is not valid UTF-8");
    const SourcePosition position = PositionAt(bad);
    problem.set_line(position.line);
    problem.set_column(position.column);
    problem.set_suggestion("save the file as UTF-8");
    return problem;
  }
  if (auto problem = CheckConflictMarker()) return problem;
  return CheckDepth();
}

std::optional<v1::Problem> TomlSource::CheckConflictMarker() const {
  uint32_t start = 0;
  for (uint32_t line = 1; line <= lines_.size(); ++line) {
    const absl::string_view text = Line(line);
    if (start == 0 && absl::StartsWith(text, "<<<<<<< ")) {
      start = line;
    } else if (start != 0 && (text == "=======" || absl::StartsWith(text, ">>>>>>> "))) {
      v1::Problem problem =
          MakeProblem(v1::SEVERITY_ERROR, "conflict-marker", SourcePosition{path_, start, 1},
                      "git conflict marker: a merge was not finished");
      problem.set_suggestion("resolve the conflict and commit the file again");
      return problem;
    }
  }
  return std::nullopt;
}

std::optional<v1::Problem> TomlSource::CheckDepth() const {
  const std::size_t deep = DepthScanner(text()).Find();
  if (deep == absl::string_view::npos) return std::nullopt;
  const auto line = static_cast<uint32_t>(std::count(
                        text().begin(), text().begin() + static_cast<std::ptrdiff_t>(deep), '\n')) +
                    1;
  return MakeProblem(v1::SEVERITY_ERROR, "too-deep", SourcePosition{path_, line, 1},
                     absl::StrCat("key has more than ", kDeepestKey, " parts"));
}

SourcePosition TomlSource::PositionAt(std::size_t offset) const {
  const auto after = std::upper_bound(lines_.begin(), lines_.end(), offset);
  const auto line = static_cast<std::size_t>(after - lines_.begin());
  return SourcePosition{path_, static_cast<uint32_t>(line),
                        static_cast<uint32_t>(offset - lines_[line - 1] + 1)};
}

SourcePosition TomlSource::Map(TomlPosition position) const {
  if (position.line == 0 || position.line > lines_.size()) return SourcePosition{path_, 0, 0};
  const std::size_t begin = lines_[position.line - 1];
  if (last_.line != position.line || last_.column > position.column) {
    last_ = TomlPosition{position.line, 1};
    last_offset_ = begin;
  }
  auto doubled = std::lower_bound(doubled_.begin(), doubled_.end(), last_offset_);
  while (last_.column < position.column && last_offset_ < content_.size() &&
         content_[last_offset_] != '\n') {
    if (doubled != doubled_.end() && *doubled == last_offset_) {
      ++doubled;
      ++last_.column;
    }
    ++last_.column;
    ++last_offset_;
    while (last_offset_ < content_.size() && IsContinuation(content_[last_offset_])) {
      ++last_offset_;
    }
  }
  return SourcePosition{path_, position.line, static_cast<uint32_t>(last_offset_ - begin + 1)};
}

absl::string_view TomlSource::Line(uint32_t line) const {
  if (line == 0 || line > lines_.size()) return {};
  const std::size_t begin = lines_[line - 1];
  const std::size_t end = line < lines_.size() ? lines_[line] - 1 : content_.size();
  return absl::StripSuffix(content_.substr(begin, end - begin), "\r");
}

SourcePosition TomlSource::LineOfString(TomlPosition start, std::size_t index,
                                        absl::string_view text) const {
  SourcePosition position = Map(start);
  if (position.line == 0) return position;
  const absl::string_view rest = Line(position.line).substr(position.column - 1);
  const bool block = absl::StartsWith(rest, "\"\"\"") || absl::StartsWith(rest, "'''");
  if (!block) return position;
  const uint32_t skipped = rest.size() == 3 ? 1 : 0;
  const uint32_t line = position.line + skipped + static_cast<uint32_t>(index);
  text = absl::StripAsciiWhitespace(text);
  const std::size_t found = Line(line).find(text);
  if (found == absl::string_view::npos) return position;
  return SourcePosition{path_, line, static_cast<uint32_t>(found + 1)};
}

v1::Problem TomlSource::MakeProblem(v1::Severity severity, absl::string_view code,
                                    const SourcePosition& position,
                                    absl::string_view message) const {
  v1::Problem problem;
  problem.set_file(path_);
  problem.set_line(position.line);
  problem.set_column(position.column);
  problem.set_severity(severity);
  problem.set_code(std::string(code));
  problem.set_message(std::string(message));
  const absl::string_view line = Line(position.line);
  if (line.size() <= kLongestShownLine) problem.set_source_line(std::string(line));
  return problem;
}

}  // namespace fairlead::resources
