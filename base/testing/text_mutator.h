// Faults in texts, the same ones for the same seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

#include "absl/strings/string_view.h"

namespace fairlead::base {

class TextMutator {
 public:
  explicit TextMutator(uint64_t seed) : random_(seed) {}

  // Less than `limit`, which is above 0.
  std::size_t Below(std::size_t limit) { return random_() % limit; }

  // A few bytes of `text` replaced, removed, repeated or put in; pieces of `other` come in too.
  std::string Mutate(std::string text, const std::string& other) {
    for (std::size_t count = 1 + Below(4); count > 0 && !text.empty(); --count) {
      const std::size_t at = Below(text.size());
      switch (Below(5)) {
        case 0:
          text[at] = Special();
          break;
        case 1:
          text.erase(at, 1 + Below(8));
          break;
        case 2:
          text.insert(at, text.substr(Below(text.size()), Below(40)));
          break;
        case 3:
          if (!other.empty()) text.insert(at, other.substr(Below(other.size()), Below(40)));
          break;
        default:
          text.insert(at, 1 + Below(3), Special());
          break;
      }
    }
    return text;
  }

 private:
  char Special() {
    static constexpr absl::string_view kSpecial = "[]{}=\"'\\\n\r\t .,:#/-0a\xC3\xFF";
    return kSpecial[Below(kSpecial.size())];
  }

  std::mt19937_64 random_;
};

}  // namespace fairlead::base
