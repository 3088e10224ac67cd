// A disk that is soon full.
#pragma once

#include <string>

namespace fairlead::integration {

// A tmpfs mounted on a folder; needs root. Unmounted with its owner. Confined to one thread.
class SmallDisk {
 public:
  SmallDisk(std::string folder, int kib);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const std::string& folder() const { return folder_; }
  // Leaves no free block.
  void Fill() const;
  // Takes back what Fill has put there, if anything.
  void Empty() const;

 private:
  std::string FillerPath() const;

  const std::string folder_;
};

}  // namespace fairlead::integration
