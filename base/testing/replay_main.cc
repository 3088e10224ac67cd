// Plays a fuzz target without libFuzzer: replay_main SEED_FOLDER... calls it with each file of the
// folders and with mutations of them, the same ones on every run.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/testing/text_mutator.h"

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
  fairlead::base::TextMutator mutator(kSeed);
  for (int i = 0; i < kMutations; ++i) {
    const std::string& seed = seeds[mutator.Below(seeds.size())];
    Play(mutator.Mutate(seed, seeds[mutator.Below(seeds.size())]));
  }
  std::printf("%zu seeds, %d mutations\n", seeds.size(), kMutations);
  return 0;
}
