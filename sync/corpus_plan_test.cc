// Plans over real files of the komodo format, where they are present beside the source tree.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "resources/problem_text.h"
#include "resources/toml_reader.h"
#include "sync/planner.h"

namespace fairlead::sync {
namespace {

using Sources = std::vector<std::shared_ptr<const SourceSnapshot>>;

// Beside the source tree, or beside the folder that holds several of them.
std::filesystem::path CorpusFolder() {
  const std::filesystem::path above = std::filesystem::path(FAIRLEAD_SOURCE_DIR) / "..";
  const std::filesystem::path near = above / "shared" / "corpus";
  return std::filesystem::exists(near) ? near : above / ".." / "shared" / "corpus";
}

// One source for each repository.
Sources ReadCorpus() {
  std::map<std::string, std::shared_ptr<SourceSnapshot>> by_repository;
  const auto index = base::ReadFile((CorpusFolder() / "INDEX.tsv").string());
  if (!index.ok()) return {};
  const std::vector<std::string> lines = absl::StrSplit(*index, '\n', absl::SkipEmpty());
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string> columns = absl::StrSplit(lines[i], '\t');
    std::shared_ptr<SourceSnapshot>& source = by_repository[columns.at(1)];
    if (source == nullptr) {
      source = std::make_shared<SourceSnapshot>();
      source->origin = absl::StrCat("resource_sync/", columns[1]);
      source->name = columns[1];
      source->revision = columns.at(3);
      source->dialect = v1::DIALECT_KOMODO;
    }
    const auto content = base::ReadFile((CorpusFolder() / "files" / columns[0]).string());
    EXPECT_TRUE(content.ok()) << content.status();
    source->files.push_back(std::make_shared<const resources::ParsedFile>(
        resources::ReadToml(columns[0], content.value_or(""), v1::DIALECT_KOMODO)));
  }
  Sources sources;
  for (const auto& [name, source] : by_repository) sources.push_back(source);
  return sources;
}

const resources::SpecHasher& Hasher() {
  static const auto& hasher = *new resources::SpecHasher("k1", std::string(32, 'k'));
  return hasher;
}

std::shared_ptr<const DesiredState> Build(const Sources& sources) {
  return BuildDesiredState(sources, Hasher(), {}, nullptr);
}

std::string PlanText(const std::shared_ptr<const DesiredState>& desired) {
  PlanInput input;
  input.desired = desired;
  input.live = std::make_shared<const LiveState>();
  input.hasher = &Hasher();
  input.now = absl::FromUnixSeconds(1700000000);
  const auto result = ComputePlan(input);
  EXPECT_TRUE(result.ok()) << result.status();
  return result.ok() ? result->plan.DebugString() : "";
}

TEST(CorpusPlanTest, OnlyWhatItsFilesDoNotDeclareIsAnError) {
  const Sources sources = ReadCorpus();
  if (sources.empty()) GTEST_SKIP() << "no corpus at " << CorpusFolder();
  std::map<std::string, int> errors;
  std::vector<std::string> others;
  for (const auto& source : sources) {
    const std::shared_ptr<const DesiredState> desired = Build({source});
    for (const auto& [origin, summary] : desired->sources) {
      for (const v1::Problem& problem : summary.problems) {
        if (problem.severity() != v1::SEVERITY_ERROR) continue;
        ++errors[problem.code()];
        // Files of a repository may be chosen by several syncs, and not all of them are here.
        if (problem.code() != "unresolved-reference" && problem.code() != "duplicate") {
          others.push_back(resources::FormatProblem(problem));
        }
      }
    }
  }
  std::cout << sources.size() << " repositories, errors:\n";
  for (const auto& [code, count] : errors) std::cout << "  " << code << ": " << count << "\n";
  // A placeholder that only the missing files fill in is no path.
  constexpr size_t kFew = 1;
  EXPECT_LE(others.size(), kFew) << absl::StrJoin(others, "");
}

TEST(CorpusPlanTest, TheSameFilesGiveTheSamePlan) {
  Sources sources = ReadCorpus();
  if (sources.empty()) GTEST_SKIP() << "no corpus at " << CorpusFolder();
  for (const auto& source : sources) {
    SCOPED_TRACE(source->name);
    const std::string plan = PlanText(Build({source}));
    EXPECT_EQ(PlanText(Build({source})), plan);
  }
  const std::string all = PlanText(Build(sources));
  EXPECT_EQ(PlanText(Build(sources)), all);
  EXPECT_FALSE(all.empty());
}

}  // namespace
}  // namespace fairlead::sync
