// fairlead export: what the controller holds, as files.
#include <filesystem>
#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/file.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/dialect.h"
#include "cli/render/resource_toml.h"
#include "cli/resource_lookup.h"
#include "resources/kind_table.h"
#include "resources/resource_id.h"

namespace fairlead::cli {
namespace {

namespace fs = std::filesystem;

// What to export; empty means all.
struct Selection {
  std::set<std::string> kinds;
  std::set<std::string> resources;
  std::string origin;

  bool Holds(const v1::ResourceStatus& status) const {
    const auto id = resources::ResourceId::Parse(status.resource());
    if (!id) return false;
    const bool of_origin = origin.empty() || status.origin() == origin ||
                           status.origin() == absl::StrCat("resource_sync/", origin);
    const bool named = (kinds.empty() && resources.empty()) || kinds.contains(id->kind) ||
                       resources.contains(id->ToString());
    return of_origin && named;
  }
};

absl::StatusOr<Selection> ReadSelection(const ExportOptions& options) {
  Selection selection{.origin = options.origin};
  for (const std::string& word : options.resources) {
    const std::size_t slash = word.find('/');
    ASSIGN_OR_RETURN(const std::string kind, FindKindName(word.substr(0, slash)));
    if (slash == std::string::npos) {
      selection.kinds.insert(kind);
    } else {
      selection.resources.insert(absl::StrCat(kind, word.substr(slash)));
    }
  }
  return selection;
}

// NotFound names a resource that was asked for and is not there.
absl::StatusOr<std::vector<v1::ResourceView>> Select(const v1::ListResourcesResponse& list,
                                                     const Selection& selection) {
  std::vector<v1::ResourceView> chosen;
  std::set<std::string> missing = selection.resources;
  for (const v1::ResourceView& view : list.resources()) {
    if (!selection.Holds(view.status())) continue;
    missing.erase(view.status().resource());
    chosen.push_back(view);
  }
  if (missing.empty()) return chosen;
  return absl::NotFoundError(
      absl::StrCat("no resource ", *missing.begin(),
                   selection.origin.empty() ? "" : absl::StrCat(" of origin ", selection.origin),
                   ". List them with: fairlead get all"));
}

// One file for each kind. Nothing is written when one of them is there already.
absl::Status WriteFiles(Session& session, const std::string& directory,
                        const std::map<std::string, std::string>& texts) {
  const auto path_of = [&directory](const std::string& plural) {
    return (fs::path(directory) / absl::StrCat(plural, ".toml")).string();
  };
  for (const auto& [plural, text] : texts) {
    std::error_code error;
    if (fs::exists(path_of(plural), error)) {
      return absl::AlreadyExistsError(
          absl::StrCat("\"", path_of(plural), "\" is there already; choose another folder"));
    }
  }
  RETURN_IF_ERROR(base::MakeDirectories(directory, 0755));
  for (const auto& [plural, text] : texts) {
    RETURN_IF_ERROR(base::WriteFileAtomically(path_of(plural), text, 0644));
    session.Print(absl::StrCat("wrote ", path_of(plural), "\n"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int> RunExport(Session& session, const ExportOptions& options) {
  ASSIGN_OR_RETURN(const v1::Dialect dialect, ParseDialect(options.dialect));
  ASSIGN_OR_RETURN(const Selection selection, ReadSelection(options));
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::ListResourcesResponse list, controller->ListResources({}));
  ASSIGN_OR_RETURN(const std::vector<v1::ResourceView> chosen, Select(list, selection));
  if (options.output == "-") {
    session.Print(RenderToml(chosen, dialect));
  } else {
    RETURN_IF_ERROR(WriteFiles(session, options.output, RenderTomlByKind(chosen, dialect)));
  }
  return kExitOk;
}

}  // namespace fairlead::cli
