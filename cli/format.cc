// fairlead fmt: resource files in canonical form, without a controller.
#include <algorithm>
#include <filesystem>
#include <istream>
#include <iterator>
#include <ostream>
#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/file.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/dialect.h"
#include "cli/source_files.h"
#include "resources/problem_codes.h"
#include "resources/problem_text.h"
#include "resources/toml_format.h"

namespace fairlead::cli {
namespace {

namespace fs = std::filesystem;

// Not on standard output: that holds names of files, or a file.
void PrintProblems(Session& session, const std::vector<v1::Problem>& problems) {
  for (const v1::Problem& problem : problems) {
    session.environment().err << resources::FormatProblem(problem);
  }
}

bool HasError(const std::vector<v1::Problem>& problems) {
  return std::any_of(problems.begin(), problems.end(), [](const v1::Problem& problem) {
    return problem.severity() == v1::SEVERITY_ERROR;
  });
}

int FormatStandardInput(Session& session, const FormatOptions& options, v1::Dialect dialect) {
  const std::string content(std::istreambuf_iterator<char>(session.environment().in), {});
  const resources::FormattedToml result = resources::FormatToml("<stdin>", content, dialect);
  PrintProblems(session, result.problems);
  if (HasError(result.problems)) return kExitError;
  if (!options.check) {
    session.Print(result.text);
    return kExitOk;
  }
  if (result.text == content) return kExitOk;
  session.Print("<stdin>\n");
  return kExitError;
}

bool IsLink(const std::string& path) {
  std::error_code error;
  return fs::is_symlink(fs::symlink_status(path, error));
}

// The file that the path leads to; the path itself when that cannot be told.
std::string TargetOf(const std::string& path) {
  std::error_code error;
  const fs::path target = fs::canonical(path, error);
  return error ? path : target.string();
}

absl::Status RefuseLinks(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    std::error_code error;
    if (!IsLink(path) || !fs::is_regular_file(path, error)) continue;
    return absl::InvalidArgumentError(absl::StrCat("\"", path,
                                                   "\" is a symbolic link and stays one. Name \"",
                                                   TargetOf(path), "\" to format what it names."));
  }
  return absl::OkStatus();
}

v1::Problem LinkNotice(const std::string& path) {
  v1::Problem notice;
  notice.set_file(path);
  notice.set_severity(v1::SEVERITY_NOTICE);
  notice.set_code(resources::kSymbolicLinkCode);
  notice.set_message("a symbolic link out of these files is not followed");
  notice.set_suggestion(absl::StrCat("format \"", TargetOf(path), "\" by its own name"));
  return notice;
}

// What is in the way of files; true when that is an error. A link to one of the files needs no
// word: that one is formatted under its own name.
bool PrintUnread(Session& session, const SourceTree& tree) {
  std::set<std::string> targets;
  for (const v1::SourceFile& file : tree.files) targets.insert(TargetOf(file.path()));
  std::vector<v1::Problem> problems;
  for (const v1::Problem& problem : tree.problems) {
    const bool link = problem.code() == resources::kSymbolicLinkCode;
    if (link && targets.contains(TargetOf(problem.file()))) continue;
    problems.push_back(link ? LinkNotice(problem.file()) : problem);
  }
  PrintProblems(session, problems);
  return HasError(problems);
}

}  // namespace

absl::StatusOr<int> RunFormat(Session& session, const FormatOptions& options) {
  ASSIGN_OR_RETURN(const v1::Dialect dialect, ParseDialect(options.dialect));
  if (std::count(options.paths.begin(), options.paths.end(), "-") > 0) {
    if (options.paths.size() == 1) return FormatStandardInput(session, options, dialect);
    return absl::InvalidArgumentError("\"-\" is standard input and cannot stand beside files");
  }
  RETURN_IF_ERROR(RefuseLinks(options.paths));
  ASSIGN_OR_RETURN(const SourceTree tree, ReadSourceFiles(options.paths));
  if (tree.files.empty() && tree.problems.empty()) {
    return absl::NotFoundError(absl::StrCat("no .toml file at ", absl::StrJoin(options.paths, ", "),
                                            ". Name a file or a folder that has one."));
  }
  int code = PrintUnread(session, tree) ? kExitError : kExitOk;
  for (const v1::SourceFile& file : tree.files) {
    const resources::FormattedToml result =
        resources::FormatToml(file.path(), file.content(), dialect);
    PrintProblems(session, result.problems);
    if (HasError(result.problems)) code = kExitError;
    if (result.text == file.content()) continue;
    if (options.check) {
      code = kExitError;
    } else {
      RETURN_IF_ERROR(base::ReplaceFileAtomically(file.path(), result.text));
    }
    session.Print(absl::StrCat(Printable(file.path()), "\n"));
  }
  return code;
}

}  // namespace fairlead::cli
