#include "controller/actions/build_terms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "absl/strings/str_replace.h"

#include "base/file.h"
#include "controller/actions/testing/run_world.h"
#include "sync/made.h"

namespace fairlead::actions {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::Version VersionOf(int major, int minor, int patch) {
  v1::Version version;
  version.set_major(major);
  version.set_minor(minor);
  version.set_patch(patch);
  return version;
}

v1::Build BuildOf(int major, int minor, int patch, bool increments = true) {
  v1::Build build;
  *build.mutable_version() = VersionOf(major, minor, patch);
  build.set_auto_increment_version(increments);
  build.set_include_version_tags(true);
  build.set_include_latest_tag(true);
  return build;
}

std::string Next(const v1::Build& build, const v1::Version* reached) {
  v1::BuildRecord record;
  if (reached != nullptr) *record.mutable_version() = *reached;
  return sync::VersionText(NextVersion(build, reached == nullptr ? nullptr : &record));
}

TEST(BuildTermsTest, TheNextVersionIsBeyondTheDeclaredOneAndTheOneReached) {
  const v1::Version reached = VersionOf(1, 2, 3);
  EXPECT_EQ(Next(BuildOf(0, 0, 0), nullptr), "0.0.1");
  EXPECT_EQ(Next(BuildOf(0, 0, 0), &reached), "1.2.4");
  EXPECT_EQ(Next(BuildOf(1, 1, 9), &reached), "1.2.4");
  EXPECT_EQ(Next(BuildOf(2, 0, 0), &reached), "2.0.1");
  EXPECT_EQ(Next(BuildOf(0, 0, 0, false), nullptr), "");
  EXPECT_EQ(Next(BuildOf(0, 0, 0, false), &reached), "1.2.3");
  EXPECT_EQ(Next(BuildOf(2, 0, 0, false), &reached), "2.0.0");
}

TEST(BuildTermsTest, TagsAreTheVersionItsShorterFormsAndLatest) {
  v1::Build build = BuildOf(0, 0, 0);
  EXPECT_THAT(TagsOf(build, VersionOf(1, 2, 3)), ElementsAre("1.2.3", "1.2", "1", "latest"));
  EXPECT_THAT(TagsOf(build, {}), ElementsAre("latest"));
  build.set_image_tag("arm");
  EXPECT_THAT(TagsOf(build, VersionOf(1, 2, 3)),
              ElementsAre("1.2.3-arm", "1.2-arm", "1-arm", "latest-arm", "arm"));
  build.set_include_latest_tag(false);
  build.set_include_version_tags(false);
  EXPECT_THAT(TagsOf(build, VersionOf(1, 2, 3)), ElementsAre("arm"));
}

TEST(BuildTermsTest, TargetsAreDomainOwnerAndName) {
  v1::Build build;
  EXPECT_EQ(TargetsOf("My App", build)[0].repository(), "my_app");
  EXPECT_FALSE(TargetsOf("My App", build)[0].push());
  build.set_image_name("api");
  v1::ImageRegistry* registry = build.add_image_registry();
  registry->set_domain("localhost:5000");
  registry->set_account("ann");
  build.add_image_registry()->set_domain("docker.io");
  build.mutable_image_registry(1)->set_account("ann");
  build.mutable_image_registry(1)->set_organization("team");
  const auto targets = TargetsOf("x", build);
  ASSERT_EQ(targets.size(), 2u);
  EXPECT_EQ(targets[0].repository(), "localhost:5000/ann/api");
  EXPECT_TRUE(targets[0].push());
  EXPECT_EQ(targets[1].repository(), "docker.io/team/api");
}

// Of account "ann", at a git server with a token or, in "ssh", with a key; and at a registry.
controller::Accounts AnnsAccounts() {
  const std::string folder = ::testing::TempDir();
  const std::string path = folder + "/build_terms_accounts.toml";
  EXPECT_TRUE(base::WriteFileAtomically(folder + "/build_terms_key", "the key", 0600).ok());
  EXPECT_TRUE(base::WriteFileAtomically(
                  path,
                  "[[git_provider]]\ndomain = \"git.example.com\"\n"
                  "accounts = [{ username = \"ann\", token = \"git-token\" }]\n"
                  "[[git_provider]]\ndomain = \"ssh.example.com\"\n"
                  "accounts = [{ username = \"ann\", ssh_key_file = \"build_terms_key\" }]\n"
                  "[[docker_registry]]\ndomain = \"localhost:5000\"\n"
                  "accounts = [{ username = \"ann\", token = \"push-token\" }]\n",
                  0600)
                  .ok());
  const auto accounts = controller::Accounts::Load(path);
  EXPECT_TRUE(accounts.ok()) << accounts.status();
  std::filesystem::remove(path);
  std::filesystem::remove(folder + "/build_terms_key");
  return accounts.ok() ? *accounts : controller::Accounts();
}

class ComputeJobTest : public ::testing::Test {
 protected:
  static constexpr char kServers[] =
      "[[server]]\nname = \"b-1\"\n[[server]]\nname = \"b-2\"\nconfig.address = "
      "\"https://b2:8120\"\n[[builder]]\nname = \"pool\"\nconfig = { type = \"Server\", params = { "
      "servers = [\"b-1\", \"b-2\"] } }\n[[builder]]\nname = \"there\"\nconfig = { type = "
      "\"Url\", params = { address = \"https://b2:8120\" } }\n[[builder]]\nname = "
      "\"nowhere\"\nconfig = { type = \"Url\", params = { address = \"https://x:1\" } "
      "}\n[[builder]]\nname = \"cloud\"\nconfig = { type = \"Aws\" }\n";

  absl::StatusOr<loop::HostJob> JobOf(const std::string& toml, bool force = false) {
    world_.Declare(absl::StrCat(kServers, toml));
    world_.Pass();
    v1::Execution execution;
    execution.mutable_run_build()->set_build("api");
    execution.mutable_run_build()->set_force(force);
    return ComputeJob(execution, Input());
  }
  JobInput Input() {
    return {.view = *world_.core.core->view(),
            .builds = &builds_,
            .accounts = &accounts_,
            .load = load_};
  }
  static std::string BuildWith(const std::string& config) {
    return absl::StrCat("[[build]]\nname = \"api\"\n[build.config]\nbuilder = \"pool\"\n", config);
  }

  RunWorld world_;
  // None, as long as a test gives none.
  controller::Accounts accounts_;
  std::map<std::string, v1::BuildRecord> builds_;
  std::map<std::string, uint32_t> load_;
};

TEST_F(ComputeJobTest, BuildsARepositoryWithEverythingInterpolated) {
  world_.core.Connect("b-1");
  accounts_ = AnnsAccounts();
  const auto job = JobOf(absl::StrCat(
      "[[variable]]\nname = \"KEY\"\nvalue = \"hush\"\nis_secret = true\n",
      BuildWith(
          "git_provider = \"git.example.com\"\ngit_account = \"ann\"\nrepo = "
          "\"team/api\"\nbranch = \"next\"\nbuild_path = \"src\"\nbuild_args = "
          "\"A=1\"\nsecret_args = \"B=[[KEY]]\"\nlabels = \"c=d\"\npre_build.command = "
          "\"make\"\nimage_registry = { domain = \"localhost:5000\", account = \"ann\" }\n")));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->server, "b-1");
  EXPECT_EQ(job->action.resource(), "build/api");
  EXPECT_EQ(job->action.guarantee(), v1::ACTION_GUARANTEE_ONCE);
  const v1::BuildImage& body = job->action.build_image();
  EXPECT_EQ(body.git().url(), "https://git.example.com/team/api.git");
  EXPECT_EQ(body.git().branch(), "next");
  EXPECT_EQ(body.git().login().secret(), "git-token");
  EXPECT_EQ(body.context(), "src");
  EXPECT_THAT(body.build_args(), ElementsAre("A=1"));
  EXPECT_THAT(body.secret_args(), ElementsAre("B=hush"));
  EXPECT_THAT(body.labels(), ElementsAre("c=d"));
  EXPECT_EQ(body.pre_build().script(), "make");
  ASSERT_EQ(body.targets_size(), 1);
  EXPECT_EQ(body.targets(0).repository(), "localhost:5000/ann/api");
  EXPECT_EQ(body.targets(0).login().secret(), "push-token");
  EXPECT_THAT(body.tags(), ElementsAre("0.0.1", "0.0", "0", "latest"));
  EXPECT_TRUE(body.commit_tag());
  EXPECT_THAT(job->action.secrets(), ::testing::IsSupersetOf({"hush", "git-token", "push-token"}));
  EXPECT_EQ(sync::VersionText(job->spec.build().version()), "0.0.1");
  // What is kept is not interpolated.
  EXPECT_THAT(job->spec.build().secret_args(), HasSubstr("[[KEY]]"));
}

TEST_F(ComputeJobTest, TheSourceOfALinkedRepoIsTheRepos) {
  world_.core.Connect("b-1");
  const auto job =
      JobOf(absl::StrCat("[[repo]]\nname = \"src\"\nconfig.url = "
                         "\"ssh://git@host/a.git\"\nconfig.branch = \"dev\"\n",
                         BuildWith("linked_repo = \"src\"\n")));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->action.build_image().git().url(), "ssh://git@host/a.git");
  EXPECT_EQ(job->action.build_image().git().branch(), "dev");
}

TEST_F(ComputeJobTest, AnAccountMayHoldAKey) {
  world_.core.Connect("b-1");
  accounts_ = AnnsAccounts();
  const auto job =
      JobOf(BuildWith("url = \"ssh://git@SSH.example.com/a.git\"\ngit_account = \"ann\"\n"));
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->action.build_image().git().ssh_key(), "the key");
  EXPECT_THAT(job->action.secrets(), ::testing::Contains("the key"));
}

TEST_F(ComputeJobTest, ADockerfileAloneNeedsNoRepository) {
  world_.core.Connect("b-1");
  const auto job = JobOf(BuildWith("dockerfile = \"FROM scratch\"\n"), true);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_FALSE(job->action.build_image().has_git());
  EXPECT_FALSE(job->action.build_image().commit_tag());
  EXPECT_TRUE(job->action.build_image().force());
  EXPECT_EQ(job->action.guarantee(), v1::ACTION_GUARANTEE_ENSURE);
  EXPECT_THAT(std::string(JobOf(BuildWith("")).status().message()), HasSubstr("names no files"));
}

TEST_F(ComputeJobTest, OfSeveralServersTheLeastBusyOneBuildsAndTheLastOneAmongEquals) {
  world_.core.Connect("b-1");
  world_.core.Connect("b-2");
  const std::string build = BuildWith("dockerfile = \"FROM scratch\"\n");
  EXPECT_EQ(JobOf(build)->server, "b-1");
  builds_["build/api"].set_server("b-2");
  EXPECT_EQ(JobOf(build)->server, "b-2");
  load_["b-2"] = 1;
  EXPECT_EQ(JobOf(build)->server, "b-1");
}

TEST_F(ComputeJobTest, ABuilderThatIsOfflineIsWaitedForAndOneThatCannotBeIsRefused) {
  const std::string build = BuildWith("dockerfile = \"FROM scratch\"\n");
  const absl::Status offline = JobOf(build).status();
  EXPECT_TRUE(absl::IsUnavailable(offline)) << offline;
  EXPECT_THAT(std::string(offline.message()), HasSubstr("b-1, b-2 are offline"));
  const auto with = [&build](const std::string& builder) {
    return absl::StrReplaceAll(build, {{"pool", builder}});
  };
  EXPECT_THAT(std::string(JobOf(with("cloud")).status().message()), HasSubstr("AWS"));
  EXPECT_THAT(std::string(JobOf(with("nowhere")).status().message()),
              HasSubstr("no declared server has the address https://x:1"));
  world_.core.Connect("b-2");
  EXPECT_EQ(JobOf(with("there"))->server, "b-2");
  EXPECT_THAT(
      std::string(
          JobOf("[[build]]\nname = \"api\"\nconfig.dockerfile = \"FROM x\"\n").status().message()),
      HasSubstr("add builder"));
}

TEST_F(ComputeJobTest, AnAccountThatNobodyKnowsIsNamed) {
  world_.core.Connect("b-1");
  EXPECT_THAT(
      std::string(JobOf(BuildWith("repo = \"a/b\"\ngit_account = \"bob\"\n")).status().message()),
      HasSubstr("git_account: account \"bob\" of the git server"));
  EXPECT_THAT(std::string(JobOf(BuildWith("dockerfile = \"FROM x\"\nimage_registry = { domain = "
                                          "\"localhost:5000\", account = \"bob\" }\n"))
                              .status()
                              .message()),
              HasSubstr("image_registry: account \"bob\" of the registry localhost:5000"));
}

TEST_F(ComputeJobTest, ARepoIsCheckedOutOnItsServerAndBuiltOnItsBuilder) {
  world_.core.Connect("b-2");
  world_.Declare(absl::StrCat(kServers,
                              "[[repo]]\nname = \"site\"\n[repo.config]\nserver = "
                              "\"b-1\"\nbuilder = \"pool\"\nurl = \"/srv/site.git\"\nenvironment = "
                              "\"A: 1\"\non_pull.command = \"make\"\n"));
  world_.Pass();
  v1::Execution execution;
  execution.mutable_clone_repo()->set_repo("site");
  auto job = ComputeJob(execution, Input());
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->server, "b-1");
  EXPECT_TRUE(job->action.check_out_repo().anew());
  EXPECT_EQ(job->action.check_out_repo().directory(), "site");
  EXPECT_EQ(job->action.check_out_repo().environment(), "A=1\n");
  EXPECT_EQ(job->action.check_out_repo().env_file_path(), ".env");
  EXPECT_EQ(job->action.check_out_repo().on_pull().script(), "make");
  EXPECT_FALSE(job->action.check_out_repo().has_on_clone());
  execution.mutable_build_repo()->set_repo("site");
  job = ComputeJob(execution, Input());
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->server, "b-2");
}

TEST(BuildRecordTest, RunsWhatCannotComeToMeanAnotherImage) {
  loop::RequestReport report;
  report.server = "b-1";
  report.spec_hash = "h";
  report.spec.set_name("api");
  v1::Build& build = *report.spec.mutable_build();
  build = BuildOf(1, 2, 3);
  v1::BuildResult& result = *report.outcome.mutable_build();
  for (const char* tag : {"1.2.3", "1.2", "1", "latest"}) {
    result.add_references(absl::StrCat("localhost:5000/api:", tag));
  }
  result.set_image_id("sha256:1");
  EXPECT_EQ(BuildRecordOf(report, nullptr, "r", absl::UnixEpoch()).image(),
            "localhost:5000/api:1.2.3");
  // The same version may be built again.
  build.set_auto_increment_version(false);
  EXPECT_EQ(BuildRecordOf(report, nullptr, "r", absl::UnixEpoch()).image(), "sha256:1");
  result.add_digests("localhost:5000/api@sha256:2");
  const v1::BuildRecord record = BuildRecordOf(report, nullptr, "r", absl::UnixEpoch());
  EXPECT_EQ(record.image(), "localhost:5000/api@sha256:2");
  EXPECT_EQ(record.resource(), "build/api");
  EXPECT_EQ(record.server(), "b-1");
  EXPECT_FALSE(record.pushed());
  build.add_image_registry()->set_domain("localhost:5000");
  EXPECT_TRUE(BuildRecordOf(report, nullptr, "r", absl::UnixEpoch()).pushed());
}

TEST(BuildRecordTest, WhatHasNotChangedKeepsItsVersion) {
  v1::BuildRecord before;
  before.set_image("api:1.0.0");
  before.set_spec_hash("old");
  *before.mutable_version() = VersionOf(1, 0, 0);
  loop::RequestReport report;
  report.spec_hash = "new";
  report.spec.mutable_build()->mutable_version()->set_major(7);
  report.outcome.mutable_build()->set_unchanged(true);
  report.outcome.mutable_build()->set_commit("c2");
  const v1::BuildRecord record = BuildRecordOf(report, &before, "r", absl::UnixEpoch());
  EXPECT_EQ(sync::DescribeBuild(record), "1.0.0 of c2");
  EXPECT_EQ(record.spec_hash(), "new");
}

}  // namespace
}  // namespace fairlead::actions
