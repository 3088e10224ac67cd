#include "agent/plain_text.h"

#include <cstddef>

namespace fairlead::agent {
namespace {

// Without control characters and colours.
std::string Printable(const std::string& text) {
  std::string clean;
  clean.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte == 0x1b) {
      // A colour: ESC [ ... letter.
      std::size_t end = i + 1;
      if (end < text.size() && text[end] == '[') {
        ++end;
        while (end < text.size() && (text[end] < '@' || text[end] > '~')) ++end;
        i = end;
      }
      continue;
    }
    if (byte == '\t' || (byte >= 0x20 && byte != 0x7f)) clean.push_back(text[i]);
  }
  return clean;
}

// Length of the UTF-8 sequence at `at`; 0 when there is none that is well.
std::size_t SequenceAt(const std::string& text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  const std::size_t length = first < 0x80    ? 1
                             : first < 0xc2  ? 0
                             : first < 0xe0  ? 2
                             : first < 0xf0  ? 3
                             : first <= 0xf4 ? 4
                                             : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[at + i]) & 0xc0) != 0x80) return 0;
  }
  if (length < 3) return length;
  const auto second = static_cast<unsigned char>(text[at + 1]);
  // Overlong forms, surrogates and what is beyond the last character.
  const bool is_bad = (first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) ||
                      (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90);
  return is_bad ? 0 : length;
}

// A string field of a message must be UTF-8.
std::string Utf8(const std::string& text) {
  std::string valid;
  valid.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = SequenceAt(text, i);
    if (length == 0) {
      valid.push_back('?');
      ++i;
    } else {
      valid.append(text, i, length);
      i += length;
    }
  }
  return valid;
}

}  // namespace

std::string PlainText(const std::string& text) { return Utf8(Printable(text)); }

}  // namespace fairlead::agent
