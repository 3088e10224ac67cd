#include "controller/loop/mirror_folder.h"

#include <cstdint>

#include "absl/strings/str_cat.h"

namespace fairlead::loop {

std::string FolderOf(absl::string_view name) {
  std::string folder;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_';
    if (plain) {
      folder.push_back(c);
    } else {
      absl::StrAppend(&folder, "%", absl::Hex(static_cast<uint8_t>(c), absl::kZeroPad2));
    }
  }
  return folder;
}

}  // namespace fairlead::loop
