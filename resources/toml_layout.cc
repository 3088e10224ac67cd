#include "resources/toml_layout.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

#include "base/status.h"

namespace fairlead::resources {
namespace {

constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";
// What ends a part of a key that is not quoted.
constexpr absl::string_view kBareEnd = " \t\r\n.=[]{},#\"'";

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

void StripBlanks(std::string* text) {
  while (!text->empty() && IsBlank(text->back())) text->pop_back();
}

// Bytes of the quoted string at the start of `rest`, quotes included; 0 when it has no end.
std::size_t QuotedLength(absl::string_view rest, bool literal_blocks) {
  const char quote = rest[0];
  const std::string triple(3, quote);
  const bool block = absl::StartsWith(rest, triple);
  const bool escapes = quote == '"' && !(block && literal_blocks);
  std::size_t at = block ? 3 : 1;
  while (at < rest.size()) {
    if (escapes && rest[at] == '\\') {
      at += 2;
    } else if (!block && rest[at] == '\n') {
      return 0;
    } else if (!block && rest[at] == quote) {
      return at + 1;
    } else if (block && absl::StartsWith(rest.substr(at), triple)) {
      // One or two quotes more belong to the text.
      at += 3;
      for (int more = 0; more < 2 && at < rest.size() && rest[at] == quote; ++more) ++at;
      return at;
    } else {
      ++at;
    }
  }
  return 0;
}

class LayoutScanner {
 public:
  LayoutScanner(absl::string_view text, v1::Dialect dialect)
      : text_(absl::StripPrefix(text, kByteOrderMark)),
        literal_blocks_(dialect == v1::DIALECT_KOMODO) {}

  absl::StatusOr<std::vector<LayoutTable>> Scan() {
    tables_.emplace_back();
    while (at_ < text_.size()) {
      const std::size_t indent = SkipBlanks();
      if (AtLineEnd()) {
        AddBlankLine();
        SkipLineEnd();
      } else if (text_[at_] == '#') {
        pending_.push_back(TakeComment());
        SkipLineEnd();
      } else {
        RETURN_IF_ERROR(text_[at_] == '[' ? ScanHeader() : ScanPair(indent));
      }
    }
    if (!pending_.empty() && pending_.back().empty()) pending_.pop_back();
    tables_.back().tail = std::move(pending_);
    return std::move(tables_);
  }

 private:
  std::size_t SkipBlanks() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && IsBlank(text_[at_])) ++at_;
    return at_ - begin;
  }

  bool AtLineEnd() const {
    const absl::string_view rest = text_.substr(at_);
    return rest.empty() || rest[0] == '\n' || absl::StartsWith(rest, "\r\n");
  }

  void SkipLineEnd() {
    if (at_ < text_.size() && text_[at_] == '\r') ++at_;
    if (at_ < text_.size()) ++at_;
  }

  void AddBlankLine() {
    if (pending_.empty() || !pending_.back().empty()) pending_.emplace_back();
  }

  absl::Status Fail(absl::string_view message) const {
    const auto end = text_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, text_.size()));
    return absl::InvalidArgumentError(
        absl::StrCat("line ", std::count(text_.begin(), end, '\n') + 1, ": ", message));
  }

  std::string TakeComment() {
    const absl::string_view line = text_.substr(at_, text_.find('\n', at_) - at_);
    at_ += absl::StripSuffix(line, "\r").size();
    return std::string(absl::StripTrailingAsciiWhitespace(line));
  }

  // What may stand behind a header or a value, and the end of its line.
  absl::Status TakeRestOfLine(std::string* comment) {
    SkipBlanks();
    if (at_ < text_.size() && text_[at_] == '#') {
      std::size_t begin = at_;
      while (begin > 0 && IsBlank(text_[begin - 1])) --begin;
      const absl::string_view blanks = text_.substr(begin, at_ - begin);
      *comment = absl::StrCat(blanks.empty() ? " " : blanks, TakeComment());
    }
    if (!AtLineEnd()) return Fail("unexpected text at the end of the line");
    SkipLineEnd();
    return absl::OkStatus();
  }

  absl::Status ScanKey(std::vector<std::string>* path, std::string* spelled) {
    while (true) {
      SkipBlanks();
      const absl::string_view rest = text_.substr(at_);
      if (rest.empty()) return Fail("expected a key");
      const bool quoted = rest[0] == '"' || rest[0] == '\'';
      const std::size_t length = quoted ? QuotedLength(rest, /*literal_blocks=*/false)
                                        : std::min(rest.find_first_of(kBareEnd), rest.size());
      if (length == 0) return Fail("expected a key");
      const absl::string_view part = rest.substr(0, length);
      path->emplace_back(quoted ? part.substr(1, length - 2) : part);
      absl::StrAppend(spelled, part);
      at_ += length;
      SkipBlanks();
      if (at_ >= text_.size() || text_[at_] != '.') return absl::OkStatus();
      *spelled += '.';
      ++at_;
    }
  }

  absl::Status ScanHeader() {
    LayoutTable table;
    table.is_array = absl::StartsWith(text_.substr(at_), "[[");
    const absl::string_view close = table.is_array ? "]]" : "]";
    at_ += close.size();
    std::string spelled;
    RETURN_IF_ERROR(ScanKey(&table.path, &spelled));
    if (!absl::StartsWith(text_.substr(at_), close)) return Fail("header has no end");
    at_ += close.size();
    table.header = absl::StrCat(table.is_array ? "[[" : "[", spelled, close);
    RETURN_IF_ERROR(TakeRestOfLine(&table.comment));
    // From the last blank line on, unless there is only that line.
    const auto lead = std::find(pending_.rbegin(), pending_.rend(), "").base();
    const auto begin = lead == pending_.begin() ? lead : lead - 1;
    table.lead.assign(begin, pending_.end());
    tables_.back().tail.assign(pending_.begin(), begin);
    pending_.clear();
    tables_.push_back(std::move(table));
    return absl::OkStatus();
  }

  absl::Status ScanPair(std::size_t indent) {
    LayoutPair pair;
    RETURN_IF_ERROR(ScanKey(&pair.path, &pair.key));
    if (at_ >= text_.size() || text_[at_] != '=') return Fail("expected '='");
    ++at_;
    SkipBlanks();
    RETURN_IF_ERROR(ScanValue(indent, &pair.value));
    RETURN_IF_ERROR(TakeRestOfLine(&pair.comment));
    LayoutTable& table = tables_.back();
    if (table.pairs.empty()) {
      const auto lead = std::find(pending_.rbegin(), pending_.rend(), "").base();
      if (lead != pending_.begin()) {
        const auto begin = std::find_if(pending_.begin(), lead - 1,
                                        [](const std::string& line) { return !line.empty(); });
        table.top.assign(begin, lead - 1);
        pending_.erase(pending_.begin(), lead - 1);
      }
    }
    pair.lead = std::exchange(pending_, {});
    table.pairs.push_back(std::move(pair));
    return absl::OkStatus();
  }

  absl::Status ScanValue(std::size_t indent, std::string* value) {
    int depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (AtLineEnd()) {
        if (depth == 0) break;
        StripBlanks(value);
        *value += '\n';
        SkipLineEnd();
        for (std::size_t i = 0; i < indent && at_ < text_.size() && IsBlank(text_[at_]); ++i) ++at_;
      } else if (c == '"' || c == '\'') {
        const std::size_t length = QuotedLength(text_.substr(at_), literal_blocks_);
        if (length == 0) return Fail("string has no end");
        absl::StrAppend(value, absl::StrReplaceAll(text_.substr(at_, length), {{"\r\n", "\n"}}));
        at_ += length;
      } else if (c == '#') {
        if (depth == 0) break;
        absl::StrAppend(value, TakeComment());
      } else {
        if (c == '[' || c == '{') ++depth;
        if (c == ']' || c == '}') --depth;
        if (depth < 0) return Fail("bracket without its beginning");
        *value += c;
        ++at_;
      }
    }
    StripBlanks(value);
    if (depth > 0) return Fail("bracket has no end");
    return value->empty() ? Fail("expected a value") : absl::OkStatus();
  }

  const absl::string_view text_;
  const bool literal_blocks_;
  std::size_t at_ = 0;
  // Comments and blank lines since the last header or pair.
  LayoutLines pending_;
  std::vector<LayoutTable> tables_;
};

}  // namespace

absl::StatusOr<std::vector<LayoutTable>> ScanLayout(absl::string_view text, v1::Dialect dialect) {
  return LayoutScanner(text, dialect).Scan();
}

}  // namespace fairlead::resources
