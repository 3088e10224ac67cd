// Resources and events for people.
#pragma once

#include <string>

#include "cli/render/text.h"
#include "fairlead/v1/service.pb.h"

namespace fairlead::cli {

// A table, a row for each resource.
std::string RenderResources(const v1::ListResourcesResponse& list, const TextOptions& options);

// The story of one resource: wanted, running, why, next, history.
std::string RenderDescription(const v1::GetResourceResponse& response, const TextOptions& options);

// One line without line break.
std::string RenderEvent(const v1::Event& event, const TextOptions& options);

}  // namespace fairlead::cli
