#include "integration/testing/small_disk.h"

#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "gtest/gtest.h"

namespace fairlead::integration {

SmallDisk::SmallDisk(std::string folder, int kib) : folder_(std::move(folder)) {
  EXPECT_TRUE(base::MakeDirectories(folder_).ok());
  const std::string options = absl::StrCat("size=", kib, "k,mode=0700");
  EXPECT_EQ(mount("tmpfs", folder_.c_str(), "tmpfs", 0, options.c_str()), 0)
      << "mount a tmpfs: needs root";
}

SmallDisk::~SmallDisk() { umount2(folder_.c_str(), MNT_DETACH); }

void SmallDisk::Fill() const {
  std::ofstream file(FillerPath(), std::ios::binary);
  const std::string block(4096, 'x');
  while (file.write(block.data(), 4096) && file.flush()) {
  }
}

void SmallDisk::Empty() const { EXPECT_TRUE(unlink(FillerPath().c_str()) == 0 || errno == ENOENT); }

std::string SmallDisk::FillerPath() const { return absl::StrCat(folder_, "/filler"); }

}  // namespace fairlead::integration
