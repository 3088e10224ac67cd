#include "agent/docker_ignore.h"

#include <filesystem>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace fairlead::agent {
namespace {

// One pattern against one path. What was tried is remembered, so that no pattern takes long.
class Match {
 public:
  Match(absl::string_view pattern, absl::string_view text)
      : pattern_(pattern), text_(text), failed_((pattern.size() + 1) * (text.size() + 1), false) {}

  bool Run() { return From(0, 0); }

 private:
  bool From(std::size_t p, std::size_t t) {
    const std::size_t state = p * (text_.size() + 1) + t;
    if (failed_[state]) return false;
    const bool matches = Try(p, t);
    if (!matches) failed_[state] = true;
    return matches;
  }

  bool Try(std::size_t p, std::size_t t) {
    if (p == pattern_.size()) return t == text_.size();
    const char c = pattern_[p];
    if (c == '*' && p + 1 < pattern_.size() && pattern_[p + 1] == '*') return AnyFolders(p, t);
    if (c == '*') {
      return From(p + 1, t) || (t < text_.size() && text_[t] != '/' && From(p, t + 1));
    }
    if (t == text_.size()) return false;
    if (c == '?') return text_[t] != '/' && From(p + 1, t + 1);
    if (c == '[') return Class(p, t);
    if (c == '\\' && p + 1 < pattern_.size()) {
      return pattern_[p + 1] == text_[t] && From(p + 2, t + 1);
    }
    return c == text_[t] && From(p + 1, t + 1);
  }

  // "**/" matches no folder, one or many; "**" at the end anything.
  bool AnyFolders(std::size_t p, std::size_t t) {
    std::size_t next = p + 2;
    if (next < pattern_.size() && pattern_[next] == '/') ++next;
    if (next == pattern_.size()) return true;
    if (From(next, t)) return true;
    const std::size_t slash = text_.find('/', t);
    return slash != absl::string_view::npos && From(p, slash + 1);
  }

  bool Class(std::size_t p, std::size_t t) {
    std::size_t at = p + 1;
    const bool negated = at < pattern_.size() && pattern_[at] == '^';
    if (negated) ++at;
    bool found = false;
    for (bool first = true; at < pattern_.size() && (first || pattern_[at] != ']'); first = false) {
      if (pattern_[at] == '\\' && at + 1 < pattern_.size()) ++at;
      const char low = pattern_[at++];
      char high = low;
      if (at + 1 < pattern_.size() && pattern_[at] == '-' && pattern_[at + 1] != ']') {
        high = pattern_[at + 1];
        at += 2;
      }
      found = found || (low <= text_[t] && text_[t] <= high);
    }
    if (at >= pattern_.size()) return false;
    return found != negated && text_[t] != '/' && From(at + 1, t + 1);
  }

  const absl::string_view pattern_;
  const absl::string_view text_;
  std::vector<bool> failed_;
};

}  // namespace

DockerIgnore::DockerIgnore(absl::string_view text) {
  absl::ConsumePrefix(&text, "\xef\xbb\xbf");
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!line.empty() && line[0] == '#') continue;
    absl::string_view pattern = absl::StripAsciiWhitespace(line);
    Rule rule;
    rule.takes_back = absl::ConsumePrefix(&pattern, "!");
    pattern = absl::StripAsciiWhitespace(pattern);
    rule.pattern =
        std::filesystem::path(std::string(pattern)).lexically_normal().relative_path().string();
    while (!rule.pattern.empty() && rule.pattern.back() == '/') rule.pattern.pop_back();
    if (rule.pattern.empty() || rule.pattern == ".") continue;
    has_exceptions_ = has_exceptions_ || rule.takes_back;
    rules_.push_back(std::move(rule));
  }
}

bool DockerIgnore::Ignores(const std::string& path) const {
  bool ignored = false;
  for (const Rule& rule : rules_) {
    if (rule.takes_back != ignored) continue;
    for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
      if (Match(rule.pattern, absl::string_view(path).substr(0, end)).Run()) {
        ignored = !rule.takes_back;
        break;
      }
      if (end == std::string::npos) break;
    }
  }
  return ignored;
}

}  // namespace fairlead::agent
