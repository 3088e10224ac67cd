#include "resources/shell_words.h"

#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace fairlead::resources {
namespace {

class WordSplitter {
 public:
  explicit WordSplitter(absl::string_view text) : text_(text) {}

  absl::StatusOr<std::vector<std::string>> Split() {
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (absl::ascii_isspace(static_cast<unsigned char>(c))) {
        EndWord();
      } else if (c == '\'' || c == '"') {
        in_word_ = true;
        if (!ReadQuoted(c)) {
          return absl::InvalidArgumentError(
              absl::StrCat("quote ", std::string(1, c), " has no end"));
        }
      } else if (c == '\\') {
        if (at_ == text_.size()) return absl::InvalidArgumentError("backslash at the end");
        const char next = text_[at_++];
        if (next == '\n') continue;
        in_word_ = true;
        word_ += next;
      } else {
        in_word_ = true;
        word_ += c;
      }
    }
    EndWord();
    return std::move(words_);
  }

 private:
  void EndWord() {
    if (in_word_) words_.push_back(std::move(word_));
    word_.clear();
    in_word_ = false;
  }

  // False when the quote has no end.
  bool ReadQuoted(char quote) {
    constexpr absl::string_view kEscapable = "\"\\$`\n";
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == quote) return true;
      const bool escape = quote == '"' && c == '\\' && at_ < text_.size() &&
                          kEscapable.find(text_[at_]) != absl::string_view::npos;
      if (!escape) {
        word_ += c;
        continue;
      }
      const char next = text_[at_++];
      if (next != '\n') word_ += next;
    }
    return false;
  }

  const absl::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::string> words_;
  std::string word_;
  bool in_word_ = false;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> SplitShellWords(absl::string_view text) {
  return WordSplitter(text).Split();
}

}  // namespace fairlead::resources
