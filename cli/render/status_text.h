// The state of syncs and servers for people.
#pragma once

#include <string>

#include "cli/render/text.h"
#include "fairlead/v1/service.pb.h"

namespace fairlead::cli {

// Syncs, servers, and what is not well.
std::string RenderStatus(const v1::GetStatusResponse& status, const TextOptions& options);

// The last of these only.
std::string RenderNotOk(const v1::GetStatusResponse& status, const TextOptions& options);

// `main @ 4f2a91c "web: 1.4.2"`.
std::string RenderSyncHead(const v1::SyncStatus& sync, const TextOptions& options);

}  // namespace fairlead::cli
