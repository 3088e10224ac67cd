// Resource files with faults in them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "base/file.h"

namespace fairlead::resources {

// The .toml files in these folders of testdata/manifests, in order of their text.
inline std::vector<std::string> ManifestTexts(const std::vector<std::string>& folders) {
  std::vector<std::string> texts;
  const std::filesystem::path manifests =
      std::filesystem::path(FAIRLEAD_SOURCE_DIR) / "testdata" / "manifests";
  for (const std::string& folder : folders) {
    for (const auto& entry : std::filesystem::directory_iterator(manifests / folder)) {
      if (entry.path().extension() != ".toml") continue;
      texts.push_back(base::ReadFile(entry.path().string()).value_or(""));
    }
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

// Makes the same faults for the same seed.
class Mutator {
 public:
  explicit Mutator(uint64_t seed) : random_(seed) {}

  // A few bytes of `text` replaced, removed, repeated or put in.
  std::string Mutate(std::string text) {
    for (std::size_t count = 1 + Below(4); count > 0 && !text.empty(); --count) {
      const std::size_t at = Below(text.size());
      switch (Below(4)) {
        case 0:
          text[at] = Special();
          break;
        case 1:
          text.erase(at, 1 + Below(8));
          break;
        case 2:
          text.insert(at, text.substr(Below(text.size()), Below(40)));
          break;
        default:
          text.insert(at, 1 + Below(3), Special());
          break;
      }
    }
    return text;
  }

 private:
  std::size_t Below(std::size_t limit) { return random_() % limit; }
  char Special() {
    static constexpr absl::string_view kSpecial = "[]{}=\"'\\\n\r\t.,#-0a\xC3\xFF";
    return kSpecial[Below(kSpecial.size())];
  }
  std::mt19937_64 random_;
};

}  // namespace fairlead::resources
