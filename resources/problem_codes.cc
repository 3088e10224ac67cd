#include "resources/problem_codes.h"

#include <algorithm>
#include <cstddef>

namespace fairlead::resources {

const std::vector<ProblemCode>& ProblemCodes() {
  static const auto& codes = *new std::vector<ProblemCode>{
      {"bad-name", "the name cannot be the name of a container or compose project"},
      {"bad-value", "a value of the right type that means nothing"},
      {"conflict-marker", "git's marks of an unfinished merge are in the file"},
      {"cycle",
       "resources wait for each other in a circle of \"after\", or procedures run each other"},
      {"duplicate", "a resource is declared twice"},
      {"duplicate-field", "a field is given twice, under its key and an alias"},
      {"duplicate-name", "one call applies a resource twice"},
      {"encrypted-file", "a file of secrets cannot be decrypted, or not all of it"},
      {"execution-not-acted-on", "an execution, or a parameter of one, that is not carried out"},
      {"foreign-file", "the file holds no resources and is ignored"},
      {"internal", "a fault of Fairlead itself, by which nothing was changed"},
      {"invalid-value", "a value that no container can be made of"},
      {"kind-not-acted-on", "a kind that is read and checked, but not acted on yet"},
      {"missing-field", "a table lacks a key that it must have"},
      {"missing-name", "a resource has no name, or an empty one"},
      {"name-conflict", "two resources become one container or project on a server"},
      {"no-server", "a resource that is to run names no server"},
      {"not-utf8", "the file is not UTF-8"},
      {"other-dialect", "the file looks as if written in the other dialect"},
      {"port-conflict", "two deployments publish one port on a server"},
      {"stack-files", "the files of a stack cannot be read"},
      {"start-first", "two containers of the deployment cannot be there at once"},
      {"symbolic-link", "a symbolic link, which is not followed"},
      {"syntax", "the file is not TOML"},
      {"too-deep", "keys or tables within each other beyond the limit"},
      {"too-large", "the file is beyond the limit in bytes or resources"},
      {"too-many-problems", "more problems in the file than are listed"},
      {"two-origins", "a resource is declared by two syncs"},
      {"unknown-key", "a key that the table does not have"},
      {"unknown-table", "a top-level table that is no kind"},
      {"unreadable", "a file or folder cannot be read"},
      {"unresolved-after", "\"after\" names what is declared nowhere"},
      {"unresolved-placeholder", "a [[NAME]] in a text has no variable"},
      {"unresolved-reference", "a field names what is declared nowhere"},
      {"wrong-type", "a value of another type than the field's"},
  };
  return codes;
}

std::size_t IndexOfProblemCode(absl::string_view code) {
  const std::vector<ProblemCode>& codes = ProblemCodes();
  const auto found = std::find_if(codes.begin(), codes.end(),
                                  [&](const auto& known) { return known.code == code; });
  return static_cast<std::size_t>(found - codes.begin());
}

}  // namespace fairlead::resources
