#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

namespace fairlead::base {
namespace {

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(MakeDirectories(directory_).ok()); }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  const std::string directory_ = ::testing::TempDir() + "file_test";
};

TEST_F(FileTest, WritesAndReadsBack) {
  const std::string path = directory_ + "/a";
  ASSERT_TRUE(WriteFileAtomically(path, "one").ok());
  ASSERT_TRUE(WriteFileAtomically(path, "two", 0640).ok());
  EXPECT_EQ(*ReadFile(path), "two");
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
}

TEST_F(FileTest, ReplacedFileKeepsItsMode) {
  const std::string path = directory_ + "/a";
  ASSERT_TRUE(WriteFileAtomically(path, "one", 0667).ok());
  ASSERT_TRUE(ReplaceFileAtomically(path, "two").ok());
  EXPECT_EQ(*ReadFile(path), "two");
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0667u);
}

TEST_F(FileTest, OnlyAFileThatIsThereIsReplaced) {
  EXPECT_EQ(ReplaceFileAtomically(directory_ + "/none", "").code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/none"));
}

TEST_F(FileTest, MissingFileIsNotFound) {
  EXPECT_EQ(ReadFile(directory_ + "/none").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FileTest, RefusesMoreThanTheLimit) {
  const std::string path = directory_ + "/big";
  ASSERT_TRUE(WriteFileAtomically(path, std::string(11, 'x')).ok());
  EXPECT_EQ(ReadFile(path, 10).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(ReadFile(path, 11).ok());
}

TEST_F(FileTest, SecondLockNamesTheHolder) {
  const std::string path = directory_ + "/lock";
  {
    const auto first = FileLock::Acquire(path);
    ASSERT_TRUE(first.ok());
    const auto second = FileLock::Acquire(path);
    EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_NE(second.status().message().find(std::to_string(::getpid())), std::string::npos);
  }
  EXPECT_TRUE(FileLock::Acquire(path).ok());
}

}  // namespace
}  // namespace fairlead::base
