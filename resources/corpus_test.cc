// Real files of the komodo format, where they are present beside the source tree.
#include <filesystem>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gtest/gtest.h"

#include "base/file.h"
#include "resources/problem_text.h"
#include "resources/toml_reader.h"
#include "resources/toml_writer.h"

namespace fairlead::resources {
namespace {

struct CorpusFile {
  std::string name;
  std::string content;
};

// Beside the source tree, or beside the folder that holds several of them.
std::filesystem::path CorpusFolder() {
  const std::filesystem::path above = std::filesystem::path(FAIRLEAD_SOURCE_DIR) / "..";
  const std::filesystem::path near = above / "shared" / "corpus";
  return std::filesystem::exists(near) ? near : above / ".." / "shared" / "corpus";
}

std::vector<CorpusFile> ReadCorpus() {
  std::vector<CorpusFile> files;
  const auto index = base::ReadFile((CorpusFolder() / "INDEX.tsv").string());
  if (!index.ok()) return files;
  const std::vector<std::string> lines = absl::StrSplit(*index, '\n', absl::SkipEmpty());
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string> columns = absl::StrSplit(lines[i], '\t');
    const auto content = base::ReadFile((CorpusFolder() / "files" / columns[0]).string());
    EXPECT_TRUE(content.ok()) << content.status();
    files.push_back({columns[0], content.value_or("")});
  }
  return files;
}

void CountProblems(const ParsedFile& file, std::map<std::string, int>* counts) {
  const auto count = [&](const v1::Problem& problem) {
    ++(*counts)[problem.code()];
    EXPECT_NE(problem.severity(), v1::SEVERITY_ERROR) << FormatProblem(problem);
  };
  for (const v1::Problem& problem : file.problems) count(problem);
  for (const Declaration& declaration : file.declarations) {
    EXPECT_NE(declaration.spec, nullptr) << declaration.id.ToString();
    for (const v1::Problem& problem : declaration.problems) count(problem);
  }
}

TEST(CorpusTest, RealFilesAreReadWithoutError) {
  const std::vector<CorpusFile> corpus = ReadCorpus();
  if (corpus.empty()) GTEST_SKIP() << "no corpus at " << CorpusFolder();
  std::map<std::string, int> kinds;
  std::map<std::string, int> problems;
  int files = 0;
  int resources = 0;
  for (const CorpusFile& source : corpus) {
    SCOPED_TRACE(source.name);
    const ParsedFile file = ReadToml(source.name, source.content, v1::DIALECT_KOMODO);
    ++files;
    CountProblems(file, &problems);
    for (const Declaration& declaration : file.declarations) ++kinds[declaration.id.kind];
    resources += static_cast<int>(file.declarations.size());
  }
  std::cout << files << " files, " << resources << " resources\n";
  for (const auto& [kind, count] : kinds) std::cout << "  " << kind << ": " << count << "\n";
  for (const auto& [code, count] : problems) std::cout << "  " << code << ": " << count << "\n";
  EXPECT_GE(files, 157);
  EXPECT_GE(resources, 1000);
}

TEST(CorpusTest, RealResourcesSurviveWritingAndReading) {
  const std::vector<CorpusFile> corpus = ReadCorpus();
  if (corpus.empty()) GTEST_SKIP() << "no corpus at " << CorpusFolder();
  int resources = 0;
  for (const CorpusFile& source : corpus) {
    SCOPED_TRACE(source.name);
    const ParsedFile file = ReadToml(source.name, source.content, v1::DIALECT_KOMODO);
    for (const Declaration& declaration : file.declarations) {
      if (declaration.spec == nullptr) continue;
      for (const v1::Dialect dialect : {v1::DIALECT_KOMODO, v1::DIALECT_TOML}) {
        const std::string text = WriteToml(*declaration.spec, dialect);
        const ParsedFile again = ReadToml("again.toml", text, dialect);
        ASSERT_EQ(again.declarations.size(), 1u) << text;
        ASSERT_NE(again.declarations[0].spec, nullptr) << text;
        EXPECT_EQ(again.declarations[0].spec->DebugString(), declaration.spec->DebugString());
      }
      ++resources;
    }
  }
  std::cout << resources << " resources\n";
  EXPECT_GT(resources, 0);
}

}  // namespace
}  // namespace fairlead::resources
