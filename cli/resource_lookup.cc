#include "cli/resource_lookup.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "resources/kind_table.h"
#include "resources/spelling.h"

namespace fairlead::cli {
namespace {

absl::StatusOr<resources::ResourceId> FindByName(Session& session, const std::string& name) {
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::ListResourcesResponse list, controller->ListResources({}));
  std::vector<std::string> matches;
  std::vector<std::string> names;
  for (const v1::ResourceView& view : list.resources()) {
    const auto id = resources::ResourceId::Parse(view.status().resource());
    if (!id) continue;
    names.push_back(id->name);
    if (id->name == name) matches.push_back(id->ToString());
  }
  if (matches.size() == 1) return *resources::ResourceId::Parse(matches[0]);
  if (matches.empty()) {
    const std::string hint = resources::DidYouMean(name, names);
    return absl::NotFoundError(absl::StrCat(
        "no resource is called \"", name, "\"",
        hint.empty() ? ". List them with: fairlead get all" : absl::StrCat("; ", hint)));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "several resources are called \"", name, "\". Write one of: ", absl::StrJoin(matches, ", ")));
}

}  // namespace

absl::StatusOr<std::string> FindKindName(const std::string& text) {
  if (const resources::Kind* kind = resources::FindKind(text)) return kind->name;
  std::vector<std::string> names;
  for (const resources::Kind& kind : resources::Kinds()) names.push_back(kind.name);
  const std::string hint = resources::DidYouMean(text, names);
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is not a kind of resource",
                                                 hint.empty() ? "." : "; ", hint, " Kinds are ",
                                                 absl::StrJoin(names, ", "), "."));
}

absl::StatusOr<resources::ResourceId> FindResource(Session& session,
                                                   const ResourceArguments& arguments) {
  if (!arguments.second.empty()) {
    ASSIGN_OR_RETURN(std::string kind, FindKindName(arguments.first));
    return resources::ResourceId{std::move(kind), arguments.second};
  }
  const std::size_t slash = arguments.first.find('/');
  if (slash == std::string::npos) return FindByName(session, arguments.first);
  ASSIGN_OR_RETURN(std::string kind, FindKindName(arguments.first.substr(0, slash)));
  return resources::ResourceId{std::move(kind), arguments.first.substr(slash + 1)};
}

}  // namespace fairlead::cli
