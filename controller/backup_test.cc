#include "controller/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "base/clock.h"
#include "controller/store/sqlite_store.h"
#include "controller/store/testing/temporary_folder.h"

namespace fairlead::controller {
namespace {

using ::testing::EndsWith;
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
  const std::string directory_ = folder_.File("backups");
};

TEST_F(BackupTest, ACopyHoldsWhatWasDurableAndOnlyItsOwnerReadsIt) {
  const auto store = Open(folder_.File("fairlead.db"));
  ASSERT_TRUE(store->Apply({.put_settings = {{"installation", "x"}}}).ok());
  const auto path = BackUp(*store, directory_, kNow);
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_THAT(*path, EndsWith("/backups/fairlead-20231114T221320.000Z.db"));
  struct stat info{};
  ASSERT_EQ(stat(path->c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u) << "it holds the key of the installation";
  ASSERT_TRUE(store->Apply({.put_settings = {{"installation", "y"}}}).ok());
  const auto image = Open(*path)->Load();
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->settings.at("installation"), "x");
}

TEST_F(BackupTest, OnlyTheNewestAreKept) {
  const auto store = Open(folder_.File("fairlead.db"));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(BackUp(*store, directory_, kNow + absl::Seconds(i)).ok());
  }
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    names.insert(entry.path().filename().string());
  }
  EXPECT_THAT(names, SizeIs(14));
  EXPECT_EQ(*names.begin(), "fairlead-20231114T221326.000Z.db");
}

TEST_F(BackupTest, ACopyThatIsThereIsNotWrittenOver) {
  const auto store = Open(folder_.File("fairlead.db"));
  ASSERT_TRUE(BackUp(*store, directory_, kNow).ok());
  const absl::Status again = BackUp(*store, directory_, kNow).status();
  EXPECT_TRUE(absl::IsAlreadyExists(again)) << again;
}

}  // namespace
}  // namespace fairlead::controller
