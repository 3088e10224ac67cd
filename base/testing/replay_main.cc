// Plays a fuzz target without libFuzzer: replay_main SEED_FOLDER... calls it with each file of the
// folders and with mutations of them, the same ones on every run.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "base/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, std::size_t size);

namespace {

constexpr uint64_t kSeed = 7;
constexpr int kMutations = 6000;

std::vector<std::string> ReadSeeds(int count, char** folders) {
  std::vector<std::string> seeds;
  for (int i = 0; i < count; ++i) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folders[i], error)) {
      const auto content = fairlead::base::ReadFile(entry.path().string());
      if (content.ok()) seeds.push_back(*content);
    }
  }
  // The order of a folder is not the same everywhere.
  std::sort(seeds.begin(), seeds.end());
  return seeds;
}

// Replaces, removes, repeats or puts in a few bytes.
class Mutator {
 public:
  std::size_t Below(std::size_t limit) { return random_() % limit; }

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

  std::mt19937_64 random_{kSeed};
};

void Play(const std::string& text) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> seeds = ReadSeeds(argc - 1, argv + 1);
  if (seeds.empty()) {
    std::fprintf(stderr, "no seeds: usage: %s SEED_FOLDER...\n", argv[0]);
    return 1;
  }
  Play("");
  for (const std::string& seed : seeds) Play(seed);
  Mutator mutator;
  for (int i = 0; i < kMutations; ++i) {
    const std::string& seed = seeds[mutator.Below(seeds.size())];
    Play(mutator.Mutate(seed, seeds[mutator.Below(seeds.size())]));
  }
  std::printf("%zu seeds, %d mutations\n", seeds.size(), kMutations);
  return 0;
}
