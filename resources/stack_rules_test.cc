#include "resources/stack_rules.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "resources/host_script.h"
#include "resources/testing/read_resource.h"

namespace fairlead::resources {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Faults(const std::string& config) {
  std::vector<std::string> texts;
  for (const StackFault& fault : FindStackFaults(ReadStack(config).stack())) {
    texts.push_back(absl::StrCat(fault.message, "; ", fault.suggestion));
  }
  return texts;
}

TEST(StackRulesTest, AWrapperHoldsTheCommandAndNamesCommands) {
  EXPECT_THAT(Faults("compose_cmd_wrapper = \"sops exec-env x '[[COMPOSE_COMMAND]]'\"\n"
                     "compose_cmd_wrapper_include = [\"config\", \"up\"]"),
              IsEmpty());
  EXPECT_THAT(Faults("compose_cmd_wrapper = \"sops exec-env x compose\""),
              ElementsAre(HasSubstr("does not hold [[COMPOSE_COMMAND]]")));
  EXPECT_THAT(Faults("compose_cmd_wrapper_include = [\"buld\", \"down\"]"),
              ElementsAre(HasSubstr("did you mean \"build\"?"),
                          HasSubstr("\"down\" is no compose command that can be wrapped; use ")));
}

TEST(StackRulesTest, ArgumentsAreWords) {
  EXPECT_THAT(Faults("extra_args = [\"--a 'b\"]\nbuild_extra_args = [\"c\\\\\"]"),
              ElementsAre(HasSubstr("extra_args: "), HasSubstr("build_extra_args: ")));
  const auto words =
      WordsOf(ReadStack("extra_args = [\"--scale 'a b=2'\", \"-x\"]").stack().extra_args());
  ASSERT_TRUE(words.ok());
  EXPECT_THAT(*words, ElementsAre("--scale", "a b=2", "-x"));
}

TEST(HostScriptTest, LinesAreJoinedWithoutComments) {
  const auto script = [](const std::string& command, bool shell_mode = false) {
    v1::SystemCommand declared;
    declared.set_command(command);
    declared.set_shell_mode(shell_mode);
    return ScriptOf(declared);
  };
  EXPECT_EQ(script("echo one\n\n  # two\necho two # and more\n"), "echo one && echo two");
  EXPECT_EQ(script("tool --a \\\n  --b\nnext"), "tool --a --b && next");
  EXPECT_EQ(script("a#b"), "a#b");
  EXPECT_EQ(script("# nothing\n"), "");
  EXPECT_EQ(script("a\n# b\n", true), "a\n# b\n");
}

}  // namespace
}  // namespace fairlead::resources
