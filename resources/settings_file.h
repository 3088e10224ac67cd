// Files of settings, such as v1::AccountsFile, and the paths in them.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace fairlead::resources {

// Into `settings`, whose fields are the file's tables; what it holds already are the defaults.
// NotFound; InvalidArgument with all problems of the text; PermissionDenied when others than the
// owner may write the file, which then `says` what they like, such as "who logs in".
absl::Status ReadSettingsFile(const std::string& path, absl::string_view says,
                              google::protobuf::Message* settings);

// Likewise for a file with secrets: PermissionDenied when others may read it.
absl::Status ReadPrivateSettingsFile(const std::string& path, google::protobuf::Message* settings);

// A path of a file of settings is relative to the `folder` of that file. Empty stays empty.
std::string PathBeside(const std::string& folder, const std::string& path);

}  // namespace fairlead::resources
