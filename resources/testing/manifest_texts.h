// The resource files that tests are fed with.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

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

}  // namespace fairlead::resources
