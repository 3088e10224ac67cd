#include "resources/settings_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/testing/scratch_folder.h"
#include "fairlead/v1/oidc.pb.h"

namespace fairlead::resources {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kGood[] = "issuer = \"https://id.example.com\"\nclient_id = \"after\"\n";

class SettingsFileTest : public ::testing::Test {
 protected:
  absl::Status Read(const std::string& content, mode_t mode) {
    EXPECT_TRUE(base::WriteFileAtomically(path_, content, mode).ok());
    EXPECT_EQ(::chmod(path_.c_str(), mode), 0);
    return ReadSettingsFile(path_, "who logs in", &settings_);
  }

  const base::ScratchFolder folder_;
  const std::string path_ = folder_.path() + "/settings.toml";
  v1::OidcFile settings_;
};

TEST_F(SettingsFileTest, KeepsWhatTheFileDoesNotSay) {
  settings_.set_client_id("before");
  settings_.set_ca_file("kept");
  EXPECT_EQ(Read(kGood, 0644), absl::OkStatus());
  EXPECT_EQ(settings_.client_id(), "after");
  EXPECT_EQ(settings_.ca_file(), "kept");
}

TEST_F(SettingsFileTest, NamesAllThatIsWrong) {
  const absl::Status status = Read("clientid = \"a\"\nca_file = 1\n", 0600);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), AllOf(HasSubstr(path_ + ":1:1: error"), HasSubstr(path_ + ":2:")));
}

TEST_F(SettingsFileTest, OthersMayReadAndNotWrite) {
  for (const mode_t mode : {0620u, 0602u, 0666u}) {
    const absl::Status status = Read(kGood, mode);
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << mode;
    EXPECT_EQ(status.message(), path_ + ": others may write this file, which says who logs in; " +
                                    "run: chmod go-w " + path_);
  }
  EXPECT_EQ(Read(kGood, 0644), absl::OkStatus());
}

TEST_F(SettingsFileTest, SecretsAreReadByTheOwnerAlone) {
  EXPECT_EQ(Read(kGood, 0644), absl::OkStatus());
  EXPECT_EQ(ReadPrivateSettingsFile(path_, &settings_).code(), absl::StatusCode::kPermissionDenied);
  ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
  EXPECT_EQ(ReadPrivateSettingsFile(path_, &settings_), absl::OkStatus());
}

TEST_F(SettingsFileTest, MissingIsNotFound) {
  EXPECT_EQ(ReadSettingsFile(path_, "who logs in", &settings_).code(), absl::StatusCode::kNotFound);
}

TEST(PathBesideTest, IsRelativeToTheFolder) {
  EXPECT_EQ(PathBeside("/etc/fairlead", "token"), "/etc/fairlead/token");
  EXPECT_EQ(PathBeside("/etc/fairlead", "../token"), "/etc/token");
  EXPECT_EQ(PathBeside("/etc/fairlead", "/run/token"), "/run/token");
  EXPECT_EQ(PathBeside("", "token"), "token");
  EXPECT_EQ(PathBeside("/etc/fairlead", ""), "");
}

}  // namespace
}  // namespace fairlead::resources
