#include "resources/toml_source.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace fairlead::resources {
namespace {

// Deeper keys and values overflow the parser's stack.
constexpr int kDeepestKey = 64;
constexpr int kDeepestValue = 128;
// The parser's time grows with the square of them.
constexpr int kMostDots = 100000;
// Longer lines are not shown with a problem, and longer messages are cut.
constexpr std::size_t kLongestShownLine = 512;
constexpr std::size_t kLongestMessage = 1024;
constexpr uint32_t kColumnsPerMark = 1024;

// Keys and values may be as long as the file.
std::string CutMessage(absl::string_view text) {
  if (text.size() <= kLongestMessage) return std::string(text);
  std::size_t end = kLongestMessage;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0u) == 0x80u) --end;
  return absl::StrCat(text.substr(0, end), "...");
}

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

  struct Fault {
    std::size_t offset = 0;
    const char* code = "too-deep";
    std::string message;
    std::string suggestion;
  };

  // The first thing that is too much for the parser.
  std::optional<Fault> Find() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        SkipString(c);
      } else if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
        segments_ = 1;
      } else if (c == '.') {
        ++segments_;
        if (++dots_ > kMostDots) return TooManyDots();
        if (segments_ > kDeepestKey) return TooDeep("key has more than", kDeepestKey, " parts");
      } else if (c == '[' || c == '{') {
        Open();
        if (depth_ > kDeepestValue) {
          return TooDeep("tables and arrays within each other are more than", kDeepestValue,
                         " deep");
        }
      } else if (c == ']' || c == '}') {
        Close();
      } else if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '-' &&
                 c != ' ' && c != '\t' && c != '=') {
        segments_ = 1;
      }
    }
    return std::nullopt;
  }

 private:
  void Open() {
    open_.push_back(segments_);
    depth_ += segments_;
    segments_ = 1;
  }

  void Close() {
    segments_ = 1;
    if (open_.empty()) return;
    depth_ -= open_.back();
    open_.pop_back();
  }

  Fault TooDeep(absl::string_view what, int limit, absl::string_view unit) const {
    return {.offset = at_,
            .message = absl::StrCat(what, " ", limit, unit),
            .suggestion = "no resource needs that; write it flatter"};
  }

  Fault TooManyDots() const {
    return {.offset = at_,
            .code = "too-large",
            .message = absl::StrCat("file has more than ", kMostDots, " dotted keys"),
            .suggestion = "split it into several files"};
  }

  // Ends on the last character of the string.
  void SkipString(char quote) {
    const std::string triple(3, quote);
    const bool block = absl::StartsWith(text_.substr(at_), triple);
    at_ += block ? 3 : 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\\' && quote == '"') {
        at_ += 2;
      } else if (block && absl::StartsWith(text_.substr(at_), triple)) {
        at_ += 2;
        // Up to two quotes before the closing ones belong to the text.
        for (int more = 0; more < 2 && text_.substr(at_ + 1, 1) == triple.substr(0, 1); ++more) {
          ++at_;
        }
        return;
      } else if (!block && (c == quote || c == '\n')) {
        return;
      } else {
        ++at_;
      }
    }
  }

  const absl::string_view text_;
  std::size_t at_ = 0;
  int segments_ = 1;
  int dots_ = 0;
  // Parts of the keys whose brackets are open, and their sum.
  std::vector<int> open_;
  int depth_ = 0;
};

}  // namespace

TomlSource::TomlSource(absl::string_view path, absl::string_view content, v1::Dialect dialect)
    : path_(path), content_(WithoutByteOrderMark(content)) {
  if (content_.size() > kLargestFile) return;
  lines_.push_back(0);
  for (std::size_t i = 0; i < content_.size(); ++i) {
    if (content_[i] == '\n') lines_.push_back(static_cast<uint32_t>(i + 1));
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
    return TooLargeProblem(path_);
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
  const auto fault = DepthScanner(text()).Find();
  if (!fault) return std::nullopt;
  const auto end = text().begin() + static_cast<std::ptrdiff_t>(fault->offset);
  const auto line = static_cast<uint32_t>(std::count(text().begin(), end, '\n')) + 1;
  v1::Problem problem =
      MakeProblem(v1::SEVERITY_ERROR, fault->code, SourcePosition{path_, line, 1}, fault->message);
  problem.set_suggestion(fault->suggestion);
  return problem;
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
  if (marks_line_ != position.line) {
    marks_line_ = position.line;
    marks_.assign(1, Mark{1, begin});
  }
  const auto after =
      std::upper_bound(marks_.begin(), marks_.end(), position.column,
                       [](uint32_t column, const Mark& mark) { return column < mark.column; });
  const bool last = after == marks_.end();
  Mark at = after == marks_.begin() ? marks_.front() : *std::prev(after);
  auto doubled = std::lower_bound(doubled_.begin(), doubled_.end(), at.offset);
  for (uint32_t steps = 0;
       at.column < position.column && at.offset < content_.size() && content_[at.offset] != '\n';
       ++steps) {
    if (last && steps > 0 && steps % kColumnsPerMark == 0) marks_.push_back(at);
    if (doubled != doubled_.end() && *doubled == at.offset) {
      ++doubled;
      ++at.column;
    }
    ++at.column;
    ++at.offset;
    while (at.offset < content_.size() && IsContinuation(content_[at.offset])) ++at.offset;
  }
  return SourcePosition{path_, position.line, static_cast<uint32_t>(at.offset - begin + 1)};
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
  problem.set_message(CutMessage(message));
  const absl::string_view line = Line(position.line);
  if (line.size() <= kLongestShownLine) problem.set_source_line(std::string(line));
  return problem;
}

}  // namespace fairlead::resources
