#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "sync/desired.h"
#include "sync/testing/world_text.h"

namespace fairlead::sync {
namespace {

using resources::ResourceId;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kServer[] = "[[server]]\nname = \"edge-1\"\n";

std::string Deployment(const std::string& name, const std::string& image,
                       const std::string& more = "", const std::string& config = "") {
  return absl::StrCat("[[deployment]]\nname = \"", name, "\"\n", more,
                      "\n[deployment.config]\nserver = \"edge-1\"\nimage = \"", image, "\"\n",
                      config, "\n");
}

std::string Variable(const std::string& name, const std::string& value,
                     const std::string& more = "") {
  return absl::StrCat("[[variable]]\nname = \"", name, "\"\nvalue = \"", value, "\"\n", more, "\n");
}

using Sources = std::vector<std::shared_ptr<const SourceSnapshot>>;

std::shared_ptr<SourceSnapshot> Source(const std::map<std::string, std::string>& files,
                                       const std::string& name = "main") {
  SourceText text;
  text.origin = "resource_sync/" + name;
  text.name = name;
  text.files = files;
  return std::make_shared<SourceSnapshot>(*ReadSource(text));
}

std::shared_ptr<const DesiredState> Build(const Sources& sources,
                                          const DesiredState* previous = nullptr,
                                          const DesiredOptions& options = {}) {
  return BuildDesiredState(sources, TestHasher(), options, previous);
}

// The source with one file read anew from other text; the others stay the same objects.
std::shared_ptr<SourceSnapshot> WithFile(const SourceSnapshot& source, const std::string& path,
                                         const std::string& text) {
  auto next = std::make_shared<SourceSnapshot>(source);
  next->revision = "r2";
  for (auto& file : next->files) {
    if (file->path != path) continue;
    file = std::make_shared<const resources::ParsedFile>(
        resources::ReadToml(path, text, source.dialect));
  }
  return next;
}

const DesiredResource& Get(const DesiredState& state, const std::string& resource) {
  return *state.resources.at(*ResourceId::Parse(resource));
}

TEST(BuildDesiredStateTest, ResolvesAndHashes) {
  const auto state = Build({Source(
      {{"a.toml", absl::StrCat(kServer, Variable("TAG", "7"),
                               Deployment("web", "img:1", "", "environment = \"A=[[TAG]]\""))}})});
  const DesiredResource& web = Get(*state, "deployment/web");
  EXPECT_FALSE(web.invalid);
  EXPECT_THAT(web.problems, IsEmpty());
  EXPECT_EQ(web.server, "edge-1");
  EXPECT_EQ(web.docker_name, "web");
  EXPECT_THAT(web.placeholders, ElementsAre("TAG"));
  EXPECT_THAT(web.resolved->deployment().environment(), HasSubstr("A=7"));
  EXPECT_THAT(web.spec->deployment().environment(), HasSubstr("[[TAG]]"));
  EXPECT_TRUE(TestHasher().CanVerify(web.spec_hash));
  EXPECT_EQ(state->sources.at("resource_sync/main").resources, 3u);
  EXPECT_TRUE(state->complete);
}

TEST(BuildDesiredStateTest, KeepsSecretsOfVariablesApart) {
  const auto state = Build({Source(
      {{"a.toml", absl::StrCat(kServer, Variable("PW", "hunter2", "is_secret = true"),
                               Deployment("web", "img:1", "", "environment = \"A=[[PW]]\""))}})});
  EXPECT_THAT(Get(*state, "deployment/web").secrets, ElementsAre("hunter2"));
}

// The source with a file of secrets.
std::shared_ptr<SourceSnapshot> WithSecrets(const SourceSnapshot& source, const std::string& path,
                                            resources::Variables variables,
                                            const std::string& sealed = "") {
  auto next = std::make_shared<SourceSnapshot>(source);
  resources::ParsedFile file;
  file.path = path;
  file.variables = std::move(variables);
  file.sealed = sealed;
  next->files.push_back(std::make_shared<const resources::ParsedFile>(std::move(file)));
  return next;
}

TEST(BuildDesiredStateTest, FilesOfSecretsGiveValuesAndTakeThemFromThoseWhoNeedThemAlone) {
  const auto plain =
      Source({{"a.toml", absl::StrCat(kServer, "[[variable]]\nname = \"PW\"\nis_secret = true\n",
                                      Deployment("web", "img:1", "", "environment = \"A=[[PW]]\""),
                                      Deployment("api", "img:1"))}});
  const auto good = WithSecrets(*plain, "s.sops.env", {{"PW", {"hunter2", true, ""}}});
  const auto before = Build({good});
  EXPECT_THAT(Get(*before, "deployment/web").secrets, ElementsAre("hunter2"));
  EXPECT_THAT(Get(*before, "deployment/web").spec->deployment().environment(), HasSubstr("[[PW]]"));

  const auto other = WithSecrets(*plain, "s.sops.env", {{"PW", {"hunter3", true, ""}}});
  EXPECT_THAT(Get(*Build({other}, before.get()), "deployment/web").secrets, ElementsAre("hunter3"));

  const auto closed = Build(
      {WithSecrets(*plain, "s.sops.env", {{"PW", {"", true, "s.sops.env cannot be decrypted"}}})},
      before.get());
  EXPECT_THAT(Get(*closed, "deployment/web").problems[0].message(),
              HasSubstr("s.sops.env cannot be decrypted"));
  EXPECT_FALSE(Get(*closed, "deployment/api").invalid);

  const auto sealed = Build({WithSecrets(*plain, "s.env.age", {}, "s.env.age is sealed")});
  EXPECT_THAT(Get(*sealed, "deployment/web").problems[0].message(),
              HasSubstr("s.env.age is sealed"));

  // What is set on the controller goes before.
  DesiredOptions options;
  options.secrets =
      std::make_shared<const resources::Variables>(resources::Variables{{"PW", {"set", true, ""}}});
  EXPECT_THAT(Get(*Build({good}, nullptr, options), "deployment/web").secrets, ElementsAre("set"));
  const auto twice = WithSecrets(*good, "t.sops.env", {{"PW", {"again", true, ""}}});
  EXPECT_THAT(Get(*Build({twice}), "deployment/web").problems[0].message(),
              HasSubstr("s.sops.env and resource_sync/main t.sops.env; keep it in one"));
}

TEST(BuildDesiredStateTest, SaysOfWhichFileASecretIs) {
  using Files = std::map<std::string, std::string>;
  const Files first = {{"PW", "s.sops.env of resource_sync/main"}};
  const auto mine = WithSecrets(*Source({}), "s.sops.env", {{"PW", {"mine", true, ""}}});
  const auto theirs =
      WithSecrets(*Source({}, "other"), "a.sops.env", {{"PW", {"theirs", true, ""}}});
  EXPECT_EQ(Build({mine, theirs})->secret_files, first);
  // A file of another origin than the one that declares it gives it nothing.
  const auto declares = Source({{"a.toml", Variable("PW", "x", "is_secret = true")}});
  EXPECT_EQ(Build({declares, theirs})->secret_files, Files());
  EXPECT_EQ(Build({theirs, WithSecrets(*declares, "s.sops.env", {{"PW", {"mine", true, ""}}})})
                ->secret_files,
            first);
  // Two of one origin: it has no value, and the reason names both.
  const auto twice =
      Build({WithSecrets(*mine, "t.sops.env", {{"PW", {"again", true, ""}}}), theirs});
  EXPECT_EQ(twice->secret_files, first);
  EXPECT_THAT(twice->variables.at("PW").why_none, HasSubstr("t.sops.env; keep it in one"));
  // A source that is to bring no variables.
  const auto without = std::make_shared<SourceSnapshot>(*mine);
  without->filters.include_variables = false;
  EXPECT_EQ(Build({without})->secret_files, Files());
}

TEST(BuildDesiredStateTest, AFileOfSecretsTakesNothingFromAnotherOrigin) {
  const auto owner = Source(
      {{"a.toml", absl::StrCat(kServer, Variable("PW", "mine-1", "is_secret = true"),
                               Deployment("web", "img:1", "", "environment = \"A=[[PW]]\""))}});
  const auto thief =
      WithSecrets(*Source({}, "other"), "t.sops.env", {{"PW", {"theirs", true, ""}}});
  const auto before = Build({owner});
  for (const auto& state :
       {Build({owner, thief}), Build({owner, thief}, before.get()), Build({thief, owner})}) {
    EXPECT_THAT(Get(*state, "deployment/web").secrets, ElementsAre("mine-1"));
    EXPECT_FALSE(Get(*state, "variable/PW").invalid);
    ASSERT_EQ(Get(*state, "variable/PW").problems.size(), 1u);
    EXPECT_EQ(
        Get(*state, "variable/PW").problems[0].message(),
        "resource_sync/other declares it too, at t.sops.env:1:1; resource_sync/main keeps it");
    const auto& problems = state->sources.at("resource_sync/other").problems;
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_EQ(problems[0].code(), "two-origins");
    EXPECT_EQ(problems[0].severity(), v1::SEVERITY_ERROR);
    EXPECT_EQ(problems[0].file(), "t.sops.env");
  }
  EXPECT_THAT(Get(*Build({owner}, Build({owner, thief}).get()), "variable/PW").problems, IsEmpty());

  // Its own file goes before what it declares, also then.
  const auto both = WithSecrets(*owner, "s.sops.env", {{"PW", {"mine-2", true, ""}}});
  EXPECT_THAT(Get(*Build({thief, both}), "deployment/web").secrets, ElementsAre("mine-2"));

  // Where nobody declares it the first one keeps it.
  const auto user = Source(
      {{"a.toml",
        absl::StrCat(kServer, Deployment("web", "img:1", "", "environment = \"A=[[PW]]\""))}});
  const auto state =
      Build({WithSecrets(*user, "s.sops.env", {{"PW", {"mine-3", true, ""}}}), thief});
  EXPECT_THAT(Get(*state, "deployment/web").secrets, ElementsAre("mine-3"));
  EXPECT_EQ(state->sources.at("resource_sync/other").problems.at(0).message(),
            "resource_sync/main declares it already, at s.sops.env:1:1");
}

TEST(BuildDesiredStateTest, SharesAllThatDidNotChange) {
  const auto source = Source({{"a.toml", absl::StrCat(kServer, Deployment("api", "img:1"))},
                              {"b.toml", Deployment("web", "img:1")}});
  const auto before = Build({source});
  const auto after = Build({WithFile(*source, "b.toml", Deployment("web", "img:2"))}, before.get());
  EXPECT_EQ(&Get(*before, "deployment/api"), &Get(*after, "deployment/api"));
  EXPECT_EQ(&Get(*before, "server/edge-1"), &Get(*after, "server/edge-1"));
  EXPECT_NE(&Get(*before, "deployment/web"), &Get(*after, "deployment/web"));
  EXPECT_EQ(after->generation, before->generation + 1);
  EXPECT_THAT(ComputeDesiredChange(before.get(), *after),
              ElementsAre(ResourceId{"deployment", "web"}));
}

TEST(BuildDesiredStateTest, SharesWhatWasReadAgainAndSaysTheSame) {
  const auto source = Source({{"a.toml", absl::StrCat(kServer, Deployment("web", "img:1"))}});
  const auto before = Build({source});
  const auto after =
      Build({WithFile(*source, "a.toml",
                      absl::StrCat(kServer, Deployment("web", "img:1"), "# a comment\n"))},
            before.get());
  EXPECT_EQ(&Get(*before, "deployment/web"), &Get(*after, "deployment/web"));
  EXPECT_THAT(ComputeDesiredChange(before.get(), *after), IsEmpty());
}

TEST(BuildDesiredStateTest, AChangedVariableChangesExactlyItsUsers) {
  const auto source =
      Source({{"a.toml", Variable("TAG", "1")},
              {"b.toml", absl::StrCat(kServer, Deployment("api", "img:1"))},
              {"c.toml", Deployment("web", "img:1", "", "environment = \"A=[[TAG]]\"")}});
  const auto before = Build({source});
  const auto after = Build({WithFile(*source, "a.toml", Variable("TAG", "2"))}, before.get());
  EXPECT_THAT(ComputeDesiredChange(before.get(), *after),
              ElementsAre(ResourceId{"deployment", "web"}, ResourceId{"variable", "TAG"}));
  EXPECT_NE(Get(*before, "deployment/web").spec_hash, Get(*after, "deployment/web").spec_hash);
}

TEST(BuildDesiredStateTest, AReferenceThatAppearsIsResolved) {
  const auto source =
      Source({{"a.toml", absl::StrCat(kServer, Deployment("web", "img:1", "after = [\"db\"]"))},
              {"b.toml", ""}});
  const auto before = Build({source});
  EXPECT_THAT(Get(*before, "deployment/web").missing_after, ElementsAre("db"));
  const auto after = Build({WithFile(*source, "b.toml", Deployment("db", "img:1"))}, before.get());
  EXPECT_THAT(Get(*after, "deployment/web").missing_after, IsEmpty());
  EXPECT_THAT(Get(*after, "deployment/web").after, ElementsAre(ResourceId{"deployment", "db"}));
  EXPECT_THAT(after->dependents->at({"deployment", "db"}),
              ElementsAre(ResourceId{"deployment", "web"}));
}

TEST(BuildDesiredStateTest, AConflictThatGoesAwayLeavesNoTrace) {
  const auto source = Source(
      {{"a.toml", absl::StrCat(kServer, Deployment("aa", "img:1", "", "custom_name = \"www\""))},
       {"b.toml", Deployment("bb", "img:1", "", "custom_name = \"www\"")}});
  const auto before = Build({source});
  EXPECT_TRUE(Get(*before, "deployment/aa").invalid);
  EXPECT_TRUE(Get(*before, "deployment/bb").invalid);
  const auto next = WithFile(*source, "b.toml", Deployment("bb", "img:1"));
  const auto after = Build({next}, before.get());
  const auto fresh = Build({next});
  EXPECT_FALSE(Get(*after, "deployment/aa").invalid);
  EXPECT_TRUE(IsSame(Get(*after, "deployment/aa"), Get(*fresh, "deployment/aa")));
}

TEST(BuildDesiredStateTest, OnePortForTwoIsAnErrorOfBothUntilOneGivesWay) {
  const auto source =
      Source({{"a.toml", absl::StrCat(kServer, Deployment("aa", "img:1", "", "ports = \"80:80\""))},
              {"b.toml", Deployment("bb", "img:1", "", "ports = \"80:8080\"")}});
  const auto before = Build({source});
  for (const char* name : {"deployment/aa", "deployment/bb"}) {
    const DesiredResource& resource = Get(*before, name);
    EXPECT_TRUE(resource.invalid);
    ASSERT_EQ(resource.problems.size(), 1u);
    EXPECT_EQ(resource.problems[0].code(), "port-conflict");
  }
  EXPECT_EQ(Get(*before, "deployment/bb").problems[0].message(),
            "publishes port 80/tcp on server \"edge-1\", as does deployment/aa at a.toml:3:1");
  const auto next = WithFile(*source, "b.toml", Deployment("bb", "img:1"));
  const auto after = Build({next}, before.get());
  EXPECT_FALSE(Get(*after, "deployment/aa").invalid);
  EXPECT_FALSE(Get(*after, "deployment/bb").invalid);
}

TEST(BuildDesiredStateTest, ANameThatTheEngineRefusesIsAnError) {
  const auto state = Build({Source({{"a.toml", absl::StrCat(kServer, Deployment("w", "img:1"))}})});
  const DesiredResource& resource = Get(*state, "deployment/w");
  EXPECT_TRUE(resource.invalid);
  ASSERT_EQ(resource.problems.size(), 1u);
  EXPECT_EQ(resource.problems[0].code(), "bad-name");
}

TEST(BuildDesiredStateTest, NamesOnDifferentServersDoNotConflict) {
  const auto state = Build({Source(
      {{"a.toml",
        absl::StrCat(kServer, "[[server]]\nname = \"edge-2\"\n",
                     Deployment("aa", "img:1", "", "custom_name = \"www\""),
                     "[[deployment]]\nname = \"bb\"\n[deployment.config]\nserver = \"edge-2\"\n"
                     "image = \"img:1\"\ncustom_name = \"www\"\n")}})});
  EXPECT_FALSE(Get(*state, "deployment/aa").invalid);
  EXPECT_FALSE(Get(*state, "deployment/bb").invalid);
}

TEST(BuildDesiredStateTest, AContainerAndAProjectMayHaveOneName) {
  const auto state = Build({Source(
      {{"a.toml", absl::StrCat(kServer, Deployment("web", "img:1"),
                               "[[stack]]\nname = \"web\"\n[stack.config]\nserver = \"edge-1\"\n"
                               "file_contents = \"services: {}\"\n")}})});
  EXPECT_FALSE(Get(*state, "deployment/web").invalid);
  EXPECT_FALSE(Get(*state, "stack/web").invalid);
}

TEST(BuildDesiredStateTest, ACycleNamesItsPathAndGoesWhenBroken) {
  const auto source =
      Source({{"a.toml", absl::StrCat(kServer, Deployment("aa", "img:1", "after = [\"bb\"]"))},
              {"b.toml", Deployment("bb", "img:1", "after = [\"aa\"]")}});
  const auto before = Build({source});
  ASSERT_TRUE(Get(*before, "deployment/aa").invalid);
  EXPECT_THAT(Get(*before, "deployment/aa").problems.back().message(),
              HasSubstr("deployment/aa -> deployment/bb -> deployment/aa"));
  const auto after = Build({WithFile(*source, "b.toml", Deployment("bb", "img:1"))}, before.get());
  EXPECT_FALSE(Get(*after, "deployment/aa").invalid);
  EXPECT_THAT(Get(*after, "deployment/aa").problems, IsEmpty());
}

TEST(BuildDesiredStateTest, TheOwnerKeepsWhatTwoOriginsDeclare) {
  const auto first = Source({{"a.toml", absl::StrCat(kServer, Deployment("web", "img:1"))}});
  const auto second = Source({{"b.toml", Deployment("web", "img:2")}}, "other");
  DesiredOptions options;
  options.owner = [](const ResourceId&) { return std::string("resource_sync/other"); };
  const auto state = Build({first, second}, nullptr, options);
  EXPECT_EQ(Get(*state, "deployment/web").origin, "resource_sync/other");
  EXPECT_FALSE(Get(*state, "deployment/web").invalid);
  EXPECT_EQ(state->sources.at("resource_sync/main").problems.at(0).code(), "two-origins");
  EXPECT_EQ(state->sources.at("resource_sync/main").problems.at(0).severity(), v1::SEVERITY_ERROR);
}

TEST(BuildDesiredStateTest, TheOriginMovesWhenTheFirstStopsDeclaring) {
  const auto first = Source({{"a.toml", absl::StrCat(kServer, Deployment("web", "img:1"))}});
  const auto second = Source({{"b.toml", Deployment("web", "img:2")}}, "other");
  DesiredOptions options;
  options.owner = [](const ResourceId&) { return std::string("resource_sync/main"); };
  const auto before = Build({first, second}, nullptr, options);
  EXPECT_EQ(Get(*before, "deployment/web").origin, "resource_sync/main");
  const auto after = Build({WithFile(*first, "a.toml", kServer), second}, before.get(), options);
  EXPECT_EQ(Get(*after, "deployment/web").origin, "resource_sync/other");
  EXPECT_THAT(Get(*after, "deployment/web").problems, IsEmpty());
}

TEST(BuildDesiredStateTest, AVariableDeclaredTwiceIsNotUsed) {
  const auto state = Build({Source(
      {{"a.toml", absl::StrCat(kServer, Variable("TAG", "1"), Variable("TAG", "2"),
                               Deployment("web", "img:1", "", "environment = \"A=[[TAG]]\""))}})});
  EXPECT_TRUE(Get(*state, "variable/TAG").invalid);
  EXPECT_TRUE(Get(*state, "deployment/web").invalid);
}

TEST(BuildDesiredStateTest, FilesOfAStackArePartOfItsHash) {
  const std::string text =
      absl::StrCat(kServer, "[[stack]]\nname = \"shop\"\n[stack.config]\nserver = \"edge-1\"\n");
  const auto source = Source({{"a.toml", text}});
  const ResourceId id{"stack", "shop"};
  const auto with_content = [&](const std::string& content) {
    auto next = std::make_shared<SourceSnapshot>(*source);
    v1::StackFile file;
    file.set_path("compose.yaml");
    file.set_content(content);
    next->stack_files[id] =
        std::make_shared<const std::vector<v1::StackFile>>(std::vector<v1::StackFile>{file});
    return next;
  };
  const auto before = Build({with_content("services: {}")});
  const auto same = Build({with_content("services: {}")}, before.get());
  const auto after = Build({with_content("services: {a: {}}")}, same.get());
  EXPECT_EQ(&Get(*before, "stack/shop"), &Get(*same, "stack/shop"));
  EXPECT_NE(Get(*same, "stack/shop").spec_hash, Get(*after, "stack/shop").spec_hash);
}

TEST(BuildDesiredStateTest, AProblemOfAStacksFilesComesAndGoes) {
  const std::string text =
      absl::StrCat(kServer, "[[stack]]\nname = \"shop\"\n[stack.config]\nserver = \"edge-1\"\n");
  const auto source = Source({{"a.toml", text}});
  auto broken = std::make_shared<SourceSnapshot>(*source);
  v1::Problem problem;
  problem.set_severity(v1::SEVERITY_ERROR);
  problem.set_message("compose.yaml is not there");
  broken->stack_problems[{"stack", "shop"}] = {problem};
  const auto before = Build({broken});
  EXPECT_TRUE(Get(*before, "stack/shop").invalid);
  EXPECT_FALSE(before->sources.at("resource_sync/main").prune_blocker.empty());
  const auto after = Build({source}, before.get());
  EXPECT_FALSE(Get(*after, "stack/shop").invalid);
  EXPECT_TRUE(after->sources.at("resource_sync/main").prune_blocker.empty());
}

TEST(BuildDesiredStateTest, IsIncompleteWhileASourceIsUnread) {
  DesiredOptions options;
  options.unread_origins = {"resource_sync/other"};
  EXPECT_FALSE(Build({Source({{"a.toml", kServer}})}, nullptr, options)->complete);
}

TEST(BuildDesiredStateTest, AChangedFilterCountsAlthoughNoFileChanged) {
  const auto before = Source({{"a.toml", absl::StrCat(kServer, Variable("TAG", "1"),
                                                      "[[user_group]]\nname = \"ops\"\n")}});
  const auto state = Build({before});
  ASSERT_EQ(state->resources.size(), 3u);
  for (bool SourceFilters::* filter :
       {&SourceFilters::include_resources, &SourceFilters::include_variables,
        &SourceFilters::include_user_groups}) {
    const auto after = std::make_shared<SourceSnapshot>(*before);
    after->filters.*filter = false;
    EXPECT_EQ(Build({after}, state.get())->resources.size(), 2u);
  }
}

TEST(BuildDesiredStateTest, LeavesOutWhatASyncDoesNotInclude) {
  const auto source = Source({{"a.toml", absl::StrCat(kServer, Variable("TAG", "1"))}});
  source->filters.include_variables = false;
  const auto state = Build({source});
  EXPECT_TRUE(state->variables.empty());
  EXPECT_EQ(state->resources.size(), 1u);
  source->filters.include_variables = true;
  source->filters.include_resources = false;
  EXPECT_TRUE(Build({source})->resources.contains({"variable", "TAG"}));
}

TEST(BuildDesiredStateTest, AnUnknownTableBlocksPruning) {
  const auto state = Build({Source({{"a.toml", absl::StrCat(kServer, "[[provision]]\nx = 1\n")}})});
  EXPECT_FALSE(state->sources.at("resource_sync/main").prune_blocker.empty());
}

}  // namespace
}  // namespace fairlead::sync
