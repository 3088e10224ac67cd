// fairlead validate: what can be said of files without a controller.
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/status.h"
#include "cli/commands.h"
#include "cli/dialect.h"
#include "cli/render/problem_report.h"
#include "cli/source_files.h"
#include "cli/validation.h"

namespace fairlead::cli {
namespace {

std::string Report(const Validation& validation, OutputFormat output) {
  std::error_code error;
  const std::string folder = std::filesystem::current_path(error).string();
  switch (output) {
    case OutputFormat::kJson:
      return ProblemsAsJson(validation);
    case OutputFormat::kSarif:
      return ProblemsAsSarif(validation, folder);
    case OutputFormat::kGithub:
      return ProblemsForGithub(validation, folder);
    default:
      return RenderProblems(validation);
  }
}

}  // namespace

absl::StatusOr<int> RunValidate(Session& session, const ValidateOptions& options) {
  ASSIGN_OR_RETURN(const v1::Dialect dialect, ParseDialect(options.dialect));
  ASSIGN_OR_RETURN(const SourceTree tree, ReadSourceFiles(options.paths));
  if (tree.files.empty() && tree.problems.empty()) {
    return absl::NotFoundError(absl::StrCat("no .toml file at ", absl::StrJoin(options.paths, ", "),
                                            ". Name a file or a folder that has one."));
  }
  const Validation validation = Validate(tree, {.dialect = dialect, .strict = options.strict});
  session.Print(Report(validation, options.output));
  return validation.errors > 0 ? kExitError : kExitOk;
}

}  // namespace fairlead::cli
