#include "controller/bootstrap.h"

#include <cstdlib>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "resources/container_spec.h"
#include "resources/problem_text.h"
#include "resources/toml_reader.h"
#include "sync/git/url.h"

namespace fairlead::controller {

absl::StatusOr<loop::SnapshotPointer> ReadBootstrap(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string content, base::ReadFile(path), "--bootstrap");
  auto file = std::make_shared<const resources::ParsedFile>(
      resources::ReadToml(path, content, v1::DIALECT_TOML));
  std::string errors;
  const auto collect = [&errors](const auto& problems) {
    for (const v1::Problem& problem : problems) {
      if (problem.severity() == v1::SEVERITY_ERROR) {
        absl::StrAppend(&errors, "\n", resources::FormatProblem(problem));
      }
    }
  };
  collect(file->problems);
  for (const auto& declaration : file->declarations) collect(declaration.problems);
  if (!errors.empty()) return absl::InvalidArgumentError(absl::StrCat("--bootstrap:", errors));
  auto source = std::make_shared<sync::SourceSnapshot>();
  source->origin = "bootstrap";
  source->name = "bootstrap";
  source->files.push_back(std::move(file));
  return source;
}

void LimitGitToken(const sync::SourceSnapshot& bootstrap) {
  if (std::getenv("FAIRLEAD_GIT_TOKEN") == nullptr ||
      std::getenv("FAIRLEAD_GIT_DOMAINS") != nullptr) {
    return;
  }
  std::set<std::string> domains;
  for (const auto& declaration : bootstrap.files.front()->declarations) {
    if (declaration.spec == nullptr || !declaration.spec->has_resource_sync()) continue;
    const auto url = git::UrlOf(git::FieldsOf(declaration.spec->resource_sync()));
    if (url.ok()) domains.insert(git::DomainOf(*url));
  }
  domains.erase("");
  const std::string text = absl::StrJoin(domains, ",");
  // Those who fetch are children of this process; no thread has begun yet.
  ::setenv("FAIRLEAD_GIT_DOMAINS", text.c_str(), 1);
  base::LogInfo("controller", "FAIRLEAD_GIT_TOKEN is for ", text.empty() ? "no server" : text,
                "; FAIRLEAD_GIT_DOMAINS names others");
}

}  // namespace fairlead::controller
