// The specs of a resource for people.
#pragma once

#include <string>

#include "cli/render/text.h"
#include "fairlead/v1/service.pb.h"

namespace fairlead::cli {

// A table, newest first; says which spec is declared and which one runs.
std::string RenderHistory(const v1::ListHistoryResponse& response, const TextOptions& options);

}  // namespace fairlead::cli
