// Who this installation is: made once, kept in the store.
#pragma once

#include <string>

#include "absl/status/statusor.h"

#include "base/ids.h"
#include "controller/store/store.h"

namespace fairlead::controller {

struct Installation {
  // Labels our containers.
  std::string id;
  // Key of spec hashes (32 bytes) and its name.
  std::string key_id;
  std::string key;
};

// Read from the image, or made and stored.
absl::StatusOr<Installation> EnsureInstallation(const store::StoreImage& image, store::Store& store,
                                                base::Random& random);

}  // namespace fairlead::controller
