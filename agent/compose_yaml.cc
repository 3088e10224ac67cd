#include "agent/compose_yaml.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;

constexpr int kDeepest = 64;

struct Line {
  int indent = 0;
  // Without indentation and line end; empty for a blank line.
  std::string text;
};

void AppendUtf8(uint32_t code, std::string& text) {
  const auto byte = [&](uint32_t value) { text.push_back(static_cast<char>(value)); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | code >> 6);
    byte(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    byte(0xE0 | code >> 12);
    byte(0x80 | (code >> 6 & 0x3F));
    byte(0x80 | (code & 0x3F));
  } else {
    byte(0xF0 | code >> 18);
    byte(0x80 | (code >> 12 & 0x3F));
    byte(0x80 | (code >> 6 & 0x3F));
    byte(0x80 | (code & 0x3F));
  }
}

// The value of `\c` in a double-quoted scalar; nullopt for the escapes with digits.
std::optional<std::string> SimpleEscape(char c) {
  static const std::map<char, std::string> escapes = {{'0', std::string(1, '\0')},
                                                      {'a', "\a"},
                                                      {'b', "\b"},
                                                      {'t', "\t"},
                                                      {'n', "\n"},
                                                      {'v', "\v"},
                                                      {'f', "\f"},
                                                      {'r', "\r"},
                                                      {'e', "\x1b"},
                                                      {'"', "\""},
                                                      {'\\', "\\"},
                                                      {' ', " "},
                                                      {'/', "/"},
                                                      {'N', "\xc2\x85"},
                                                      {'_', "\xc2\xa0"},
                                                      {'L', "\xe2\x80\xa8"},
                                                      {'P', "\xe2\x80\xa9"}};
  const auto found = escapes.find(c);
  if (found == escapes.end()) return std::nullopt;
  return found->second;
}

json::value PlainValue(const std::string& text) {
  if (text.empty() || text == "null" || text == "~") return nullptr;
  if (text == "true") return true;
  if (text == "false") return false;
  int64_t number = 0;
  if (absl::SimpleAtoi(text, &number) && absl::StrCat(number) == text) return number;
  return json::string(text);
}

bool IsSequenceItem(absl::string_view text) { return text == "-" || absl::StartsWith(text, "- "); }

// Position of the colon that ends a plain key; npos when `text` is no mapping entry.
std::size_t PlainKeyEnd(absl::string_view text) {
  if (text.empty() || absl::StrContains("{[&*|>", text.substr(0, 1))) return std::string::npos;
  const std::size_t end = text.find(": ");
  if (end != absl::string_view::npos) return end;
  return text.back() == ':' ? text.size() - 1 : std::string::npos;
}

class Reader {
 public:
  explicit Reader(absl::string_view text) {
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
      const std::size_t start = line.find_first_not_of(' ');
      if (start == absl::string_view::npos) {
        lines_.push_back({});
      } else {
        lines_.push_back({static_cast<int>(start), std::string(line.substr(start))});
      }
    }
  }

  absl::StatusOr<json::value> Read() {
    SkipBlank();
    if (AtEnd()) return json::value(nullptr);
    ASSIGN_OR_RETURN(json::value value, Block(0));
    SkipBlank();
    if (!AtEnd()) return Error("text after the document");
    return value;
  }

 private:
  bool AtEnd() const { return at_ >= lines_.size(); }
  const Line& line() const { return lines_[at_]; }
  void SkipBlank() {
    while (!AtEnd() && line().text.empty()) ++at_;
  }
  absl::Status Error(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("compose output line ", at_ + 1, ": ", what));
  }

  // The mapping or sequence that starts at the current line.
  absl::StatusOr<json::value> Block(int depth) {
    if (depth > kDeepest) return Error("nested too deep");
    return IsSequenceItem(line().text) ? Sequence(line().indent, depth)
                                       : Mapping(line().indent, depth);
  }

  absl::StatusOr<json::value> Sequence(int indent, int depth) {
    json::array array;
    for (SkipBlank(); !AtEnd() && line().indent == indent && IsSequenceItem(line().text);
         SkipBlank()) {
      // "- rest" is read as `rest` standing deeper.
      const std::size_t skip = std::min(line().text.find_first_not_of(' ', 1), line().text.size());
      const std::string rest = line().text.substr(skip);
      const int inner = indent + static_cast<int>(skip);
      if (IsSequenceItem(rest) || KeyEnd(rest) != std::string::npos ||
          absl::StartsWith(rest, "? ")) {
        lines_[at_] = {inner, rest};
        ASSIGN_OR_RETURN(json::value value, Block(depth + 1));
        array.push_back(std::move(value));
      } else {
        ASSIGN_OR_RETURN(json::value value, Value(rest, indent, depth));
        array.push_back(std::move(value));
      }
    }
    return json::value(std::move(array));
  }

  absl::StatusOr<json::value> Mapping(int indent, int depth) {
    json::object object;
    for (SkipBlank(); !AtEnd() && line().indent == indent && !IsSequenceItem(line().text);
         SkipBlank()) {
      ASSIGN_OR_RETURN(const auto entry, Key(indent, depth));
      ASSIGN_OR_RETURN(json::value value, Value(entry.second, indent, depth));
      object[entry.first] = std::move(value);
    }
    if (!AtEnd() && line().indent > indent) return Error("unexpected indentation");
    return json::value(std::move(object));
  }

  // Key and rest of the line after its colon.
  absl::StatusOr<std::pair<std::string, std::string>> Key(int indent, int depth) {
    if (absl::StartsWith(line().text, "? ")) {
      ASSIGN_OR_RETURN(const json::value key, Value(line().text.substr(2), indent, depth));
      SkipBlank();
      if (AtEnd() || line().indent != indent || !absl::StartsWith(line().text, ":")) {
        return Error("a key without a value");
      }
      const std::string text = line().text.size() > 2 ? line().text.substr(2) : "";
      return std::make_pair(KeyText(key), text);
    }
    const std::string text = line().text;
    const std::size_t end = KeyEnd(text);
    if (end == std::string::npos) return Error("neither a key nor an item");
    std::string rest = end + 2 <= text.size() ? text.substr(end + 2) : "";
    if (text[0] != '\'' && text[0] != '"') return std::make_pair(text.substr(0, end), rest);
    // Keys longer than a line are written with "? ".
    const std::size_t line_before = at_;
    ASSIGN_OR_RETURN(const std::string key, Quoted(text.substr(0, end)));
    at_ = line_before;
    return std::make_pair(key, rest);
  }

  static std::string KeyText(const json::value& key) {
    return key.is_string() ? std::string(key.as_string().c_str())
                           : std::string(json::serialize(key));
  }

  // As PlainKeyEnd, also for quoted keys.
  static std::size_t KeyEnd(absl::string_view text) {
    if (text.empty() || (text[0] != '\'' && text[0] != '"')) return PlainKeyEnd(text);
    const char quote = text[0];
    for (std::size_t i = 1; i < text.size(); ++i) {
      if (quote == '"' && text[i] == '\\') {
        ++i;
      } else if (text[i] == quote) {
        if (quote == '\'' && i + 1 < text.size() && text[i + 1] == quote) {
          ++i;
          continue;
        }
        const bool ends = i + 1 < text.size() && text[i + 1] == ':' &&
                          (i + 2 == text.size() || text[i + 2] == ' ');
        return ends ? i + 1 : std::string::npos;
      }
    }
    return std::string::npos;
  }

  // A value whose text starts on the current line with `rest`; below a parent at `indent`.
  absl::StatusOr<json::value> Value(std::string rest, int indent, int depth) {
    std::string anchor;
    if (absl::StartsWith(rest, "&")) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      anchor = rest.substr(1, end - 1);
      rest = end < rest.size() ? rest.substr(end + 1) : "";
    }
    ASSIGN_OR_RETURN(json::value value, PlainOrNested(rest, indent, depth));
    if (!anchor.empty()) anchors_[anchor] = value;
    return value;
  }

  absl::StatusOr<json::value> PlainOrNested(const std::string& rest, int indent, int depth) {
    if (rest.empty()) {
      ++at_;
      SkipBlank();
      if (AtEnd()) return json::value(nullptr);
      // The emitter does not indent sequences below a key.
      const bool nested =
          line().indent > indent || (line().indent == indent && IsSequenceItem(line().text));
      return nested ? Block(depth + 1) : absl::StatusOr<json::value>(json::value(nullptr));
    }
    if (rest == "{}" || rest == "[]") {
      ++at_;
      return rest == "{}" ? json::value(json::object()) : json::value(json::array());
    }
    if (rest[0] == '*') {
      ++at_;
      const auto found = anchors_.find(rest.substr(1));
      if (found == anchors_.end()) return Error("an unknown alias");
      return found->second;
    }
    if (absl::StrContains("{[|>!%@`", rest.substr(0, 1))) return Error("a form that is not read");
    if (rest[0] == '\'' || rest[0] == '"') {
      ASSIGN_OR_RETURN(const std::string text, Quoted(rest));
      return json::value(json::string(text));
    }
    return PlainValue(Plain(rest, indent));
  }

  // Text over several lines: one line end reads as a blank, n blank lines as n line ends.
  std::string Plain(std::string text, int indent) {
    std::size_t blank_lines = 0;
    for (++at_; !AtEnd() && (line().text.empty() || line().indent > indent); ++at_) {
      if (line().text.empty()) {
        ++blank_lines;
        continue;
      }
      text += blank_lines == 0 ? std::string(" ") : std::string(blank_lines, '\n');
      text += line().text;
      blank_lines = 0;
    }
    return text;
  }

  // Reads from `first`, which starts with the quote, to the closing one; ends behind its line.
  absl::StatusOr<std::string> Quoted(const std::string& first) {
    const char quote = first[0];
    std::string text = first.substr(1);
    std::string result;
    for (;;) {
      bool joined = false;
      for (std::size_t i = 0; i < text.size(); ++i) {
        if (quote == '"' && text[i] == '\\') {
          if (i + 1 == text.size()) {
            joined = true;
            break;
          }
          ASSIGN_OR_RETURN(const std::size_t used, Escape(text, i + 1, result));
          i += used;
        } else if (text[i] != quote) {
          result.push_back(text[i]);
        } else if (quote == '\'' && i + 1 < text.size() && text[i + 1] == quote) {
          result.push_back(quote);
          ++i;
        } else {
          ++at_;
          return result;
        }
      }
      std::size_t blank_lines = 0;
      for (++at_; !AtEnd() && line().text.empty(); ++at_) ++blank_lines;
      if (AtEnd()) return Error("a quote without an end");
      if (!joined) result += blank_lines == 0 ? std::string(" ") : std::string(blank_lines, '\n');
      text = line().text;
    }
  }

  // The escape whose letter is text[at]; returns how many characters it took.
  absl::StatusOr<std::size_t> Escape(const std::string& text, std::size_t at,
                                     std::string& result) const {
    if (const std::optional<std::string> simple = SimpleEscape(text[at])) {
      result += *simple;
      return 1;
    }
    const std::size_t digits =
        text[at] == 'x' ? 2 : (text[at] == 'u' ? 4 : (text[at] == 'U' ? 8 : 0));
    uint32_t code = 0;
    if (digits == 0 || at + digits >= text.size() ||
        !absl::SimpleHexAtoi(text.substr(at + 1, digits), &code)) {
      return Error("an unknown escape");
    }
    AppendUtf8(code, result);
    return digits + 1;
  }

  std::vector<Line> lines_;
  std::size_t at_ = 0;
  std::map<std::string, json::value> anchors_;
};

}  // namespace

absl::StatusOr<json::value> ParseComposeYaml(absl::string_view text) { return Reader(text).Read(); }

}  // namespace fairlead::agent
