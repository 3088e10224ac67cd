#include "agent/stack_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/file.h"
#include "base/testing/scratch_folder.h"

namespace fairlead::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StackFolderTest : public ::testing::Test {
 protected:
  StackFolderTest() : folder_(scratch_.path(), "shop") {
    Add("compose.yaml", "services: {}\n");
    request_.set_project("shop");
  }

  void Add(const std::string& path, const std::string& content) {
    v1::StackFile& file = *request_.add_files();
    file.set_path(path);
    file.set_content(content);
  }
  std::string Path(const std::string& path) const {
    return scratch_.path() + "/stacks/shop/files/" + path;
  }
  std::string Content(const std::string& path) const {
    return base::ReadFile(Path(path)).value_or("(none)");
  }
  static mode_t ModeOf(const std::string& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 0777;
  }

  base::ScratchFolder scratch_;
  StackFolder folder_;
  v1::ApplyStack request_;
};

TEST_F(StackFolderTest, WritesFilesAndEnvironment) {
  Add("conf/a.conf", "a\n");
  Add("entry.sh", "#!/bin/sh\n");
  request_.set_environment("A=1\n");

  const absl::StatusOr<StackInput> input = folder_.Write(request_);

  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(Content("conf/a.conf"), "a\n");
  EXPECT_EQ(Content(".env"), "A=1\n");
  EXPECT_EQ(ModeOf(Path(".env")), 0600u);
  EXPECT_EQ(ModeOf(Path("entry.sh")), 0755u);
  EXPECT_EQ(ModeOf(Path("conf/a.conf")), 0644u);
  EXPECT_THAT(input->compose_files, ElementsAre(Path("compose.yaml")));
  EXPECT_THAT(input->env_files, ElementsAre(Path(".env")));
  EXPECT_THAT(folder_.Read()->compose_files, ElementsAre(Path("compose.yaml")));
}

TEST_F(StackFolderTest, RemovesWhatIsNoLongerThereButNotWhatContainersWrote) {
  Add("conf/a.conf", "a\n");
  Add("db/init.sql", "x\n");
  ASSERT_TRUE(folder_.Write(request_).ok());
  ASSERT_TRUE(base::WriteFileAtomically(Path("db/table"), "rows").ok());
  request_.clear_files();
  Add("compose.yaml", "services: {}\n");

  ASSERT_TRUE(folder_.Write(request_).ok());

  EXPECT_FALSE(fs::exists(Path("conf")));
  EXPECT_FALSE(fs::exists(Path("db/init.sql")));
  EXPECT_EQ(Content("db/table"), "rows");
}

TEST_F(StackFolderTest, AnUnchangedFileStaysTheSameFile) {
  Add("conf/a.conf", "a\n");
  ASSERT_TRUE(folder_.Write(request_).ok());
  struct stat before{};
  ASSERT_EQ(::stat(Path("conf/a.conf").c_str(), &before), 0);

  ASSERT_TRUE(folder_.Write(request_).ok());

  struct stat after{};
  ASSERT_EQ(::stat(Path("conf/a.conf").c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(StackFolderTest, RefusesPathsThatLeave) {
  for (const char* path : {"/etc/passwd", "../x", "a/../../x", ""}) {
    request_.clear_files();
    Add(path, "x");
    EXPECT_TRUE(absl::IsInvalidArgument(folder_.Write(request_).status())) << path;
  }
  request_.clear_files();
  Add("compose.yaml", "services: {}\n");
  request_.set_environment("A=1");
  request_.set_env_file_path("../../env");
  EXPECT_TRUE(absl::IsInvalidArgument(folder_.Write(request_).status()));
}

TEST_F(StackFolderTest, DoesNotFollowALinkThatAContainerLeft) {
  ASSERT_TRUE(folder_.Write(request_).ok());
  fs::create_directory(scratch_.path() + "/outside");
  fs::create_symlink(scratch_.path() + "/outside", Path("data"));
  Add("data/x", "x");

  EXPECT_TRUE(absl::IsInvalidArgument(folder_.Write(request_).status()));
  EXPECT_FALSE(fs::exists(scratch_.path() + "/outside/x"));
}

TEST_F(StackFolderTest, NamesAComposeFileThatIsMissing) {
  request_.add_compose_files("other.yaml");

  const absl::Status status = folder_.Write(request_).status();

  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("other.yaml"));
}

TEST_F(StackFolderTest, TakesFilesFromTheHost) {
  const std::string host = scratch_.path() + "/srv";
  ASSERT_TRUE(base::MakeDirectories(host).ok());
  ASSERT_TRUE(base::WriteFileAtomically(host + "/docker-compose.yml", "services: {}\n").ok());
  v1::ApplyStack request;
  request.set_project("shop");
  request.set_host_directory(host);

  const absl::StatusOr<StackInput> input = folder_.Write(request);
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_THAT(input->compose_files, ElementsAre(host + "/docker-compose.yml"));
  EXPECT_EQ(input->run_directory, host);

  ASSERT_TRUE(folder_.Clear().ok());
  EXPECT_TRUE(fs::exists(host + "/docker-compose.yml")) << "files of the host are not ours";
}

TEST_F(StackFolderTest, NamesAHostDirectoryThatIsMissing) {
  request_.set_host_directory("/nosuch/directory");

  EXPECT_TRUE(absl::IsNotFound(folder_.Write(request_).status()));
}

TEST_F(StackFolderTest, TheOwnEnvFileComesBeforeTheOthers) {
  Add(".env", "A=1\n");
  Add("more.env", "A=2\n");
  request_.add_env_files("more.env");

  EXPECT_THAT(folder_.Write(request_)->env_files, ElementsAre(Path(".env"), Path("more.env")));
}

TEST_F(StackFolderTest, ClearLeavesWhatContainersWrote) {
  Add("db/init.sql", "x\n");
  ASSERT_TRUE(folder_.Write(request_).ok());
  ASSERT_TRUE(base::WriteFileAtomically(Path("db/table"), "rows").ok());
  v1::Project project;
  project.set_resource("stack/shop");
  ASSERT_TRUE(folder_.WriteRecord(project).ok());
  ASSERT_EQ(ReadProjects(scratch_.path()).size(), 1u);

  ASSERT_TRUE(folder_.Clear().ok());

  EXPECT_TRUE(ReadProjects(scratch_.path()).empty());
  EXPECT_EQ(Content("db/table"), "rows");
  EXPECT_FALSE(fs::exists(Path("compose.yaml")));
  EXPECT_TRUE(folder_.Clear().ok()) << "twice is fine";
}

TEST(ProjectNameTest, ComposeTakesOnlyLowerCase) {
  for (const char* name : {"web", "web-1", "w_b", "0"}) EXPECT_TRUE(CheckProjectName(name).ok());
  for (const char* name : {"", "Web", "-web", "_web", "a/b", "..", "a b"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(CheckProjectName(name))) << name;
  }
}

}  // namespace
}  // namespace fairlead::agent
