#include "resources/interpolation.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "resources/testing/read_resource.h"

namespace fairlead::resources {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Variables& World() {
  static const auto& variables = *new Variables{{"REG", {"registry.example.org", false}},
                                                {"TOKEN", {"s3cret", true}},
                                                {"NESTED", {"[[REG]]", false}},
                                                {"EMPTY", {"", false}},
                                                {"UNSET", {"", true}},
                                                {"a.b-c", {"dotted", false}}};
  return variables;
}

std::string FillEnvironment(const std::string& value) {
  return Interpolate(ReadDeployment("environment = \"A=" + value + "\""), World(), v1::DIALECT_TOML)
      .resource.deployment()
      .environment();
}

TEST(InterpolationTest, FillsPlaceholders) {
  EXPECT_EQ(FillEnvironment("[[REG]]/x"), "A=registry.example.org/x\n");
  EXPECT_EQ(FillEnvironment("[[REG]][[TOKEN]]"), "A=registry.example.orgs3cret\n");
  EXPECT_EQ(FillEnvironment("[[[REG]]]"), "A=[registry.example.org]\n");
  EXPECT_EQ(FillEnvironment("[[a.b-c]]"), "A=dotted\n");
  EXPECT_EQ(FillEnvironment("[[EMPTY]]"), "A=\n");
}

TEST(InterpolationTest, LeavesWhatIsNoPlaceholder) {
  for (const char* text :
       {"[[ -f x ]]", "[[:alpha:]]", "[[]]", "[[REG]", "[REG]", "[[COMPOSE_COMMAND]]"}) {
    EXPECT_EQ(FillEnvironment(text), std::string("A=") + text + "\n");
  }
}

TEST(InterpolationTest, ValuesAreNotFilledAgain) {
  EXPECT_EQ(FillEnvironment("[[NESTED]]"), "A=[[REG]]\n");
}

TEST(InterpolationTest, FillsOnlyMarkedFieldsAndInnerOnes) {
  const v1::Resource stack = ReadStack(R"(
project_name = "[[REG]]"
extra_args = ["--x=[[REG]]", "[[TOKEN]]"]
pre_deploy = { path = "[[REG]]", command = "echo [[REG]]" }
)");
  const Interpolated result = Interpolate(stack, World(), v1::DIALECT_TOML);
  EXPECT_EQ(result.resource.stack().project_name(), "[[REG]]");
  EXPECT_THAT(result.resource.stack().extra_args(),
              ElementsAre("--x=registry.example.org", "s3cret"));
  EXPECT_EQ(result.resource.stack().pre_deploy().path(), "[[REG]]");
  EXPECT_EQ(result.resource.stack().pre_deploy().command(), "echo registry.example.org\n");
  EXPECT_THAT(result.problems, IsEmpty());
}

TEST(InterpolationTest, SkipsOnRequest) {
  const v1::Resource deployment =
      ReadDeployment("skip_secret_interp = true\ncommand = \"[[TOKEN]] [[NONE]]\"");
  const Interpolated result = Interpolate(deployment, World(), v1::DIALECT_TOML);
  EXPECT_EQ(result.resource.deployment().command(), "[[TOKEN]] [[NONE]]");
  EXPECT_THAT(result.problems, IsEmpty());
  EXPECT_THAT(PlaceholdersOf(deployment), IsEmpty());
}

TEST(InterpolationTest, SecretWithoutAValueIsUnresolvedExceptInKomodo) {
  const v1::Resource web = ReadDeployment("environment = \"A=[[UNSET]]\"");
  const Interpolated open = Interpolate(web, World(), v1::DIALECT_TOML);
  EXPECT_EQ(open.resource.deployment().environment(), "A=[[UNSET]]\n");
  ASSERT_EQ(open.problems.size(), 1u);
  EXPECT_EQ(open.problems[0].message(),
            "the secret variable \"UNSET\" has no value for [[UNSET]] in \"environment\"");
  const Interpolated komodo = Interpolate(web, World(), v1::DIALECT_KOMODO);
  EXPECT_EQ(komodo.resource.deployment().environment(), "A=\n");
  EXPECT_THAT(komodo.problems, IsEmpty());
}

TEST(InterpolationTest, UnresolvedIsAnErrorAndInKomodoAWarning) {
  const v1::Resource deployment = ReadDeployment("command = \"[[TOKN]] [[TOKN]]\"");
  const Interpolated strict = Interpolate(deployment, World(), v1::DIALECT_TOML);
  ASSERT_EQ(strict.problems.size(), 1u);
  EXPECT_EQ(strict.problems[0].severity(), v1::SEVERITY_ERROR);
  EXPECT_EQ(strict.problems[0].code(), "unresolved-placeholder");
  EXPECT_EQ(strict.problems[0].resource(), "deployment/web");
  EXPECT_EQ(strict.problems[0].message(), "no variable \"TOKN\" for [[TOKN]] in \"command\"");
  EXPECT_EQ(strict.problems[0].suggestion(), "did you mean \"TOKEN\"?");
  const Interpolated lenient = Interpolate(deployment, World(), v1::DIALECT_KOMODO);
  ASSERT_EQ(lenient.problems.size(), 1u);
  EXPECT_EQ(lenient.problems[0].severity(), v1::SEVERITY_WARNING);
  EXPECT_EQ(lenient.resource.deployment().command(), "[[TOKN]] [[TOKN]]");
}

TEST(InterpolationTest, ReportsSecretsThatWentIn) {
  Variables variables = World();
  variables["PEM"] = {"-----BEGIN\nlong enough line\nshort\n", true};
  const Interpolated result =
      Interpolate(ReadDeployment("command = \"[[TOKEN]] [[TOKEN]] [[EMPTY]] [[REG]] [[PEM]]\""),
                  variables, v1::DIALECT_TOML);
  EXPECT_THAT(result.secrets, ElementsAre("s3cret", "-----BEGIN\nlong enough line\nshort\n",
                                          "-----BEGIN", "long enough line"));
}

TEST(InterpolationTest, ListsPlaceholdersSorted) {
  EXPECT_THAT(PlaceholdersOf(ReadDeployment(
                  "command = \"[[B]] [[A]] [[COMPOSE_COMMAND]]\"\nports = \"[[B]]:[[C]]\"")),
              ElementsAre("A", "B", "C"));
}

TEST(InterpolationTest, RedactsTheLongestSecretFirst) {
  EXPECT_EQ(RedactText("x abc abcdef ab", {"abc", "abcdef", "ab", ""}), "x *** *** ab");
  EXPECT_EQ(RedactText("nothing", {}), "nothing");
}

}  // namespace
}  // namespace fairlead::resources
