// Resources as the files that declare them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "fairlead/v1/resource_sync.pb.h"
#include "fairlead/v1/service.pb.h"

namespace fairlead::cli {

// TOML in order of kind and name, without secrets. Views without a spec are left out.
std::string RenderToml(const std::vector<v1::ResourceView>& views, v1::Dialect dialect);

// The same, apart by the plural of the kind ("stacks"). Kinds without a resource are left out.
std::map<std::string, std::string> RenderTomlByKind(const std::vector<v1::ResourceView>& views,
                                                    v1::Dialect dialect);

}  // namespace fairlead::cli
