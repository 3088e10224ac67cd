// Where the files of a stack are when they come from the repository of its sync.
#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "fairlead/v1/common.pb.h"
#include "fairlead/v1/stack.pb.h"
#include "resources/toml_reader.h"

namespace fairlead::loop {

// Bytes of all files of a stack that are sent to a host.
inline constexpr std::size_t kStackLimit = 16u << 20;

struct StackPlace {
  // Of the run directory, with '/' at the end; empty is the root of the repository.
  std::string prefix;
  // What belongs to the stack, from the root: the run directory with all that is in it; in the
  // root only the files that the stack names.
  std::vector<std::string> paths;

  auto operator<=>(const StackPlace&) const = default;
};
StackPlace PlaceOf(const v1::Stack& stack);
bool Holds(const StackPlace& place, absl::string_view path);

// `path` without dot parts; empty for the root and for what leaves it.
std::string NormalPath(absl::string_view path);

// Declares a stack whose files are in the sync's own repository: it names no other source.
bool HasStackFiles(const resources::Declaration& declaration);

// Declares a stack whose files are in another repository: one of its own or a linked_repo.
bool HasOtherRepo(const resources::Declaration& declaration);

// What is wrong with the files of a stack, at its declaration.
v1::Problem MissingFilesProblem(const resources::Declaration& declaration, const std::string& why);
v1::Problem MissingRepoProblem(const resources::Declaration& declaration, const std::string& repo);
v1::Problem TooManyBytesProblem(const resources::Declaration& declaration, const StackPlace& place,
                                std::size_t bytes);

}  // namespace fairlead::loop
