#include "controller/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "base/clock.h"
#include "controller/store/sqlite_store.h"
#include "controller/store/store_transfer.h"
#include "controller/store/testing/temporary_folder.h"

namespace fairlead::controller {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

class BackupTest : public ::testing::Test {
 protected:
  std::unique_ptr<store::SqliteStore> Open(const std::string& path) {
    auto opened = store::SqliteStore::Open(path, base::Clock::Real());
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *std::move(opened) : nullptr;
  }

  store::TemporaryFolder folder_;
  const std::string database_ = folder_.File("fairlead.db");
  const std::string directory_ = folder_.File("backups");
};

TEST_F(BackupTest, HoldsWhatWasDurableAndOnlyItsOwnerReadsIt) {
  const auto store = Open(database_);
  ASSERT_TRUE(store->Apply({.put_settings = {{"installation", "x"}}}).ok());
  const auto path = BackUp({.sqlite_path = database_}, directory_, kNow);
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_THAT(*path, EndsWith("/backups/fairlead-20231114T221320.000Z.backup"));
  struct stat info{};
  ASSERT_EQ(stat(path->c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u) << "it holds the key of the installation";
  ASSERT_TRUE(store->Apply({.put_settings = {{"installation", "y"}}}).ok())
      << "the store is used as before";
  const std::string again = folder_.File("again.db");
  ASSERT_TRUE(store::RestoreStore(*path, {.sqlite_path = again}, kNow).ok());
  const auto image = Open(again)->Load();
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->settings.at("installation"), "x");
}

TEST_F(BackupTest, OnlyTheNewestAreKept) {
  const auto store = Open(database_);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(BackUp({.sqlite_path = database_}, directory_, kNow + absl::Seconds(i)).ok());
  }
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    names.insert(entry.path().filename().string());
  }
  EXPECT_THAT(names, SizeIs(14));
  EXPECT_EQ(*names.begin(), "fairlead-20231114T221326.000Z.backup");
}

TEST_F(BackupTest, OneThatIsThereIsNotWrittenOver) {
  const auto store = Open(database_);
  ASSERT_TRUE(BackUp({.sqlite_path = database_}, directory_, kNow).ok());
  const absl::Status again = BackUp({.sqlite_path = database_}, directory_, kNow).status();
  EXPECT_TRUE(absl::IsAlreadyExists(again)) << again;
}

TEST_F(BackupTest, ADatabaseThatIsNotThereIsNamed) {
  const absl::Status status = BackUp({.sqlite_path = database_}, directory_, kNow).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr(database_));
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

}  // namespace
}  // namespace fairlead::controller
