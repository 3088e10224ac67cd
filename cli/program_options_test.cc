// docs/cli.md lists the options of the programs that keep running, as their --help does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

#include "base/file.h"
#include "base/subprocess.h"
#include "base/testing/scratch_folder.h"

namespace fairlead::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Options with what they are if they are not given; "" where the text names no value.
using Options = std::map<std::string, std::string>;

// Of the line of an option: "  --lease-duration FLOAT:FLOAT in [1 - 300]=3", where the text may
// follow after two spaces.
std::string DefaultIn(absl::string_view line) {
  line = line.substr(2);
  line = line.substr(0, line.find("  "));
  line = line.substr(0, line.find(" (Env:"));
  if (absl::EndsWith(line, " BOOLEAN=1")) return "true";
  const std::size_t value = line.rfind('=');
  return value == absl::string_view::npos ? "" : std::string(line.substr(value + 1));
}

Options ReadHelp(const std::string& program) {
  Options options;
  const auto result =
      base::RunSubprocess({.argv = {absl::StrCat(FAIRLEAD_BINARY_DIR "/bin/", program), "--help"},
                           .timeout = absl::Seconds(30)});
  EXPECT_TRUE(result.ok()) << result.status();
  if (!result.ok()) return options;
  for (absl::string_view line : absl::StrSplit(result->out, '\n')) {
    if (!absl::StartsWith(line, "  -")) continue;
    const absl::string_view name = line.substr(line.find("--"));
    options[std::string(name.substr(0, name.find(' ')))] = DefaultIn(line);
  }
  return options;
}

// Of the tables in the section: "| `--listen` | `127.0.0.1:7400` | ... |".
Options ReadPage(const std::string& program) {
  Options options;
  const auto page = base::ReadFile(FAIRLEAD_SOURCE_DIR "/docs/cli.md");
  EXPECT_TRUE(page.ok()) << page.status();
  if (!page.ok()) return options;
  bool inside = false;
  for (absl::string_view line : absl::StrSplit(*page, '\n')) {
    if (absl::StartsWith(line, "## ")) inside = line == absl::StrCat("## Options of ", program);
    if (!inside || !absl::StartsWith(line, "| `--")) continue;
    const std::vector<std::string> cells = absl::StrSplit(line, '|');
    const std::vector<std::string> name = absl::StrSplit(cells[1], '`');
    const std::vector<std::string> value = absl::StrSplit(cells[2], '`');
    EXPECT_TRUE(options.emplace(name[1], value.size() == 3 ? value[1] : "").second) << line;
  }
  return options;
}

class ProgramOptionsTest : public ::testing::TestWithParam<const char*> {};

// Both ways: nothing undocumented, nothing documented that is not there.
TEST_P(ProgramOptionsTest, ThePageListsExactlyTheseWithTheirDefaults) {
  const Options help = ReadHelp(GetParam());
  Options page = ReadPage(GetParam());
  EXPECT_GT(help.size(), 10u);
  // Where --help names none the page says in words what there is without it.
  for (const auto& [name, value] : help) {
    if (const auto found = page.find(name); value.empty() && found != page.end()) {
      found->second.clear();
    }
  }
  EXPECT_EQ(page, help);
}

// --help only once the file is read.
base::SubprocessResult HelpWithFile(const std::string& program, const std::string& content) {
  const base::ScratchFolder folder;
  const std::string file = folder.File("options.toml");
  EXPECT_TRUE(base::WriteFileAtomically(file, content, 0600).ok());
  const auto result = base::RunSubprocess(
      {.argv = {absl::StrCat(FAIRLEAD_BINARY_DIR "/bin/", program), "--config", file, "--help"},
       .timeout = absl::Seconds(30)});
  EXPECT_TRUE(result.ok()) << result.status();
  return result.value_or(base::SubprocessResult());
}

TEST_P(ProgramOptionsTest, KnownKeysOfTheFileAreTaken) {
  const auto result = HelpWithFile(GetParam(), "# mine\ndata-dir = \"/srv/x\"\ndev = true\n");
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST_P(ProgramOptionsTest, AnUnknownKeyOfTheFileIsRefused) {
  const auto result = HelpWithFile(GetParam(), "data_dir = \"/srv/x\"\n");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              HasSubstr("options.toml: unknown key \"data_dir\"; did you mean \"data-dir\"?"));
  EXPECT_THAT(HelpWithFile(GetParam(), "qqqqqqqq = 1\n").err,
              AllOf(HasSubstr("unknown key \"qqqqqqqq\"; known are "), HasSubstr("log-level"),
                    HasSubstr("tls-ca")));
}

TEST_P(ProgramOptionsTest, AnUnknownSectionOfTheFileIsRefused) {
  const auto result = HelpWithFile(GetParam(), "[limits]\ndata-dir = \"/srv/x\"\n");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("options.toml: unknown section [limits]"));
}

TEST(AgentOptionsTest, AMisspeltLimitOfTheHostIsRefused) {
  for (const char* line : {"alow = [\"deploy\"]\n", "allow_mount = [\"/srv\"]\n"}) {
    const auto result = HelpWithFile("fairlead-agent", line);
    EXPECT_EQ(result.exit_code, 1) << line;
    EXPECT_THAT(result.err, HasSubstr("did you mean \"allow")) << line;
  }
}

INSTANTIATE_TEST_SUITE_P(Programs, ProgramOptionsTest,
                         ::testing::Values("fairlead-controller", "fairlead-agent"),
                         [](const auto& tested) {
                           return absl::StrContains(tested.param, "agent") ? "Agent" : "Controller";
                         });

}  // namespace
}  // namespace fairlead::cli
