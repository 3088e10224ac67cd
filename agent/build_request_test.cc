#include "agent/build_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"

#include "agent/docker_cli.h"
#include "agent/engine_error.h"
#include "agent/registry_login.h"
#include "agent/repo_runtime.h"

namespace fairlead::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

v1::BuildImage RequestFor(const std::string& repository, const std::string& tag) {
  v1::BuildImage request;
  request.add_targets()->set_repository(repository);
  request.add_tags(tag);
  return request;
}

std::vector<std::string> TextsOf(const v1::BuildImage& request, const std::string& commit) {
  std::vector<std::string> texts;
  const auto references = ComputeReferences(request, commit);
  EXPECT_TRUE(references.ok()) << references.status();
  for (const ImageReference& reference : *references) texts.push_back(reference.text);
  return texts;
}

TEST(BuildRequestTest, EveryTargetHasEveryTag) {
  v1::BuildImage request = RequestFor("localhost:5000/team/api", "1.2.3");
  request.add_tags("latest");
  request.add_tags("latest");
  request.add_targets()->set_repository("api");
  request.set_commit_tag(true);
  request.set_commit_tag_suffix("-dev");
  EXPECT_THAT(TextsOf(request, "0123456789abcdef"),
              ElementsAre("localhost:5000/team/api:1.2.3", "localhost:5000/team/api:latest",
                          "localhost:5000/team/api:0123456-dev", "api:1.2.3", "api:latest",
                          "api:0123456-dev"));
  EXPECT_EQ(TextsOf(request, "").size(), 4u);
}

TEST(BuildRequestTest, NamesThatNoRegistryTakesAreRefused) {
  for (const auto& [repository, tag] :
       std::vector<std::pair<std::string, std::string>>{{"Team/Api", "1"},
                                                        {"", "1"},
                                                        {"a/", "1"},
                                                        {"a b", "1"},
                                                        {"-a", "1"},
                                                        {"a", "-1"},
                                                        {"a", ""},
                                                        {"a", "1 2"},
                                                        {"a", std::string(129, 'x')}}) {
    EXPECT_EQ(ComputeReferences(RequestFor(repository, tag), "").status().code(),
              absl::StatusCode::kInvalidArgument)
        << repository << ":" << tag;
  }
  EXPECT_FALSE(ComputeReferences({}, "").ok());
}

TEST(BuildRequestTest, ChoosesTheBuilderByNeedAndOffer) {
  const std::string plain = "FROM a\n";
  const std::string mounts = "FROM a\nRUN --mount=type=secret,id=t cat /run/secrets/t\n";
  struct Case {
    bool use_buildx;
    bool has_secret;
    std::string dockerfile;
    BuilderOffer offer;
    Builder builder;
    std::string warning;
  };
  const std::vector<Case> cases = {
      {false, false, plain, {true, 28}, Builder::kClassic, ""},
      {true, false, plain, {true, 28}, Builder::kBuildx, ""},
      {false, true, plain, {true, 28}, Builder::kBuildx, ""},
      {false, true, mounts, {false, 20}, Builder::kBuildKit, ""},
      {true, false, plain, {false, 20}, Builder::kBuildKit, "buildx is not on this host"},
      {true, false, plain, {false, 28}, Builder::kClassic, "classic builder"},
      {false, true, plain, {false, 28}, Builder::kClassic, "reach pre_build only"},
  };
  for (const Case& one : cases) {
    v1::BuildImage request;
    request.set_use_buildx(one.use_buildx);
    if (one.has_secret) request.add_secret_args("t=1");
    const auto choice = ChooseBuilder(request, one.dockerfile, one.offer);
    ASSERT_TRUE(choice.ok()) << choice.status();
    EXPECT_EQ(choice->builder, one.builder);
    EXPECT_THAT(choice->warning, HasSubstr(one.warning));
    EXPECT_EQ(choice->warning.empty(), one.warning.empty());
  }
  const absl::Status refused = ChooseBuilder({}, mounts, {false, 28}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("docker-buildx-plugin"));
}

TEST(BuildRequestTest, ValuesAreInNoArgument) {
  v1::BuildImage request;
  request.add_build_args("TOKEN=hunter2");
  request.add_build_args("PATH=/opt/bin");
  request.add_labels("team=a");
  request.add_extra_args("--network=host");
  const BuildPaths paths{.context = "/c",
                         .dockerfile = "/d",
                         .id_file = "/i",
                         .secrets = {{"key", "/private/secret-0"}}};
  const auto classic = ComputeBuildCall(request, Builder::kClassic, paths, "app:1");
  ASSERT_TRUE(classic.ok());
  EXPECT_EQ(absl::StrJoin(classic->arguments, " "),
            "build --rm --force-rm --iidfile /i --file /d --build-arg PATH=/opt/bin --build-arg "
            "TOKEN --label team=a --network=host /c");
  EXPECT_EQ(classic->environment.at("TOKEN"), "hunter2");
  EXPECT_EQ(classic->environment.count("PATH"), 0u) << "docker itself is found by it";
  const auto buildx = ComputeBuildCall(request, Builder::kBuildx, paths, "app:1");
  EXPECT_THAT(absl::StrJoin(buildx->arguments, " "),
              HasSubstr("buildx build --load --progress plain --tag app:1 --secret "
                        "id=key,src=/private/secret-0"));
}

TEST(BuildRequestTest, OpenSecretsAreRefused) {
  const auto holds_secret = [](const std::string& text) {
    return absl::StrContains(text, "hunter2");
  };
  v1::BuildImage request;
  request.add_labels("team=a");
  EXPECT_TRUE(RefuseOpenSecrets(request, holds_secret).ok());
  request.add_labels("token=hunter2");
  const absl::Status label = RefuseOpenSecrets(request, holds_secret);
  EXPECT_THAT(std::string(label.message()), HasSubstr("label token"));
  EXPECT_THAT(std::string(label.message()), Not(HasSubstr("hunter2")));
  request.clear_labels();
  request.add_extra_args("--build-arg=T=hunter2");
  EXPECT_EQ(RefuseOpenSecrets(request, holds_secret).code(), absl::StatusCode::kInvalidArgument);
}

TEST(BuildRequestTest, AnEntryWithoutAKeyIsNotRepeated) {
  v1::BuildImage request;
  request.add_secret_args("hunter2");
  const absl::Status status = KeyValues("secret_args", request.secret_args()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("hunter2")));
}

TEST(RegistryLoginTest, IsOfTheRegistryOfTheReference) {
  Logins logins;
  logins.Add()->set_domain("ghcr.io");
  logins.Mutable(0)->set_username("me");
  EXPECT_EQ(LoginFor("ghcr.io/a/b", logins).username(), "me");
  EXPECT_EQ(LoginFor("ghcr.io.evil.com/a/b", logins).username(), "");
  EXPECT_EQ(RegistryAuth({}), "e30=");
}

TEST(PushErrorTest, TellsWhatPasses) {
  struct Case {
    std::string text;
    absl::StatusCode code;
  };
  for (const Case& one : std::vector<Case>{
           {"unauthorized: authentication required", absl::StatusCode::kFailedPrecondition},
           {"no basic auth credentials", absl::StatusCode::kFailedPrecondition},
           {"denied: requested access to the resource is denied",
            absl::StatusCode::kFailedPrecondition},
           {"Get https://h/v2/: http: server gave HTTP response to HTTPS client",
            absl::StatusCode::kFailedPrecondition},
           {"toomanyrequests: slow down", absl::StatusCode::kUnavailable},
           {"received unexpected HTTP status: 500 Internal Server Error",
            absl::StatusCode::kUnavailable},
           {"Patch http://h/v2/: EOF", absl::StatusCode::kUnavailable},
           {"An image does not exist locally with the tag: h/x", absl::StatusCode::kNotFound}}) {
    EXPECT_EQ(StatusOfPushError(one.text).code(), one.code) << one.text;
  }
}

TEST(RepoDirectoryTest, NeverLeavesTheFolderOfRepositories) {
  EXPECT_EQ(*ComputeRepoDirectory("/d/repos", "site"), "/d/repos/site");
  EXPECT_EQ(*ComputeRepoDirectory("/d/repos", "a/./b/"), "/d/repos/a/b");
  EXPECT_EQ(*ComputeRepoDirectory("/d/repos", "/srv/site"), "/srv/site");
  for (const char* directory : {"", ".", "..", "../x", "a/../../x", "/", "/srv/../etc"}) {
    EXPECT_EQ(ComputeRepoDirectory("/d/repos", directory).status().code(),
              absl::StatusCode::kInvalidArgument)
        << directory;
  }
}

}  // namespace
}  // namespace fairlead::agent
