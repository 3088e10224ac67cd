// One resource on its way from a declaration to DesiredResource. Internal to BuildDesiredState.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "resources/interpolation.h"
#include "resources/spec_hash.h"
#include "sync/desired.h"

namespace fairlead::sync {

// A declaration within a source.
struct Candidate {
  const SourceSnapshot* source = nullptr;
  // Position of the source among all.
  size_t source_index = 0;
  const resources::Declaration* declaration = nullptr;
};

// What all declarations may refer to.
struct DesiredScope {
  // Whether a resource is declared.
  std::function<bool(const resources::ResourceId&)> has;
  const resources::Variables* variables = nullptr;
  const resources::SpecHasher* hasher = nullptr;
};

// The filters of the source let it in.
bool IsIncluded(const SourceSnapshot& source, const resources::Declaration& declaration);

// An error or warning about the resource at its place.
v1::Problem MakeProblem(const resources::ResourceId& id, const resources::SourcePosition& position,
                        v1::Severity severity, absl::string_view code, absl::string_view message,
                        absl::string_view suggestion = "");

// "stacks/a.toml:3:1".
std::string PlaceText(const resources::SourcePosition& position);

// Interpolates, resolves references and hashes one declaration, regardless of what it may share
// with others.
DesiredResource ResolveDeclaration(const Candidate& candidate, const DesiredScope& scope);

// Adds problems that come of other resources; an error makes `resource` invalid.
void AddForeignProblems(const std::vector<v1::Problem>& problems, DesiredResource& resource);

}  // namespace fairlead::sync
