#include "resources/toml_reader.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "resources/kind_table.h"
#include "resources/testing/read_resource.h"

namespace fairlead::resources {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Names(const ParsedFile& file) {
  std::vector<std::string> names;
  for (const Declaration& declaration : file.declarations) {
    names.push_back(absl::StrCat(declaration.id.ToString(), "@", declaration.position.line, ":",
                                 declaration.position.column,
                                 declaration.spec == nullptr ? " spoilt" : ""));
  }
  return names;
}

// "line:column code" of all problems of a resource that is alone in its file.
std::vector<std::string> Problems(const std::string& text, v1::Dialect dialect = v1::DIALECT_TOML) {
  const ParsedFile file = ReadToml("a.toml", text, dialect);
  std::vector<std::string> out;
  const auto add = [&](const v1::Problem& problem) {
    out.push_back(absl::StrCat(problem.line(), ":", problem.column(), " ", problem.code()));
  };
  for (const v1::Problem& problem : file.problems) add(problem);
  for (const Declaration& declaration : file.declarations) {
    for (const v1::Problem& problem : declaration.problems) add(problem);
  }
  return out;
}

std::string InDeployment(const std::string& config) {
  return "[[deployment]]\nname = \"web\"\n[deployment.config]\n" + config;
}

TEST(TomlReaderTest, ReadsDeclarationsInOrderWithPositions) {
  const ParsedFile file = ReadToml("a.toml", R"([[variable]]
name = "REG"
value = "x"

[[stack]]
name = "web"

  [[variables]]
name = "TAG"
[[stack]]
name = "db"
)",
                                   v1::DIALECT_TOML);
  EXPECT_THAT(Names(file), ElementsAre("variable/REG@1:1", "stack/web@5:1", "variable/TAG@8:3",
                                       "stack/db@10:1"));
  EXPECT_THAT(file.problems, IsEmpty());
  EXPECT_FALSE(file.spoilt || file.foreign || file.has_unknown_table);
  EXPECT_EQ(file.declarations[0].position.file, "a.toml");
  EXPECT_EQ(file.declarations[0].spec->variable().value(), "x");
}

TEST(TomlReaderTest, ABadFieldSpoilsOnlyItsResource) {
  const ParsedFile file = ReadToml("a.toml",
                                   "[[stack]]\nname = \"a\"\ndeploy = 1\n"
                                   "[[stack]]\nname = \"b\"\n",
                                   v1::DIALECT_TOML);
  EXPECT_THAT(Names(file), ElementsAre("stack/a@1:1 spoilt", "stack/b@4:1"));
  ASSERT_EQ(file.declarations[0].problems.size(), 1u);
  EXPECT_EQ(file.declarations[0].problems[0].resource(), "stack/a");
  EXPECT_EQ(file.declarations[0].problems[0].source_line(), "deploy = 1");
  EXPECT_FALSE(file.spoilt);
}

TEST(TomlReaderTest, ASyntaxErrorSpoilsTheFile) {
  const ParsedFile file =
      ReadToml("a.toml", "[[stack]]\nname = \"a\"\ndeploy = = 1\n", v1::DIALECT_TOML);
  EXPECT_TRUE(file.spoilt);
  EXPECT_THAT(file.declarations, IsEmpty());
  ASSERT_EQ(file.problems.size(), 1u);
  EXPECT_EQ(file.problems[0].code(), "syntax");
  EXPECT_EQ(file.problems[0].line(), 3u);
  EXPECT_EQ(file.problems[0].source_line(), "deploy = = 1");
}

TEST(TomlReaderTest, AFileWithoutOurTablesIsForeign) {
  for (const char* text : {"", "# nothing\n", "[tool.poetry]\nname = \"x\"\n",
                           "[server]\nport = 80\n", "[[http.routers]]\nname = \"a\"\n"}) {
    const ParsedFile file = ReadToml("a.toml", text, v1::DIALECT_TOML);
    EXPECT_TRUE(file.foreign) << text;
    EXPECT_FALSE(file.has_unknown_table) << text;
    ASSERT_EQ(file.problems.size(), 1u);
    EXPECT_EQ(file.problems[0].severity(), v1::SEVERITY_NOTICE);
  }
}

TEST(TomlReaderTest, AnUnknownTableBesideOursIsNamed) {
  const std::string text = "[[stack]]\nname = \"a\"\n[[resource-sync]]\nname = \"b\"\n";
  const ParsedFile strict = ReadToml("a.toml", text, v1::DIALECT_TOML);
  EXPECT_TRUE(strict.has_unknown_table);
  ASSERT_EQ(strict.problems.size(), 1u);
  EXPECT_EQ(strict.problems[0].severity(), v1::SEVERITY_ERROR);
  EXPECT_EQ(strict.problems[0].suggestion(), "did you mean [[resource_sync]]?");
  const ParsedFile lenient = ReadToml("a.toml", text, v1::DIALECT_KOMODO);
  EXPECT_TRUE(lenient.has_unknown_table);
  EXPECT_EQ(lenient.problems[0].severity(), v1::SEVERITY_WARNING);
}

TEST(TomlReaderTest, KindsNotActedOnAreReadWithANotice) {
  for (const v1::Dialect dialect : {v1::DIALECT_TOML, v1::DIALECT_KOMODO}) {
    const ParsedFile file =
        ReadToml("a.toml",
                 "[[action]]\nname = \"a\"\n[[action]]\nname = \"b\"\n[[alerters]]\nname = \"c\"\n",
                 dialect);
    EXPECT_FALSE(file.foreign || file.has_unknown_table || file.spoilt);
    ASSERT_EQ(file.declarations.size(), 3u);
    for (const Declaration& declaration : file.declarations) {
      EXPECT_NE(declaration.spec, nullptr) << declaration.id.ToString();
    }
    ASSERT_EQ(file.problems.size(), 2u);
    EXPECT_EQ(file.problems[0].code(), "kind-not-acted-on");
    EXPECT_EQ(file.problems[0].severity(), v1::SEVERITY_NOTICE);
    EXPECT_EQ(file.problems[0].message(),
              absl::StrCat("[[action]] is read and checked, but not acted on yet (2 entries): ",
                           FindKind("action")->not_acted_on));
  }
}

TEST(TomlReaderTest, EntriesWithoutUsableNameAreProblemsOfTheFile) {
  for (const char* line :
       {"", "name = \"\"", "name = 3", "name = \"a\\nb\"", "name = \"\\u007F\""}) {
    const ParsedFile file =
        ReadToml("a.toml", absl::StrCat("[[stack]]\n", line, "\n"), v1::DIALECT_KOMODO);
    EXPECT_THAT(file.declarations, IsEmpty()) << line;
    EXPECT_EQ(file.problems.size(), 1u) << line;
  }
}

TEST(TomlReaderTest, ReadsEveryFormOfAStringList) {
  const auto links = [](const std::string& value) {
    const v1::Resource resource = ReadStack("links = " + value);
    return std::vector<std::string>(resource.stack().links().begin(),
                                    resource.stack().links().end());
  };
  EXPECT_THAT(links("[\"a\", \" b, c \"]"), ElementsAre("a", " b, c "));
  EXPECT_THAT(links("\"a\""), ElementsAre("a"));
  EXPECT_THAT(links("\"\"\"\n# no\n a, b # c, d\n\n,e,\n\"\"\""), ElementsAre("a", "b", "e"));
  EXPECT_THAT(links("[]"), IsEmpty());
}

TEST(TomlReaderTest, ReadsEveryFormOfLines) {
  const v1::Deployment deployment = ReadDeployment(R"(
environment = [{ variable = "A", value = "1" }, { variable = "B", value = "" }]
labels = [{ variable = "x.y", value = "z" }]
ports = [{ local = "80", container = "81" }]
volumes = "/a:/b"
term_signal_labels = [{ signal = "SIGTERM", label = "stop" }]
)")
                                        .deployment();
  EXPECT_EQ(deployment.environment(), "  A = 1\n  B = \n");
  EXPECT_EQ(deployment.labels(), "  x.y: z\n");
  EXPECT_EQ(deployment.ports(), "  80: 81\n");
  EXPECT_EQ(deployment.volumes(), "/a:/b\n");
  EXPECT_EQ(deployment.term_signal_labels(), "  SIGTERM: stop\n");
  EXPECT_EQ(ReadDeployment("environment = \"\"").deployment().environment(), "");
}

TEST(TomlReaderTest, ReadsTaggedImages) {
  EXPECT_EQ(ReadDeployment("image = \"a:1\"").deployment().image().image().image(), "a:1");
  EXPECT_EQ(ReadDeployment("image.type = \"Image\"\nimage.params.image = \"a:1\"")
                .deployment()
                .image()
                .image()
                .image(),
            "a:1");
  const v1::DeploymentImage build =
      ReadDeployment("image = { type = \"Build\", params = { build = \"b\", version = \"1.2\" } }")
          .deployment()
          .image();
  EXPECT_EQ(build.build().build_id(), "b");
  EXPECT_EQ(build.build().version().minor(), 2);
  EXPECT_TRUE(
      ReadDeployment("image = { type = \"Build\", params = {} }").deployment().image().has_build());
}

TEST(TomlReaderTest, ReadsVersions) {
  const auto version = [](const std::string& value) {
    const v1::Version read =
        ReadDeployment("image = { type = \"Build\", params = { version = " + value + " } }")
            .deployment()
            .image()
            .build()
            .version();
    return absl::StrCat(read.major(), ".", read.minor(), ".", read.patch());
  };
  EXPECT_EQ(version("\"1\""), "1.0.0");
  EXPECT_EQ(version("\"1.2.3.4\""), "1.2.3");
  EXPECT_EQ(version("{ major = 1, minor = 2, patch = 3 }"), "1.2.3");
  EXPECT_EQ(version("\"0.0.0\""), "0.0.0");
}

TEST(TomlReaderTest, ReadsDurations) {
  const auto seconds = [](const std::string& value) {
    const auto duration = ReadDeployment("min_ready = " + value).deployment().min_ready();
    return static_cast<double>(duration.seconds()) + duration.nanos() / 1e9;
  };
  EXPECT_DOUBLE_EQ(seconds("90"), 90);
  EXPECT_DOUBLE_EQ(seconds("\"90s\""), 90);
  EXPECT_DOUBLE_EQ(seconds("\"3m\""), 180);
  EXPECT_DOUBLE_EQ(seconds("\"1h30m\""), 5400);
  EXPECT_DOUBLE_EQ(seconds("\"500ms\""), 0.5);
  EXPECT_DOUBLE_EQ(seconds("0"), 0);
  for (const char* bad : {"-1", "\"-1s\"", "\"soon\"", "\"\"", "\"inf\"", "400000000000"}) {
    EXPECT_THAT(Problems(InDeployment(absl::StrCat("min_ready = ", bad))),
                ElementsAre("4:13 bad-value"))
        << bad;
  }
}

TEST(TomlReaderTest, ReadsInnerTablesWithTheirDefaults) {
  const v1::Stack stack = ReadStack(R"(
config_files = ["nginx.conf", { path = "app.toml", service = "app", req = "restart" }]
additional_env_files = ["common.env", { path = "extra.env", track = false }]
pre_deploy = { path = ".", command = "echo one\necho two  \n\n" }
)")
                              .stack();
  ASSERT_EQ(stack.config_files_size(), 2);
  EXPECT_EQ(stack.config_files(0).path(), "nginx.conf");
  EXPECT_THAT(stack.config_files(1).services(), ElementsAre("app"));
  EXPECT_EQ(stack.config_files(1).required_action(), v1::ConfigFile::REQUIRES_RESTART);
  EXPECT_TRUE(stack.additional_env_files(0).track());
  EXPECT_FALSE(stack.additional_env_files(1).track());
  EXPECT_EQ(stack.pre_deploy().command(), "echo one\necho two\n");
  EXPECT_FALSE(ReadStack("pre_deploy = {}").stack().has_pre_deploy());
}

TEST(TomlReaderTest, AcceptsIntegersForFloats) {
  const v1::Resource server =
      ReadResource("[[server]]\nname = \"a\"\nconfig.cpu_warning = 80\nconfig.mem_warning = 7.5\n");
  EXPECT_FLOAT_EQ(server.server().cpu_warning(), 80);
  EXPECT_DOUBLE_EQ(server.server().mem_warning(), 7.5);
}

TEST(TomlReaderTest, RefusesNumbersOutOfRange) {
  for (const char* line :
       {"config.max_parallel = -1", "config.max_parallel = 4294967296", "config.cpu_warning = nan",
        "config.mem_warning = inf", "config.cpu_warning = 1e300"}) {
    const auto problems = Problems(absl::StrCat("[[server]]\nname = \"a\"\n", line));
    ASSERT_EQ(problems.size(), 1u) << line;
    EXPECT_THAT(problems[0], ::testing::HasSubstr("bad-value")) << line;
  }
  EXPECT_THAT(Problems(InDeployment("replicas = 2147483648")), ElementsAre("4:12 bad-value"));
  EXPECT_THAT(Problems(InDeployment("replicas = 1.0")), ElementsAre("4:12 wrong-type"));
}

TEST(TomlReaderTest, ReportsAllProblemsInOrderOfPosition) {
  EXPECT_THAT(Problems(InDeployment("zzz = 1\nimage = 3\nrestart = \"x\"\naaa = 2\n"
                                    "server = \"a\"\nserver_id = \"b\"\n")),
              ElementsAre("4:1 unknown-key", "5:9 wrong-type", "6:11 bad-value", "7:1 unknown-key",
                          "9:1 duplicate-field"));
}

TEST(TomlReaderTest, PointsIntoTextBlocks) {
  EXPECT_THAT(Problems(InDeployment("environment = \"\"\"\nA=1\n  nonsense\n\"\"\"\n")),
              ElementsAre("6:3 bad-value"));
}

TEST(TomlReaderTest, CountsColumnsInBytes) {
  EXPECT_THAT(Problems("[[stack]]\nname = \"a\"\nconfig = { project_name = \"\xC3\xA9\", x = 1 }"),
              ElementsAre("3:33 unknown-key"));
}

TEST(TomlReaderTest, NeverShowsSecretValues) {
  const ParsedFile file = ReadToml("a.toml",
                                   "[[variable]]\nname = \"A\"\nvalue = 12345\n"
                                   "[[stack]]\nname = \"a\"\nconfig.webhook_secret = 12345\n",
                                   v1::DIALECT_TOML);
  for (const Declaration& declaration : file.declarations) {
    ASSERT_EQ(declaration.problems.size(), 1u);
    EXPECT_THAT(FormatProblem(declaration.problems[0]),
                ::testing::Not(::testing::HasSubstr("12345")));
  }
  const ParsedFile broken = ReadToml("a.toml", "[[variable]]\nvalue = \"12345\n", v1::DIALECT_TOML);
  ASSERT_EQ(broken.problems.size(), 1u);
  EXPECT_THAT(FormatProblem(broken.problems[0]), ::testing::Not(::testing::HasSubstr("12345")));
}

TEST(TomlReaderTest, ByteOrderMarkAndCarriageReturnsChangeNothing) {
  const ParsedFile file = ReadToml("a.toml",
                                   "\xEF\xBB\xBF[[stack]]\r\nname = \"a\"\r\n[stack.config]\r\n"
                                   "links = \"\"\"\r\na\r\nb\"\"\"\r\n",
                                   v1::DIALECT_TOML);
  EXPECT_THAT(Names(file), ElementsAre("stack/a@1:1"));
  EXPECT_THAT(file.declarations[0].spec->stack().links(), ElementsAre("a", "b"));
}

TEST(TomlReaderTest, BrokenTableHeadersAreSyntaxErrors) {
  for (const char* text : {"[=x]", "[\n", "[[\n]]", "[[=", "[", "[[", "[[a]", "[.a]", "[a.=]"}) {
    const ParsedFile file = ReadToml("a.toml", text, v1::DIALECT_TOML);
    ASSERT_EQ(file.problems.size(), 1u) << text;
    EXPECT_EQ(file.problems[0].code(), "syntax") << text;
  }
}

TEST(TomlReaderTest, LettersOutsideOfStringsAreNoWhiteSpace) {
  for (const char* text : {"\xC3\xA9", "a = 1 \xC3\xA9", "a = \xE3\x80\x81", "[\xEF\xBB\x80"}) {
    const ParsedFile file = ReadToml("a.toml", text, v1::DIALECT_TOML);
    ASSERT_EQ(file.problems.size(), 1u) << text;
    EXPECT_EQ(file.problems[0].code(), "syntax") << text;
  }
}

TEST(TomlReaderTest, DeepAndLongInputsEnd) {
  std::string nested = "[[stack]]\nname = \"a\"\nx = ";
  for (int i = 0; i < 100000; ++i) nested += "[";
  EXPECT_TRUE(ReadToml("a.toml", nested, v1::DIALECT_TOML).spoilt);
  std::string tables = "[[stack]]\nname = \"a\"\nx = ";
  for (int i = 0; i < 100000; ++i) tables += "{a=";
  EXPECT_TRUE(ReadToml("a.toml", tables, v1::DIALECT_TOML).spoilt);
  std::string dotted = "a";
  for (int i = 0; i < 300000; ++i) dotted += ".a";
  EXPECT_TRUE(ReadToml("a.toml", dotted + " = 1", v1::DIALECT_TOML).spoilt);
}

}  // namespace
}  // namespace fairlead::resources
