// What survives a kill and a full disk.
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <iostream>

#include "base/testing/simulated_clock.h"
#include "controller/store/sqlite_store.h"
#include "controller/store/store_contract.h"
#include "controller/store/testing/temporary_folder.h"

namespace fairlead::store {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<SqliteStore> OpenStore(const std::string& path, const SqliteOptions& options = {}) {
  base::SimulatedClock clock;
  auto store = SqliteStore::Open(path, clock, options);
  EXPECT_TRUE(store.ok()) << store.status();
  return store.ok() ? *std::move(store) : nullptr;
}

// Two records, so that half a batch can be told from a whole one.
StoreBatch NumberedBatch(uint64_t number) {
  const std::string key = absl::StrCat("stack/", number);
  return {.put_inventory = {Inventory(key)},
          .put_holds = {HoldOf(key)},
          .append_events = {EventOf(number)}};
}

// Applies batches for ever and reports each on `acknowledge` after it is durable.
[[noreturn]] void ApplyUntilKilled(const std::string& path, int acknowledge) {
  const auto store = OpenStore(path);
  for (uint64_t number = 1; store != nullptr; ++number) {
    if (!store->Apply(NumberedBatch(number)).ok()) break;
    if (write(acknowledge, &number, sizeof(number)) != sizeof(number)) break;
  }
  _exit(1);
}

TEST(SqliteDurabilityTest, KillLosesNothingAcknowledgedAndNoBatchIsHalfThere) {
  TemporaryFolder folder;
  const std::string path = folder.File("store.db");
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    close(pipe_ends[0]);
    ApplyUntilKilled(path, pipe_ends[1]);
  }
  close(pipe_ends[1]);
  uint64_t acknowledged = 0;
  while (acknowledged < 40 &&
         read(pipe_ends[0], &acknowledged, sizeof(acknowledged)) == sizeof(acknowledged)) {
  }
  kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  // What was acknowledged between the last read and the kill counts too.
  uint64_t later = 0;
  while (read(pipe_ends[0], &later, sizeof(later)) == sizeof(later)) acknowledged = later;
  close(pipe_ends[0]);
  ASSERT_GE(acknowledged, 40u);

  const auto image = OpenStore(path)->Load();
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_GE(image->last_event_id, acknowledged);
  EXPECT_LE(image->last_event_id, acknowledged + 1);
  EXPECT_EQ(image->inventory.size(), image->last_event_id);
  EXPECT_EQ(image->holds.size(), image->last_event_id);
}

TEST(SqliteDurabilityTest, ExitWithoutCloseKeepsTheLastBatch) {
  TemporaryFolder folder;
  const std::string path = folder.File("store.db");
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto store = OpenStore(path);
    _exit(store != nullptr && store->Apply(NumberedBatch(1)).ok() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(OpenStore(path)->Load()->inventory.size(), 1u);
}

// Grows the store until a batch fails; returns how many went in.
int FillUntilFull(SqliteStore& store, absl::Status& failure) {
  for (int i = 0; i < 10000; ++i) {
    v1::InventoryEntry entry = Inventory(absl::StrCat("stack/", i));
    entry.set_name(std::string(20'000, 'n'));
    failure = store.Apply({.put_inventory = {entry}, .put_holds = {HoldOf(entry.resource())}});
    if (!failure.ok()) return i;
  }
  return -1;
}

void ExpectWholeAndUsable(SqliteStore& store, int applied) {
  const auto image = store.Load();
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->inventory.size(), static_cast<std::size_t>(applied));
  EXPECT_EQ(image->holds.size(), static_cast<std::size_t>(applied));
}

TEST(SqliteDiskFullTest, PageLimitIsResourceExhaustedAndSpaceFreedIsUsedAgain) {
  TemporaryFolder folder;
  const auto store = OpenStore(folder.File("store.db"), {.max_pages = 200});
  absl::Status failure;
  const int applied = FillUntilFull(*store, failure);
  EXPECT_EQ(failure.code(), absl::StatusCode::kResourceExhausted) << failure;
  EXPECT_THAT(failure.message(), HasSubstr("disk full"));
  ASSERT_GT(applied, 0);
  ExpectWholeAndUsable(*store, applied);
  ASSERT_TRUE(store->Apply({.delete_inventory = {"stack/0", "stack/1"}}).ok());
  EXPECT_TRUE(store->Apply(NumberedBatch(100'000)).ok());
}

// A small file system of its own. Empty path when this process may not mount.
class SmallDisk {
 public:
  SmallDisk() {
    mounted_ = mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=1m") == 0;
    if (!mounted_) error_ = std::strerror(errno);
  }
  ~SmallDisk() {
    if (mounted_) umount2(folder_.path().c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  const std::string& error() const { return error_; }
  std::string File(const std::string& name) const { return folder_.File(name); }

 private:
  TemporaryFolder folder_;
  bool mounted_ = false;
  std::string error_;
};

TEST(SqliteDiskFullTest, FullFileSystemIsResourceExhaustedAndWorksAgainWithSpace) {
  SmallDisk disk;
  if (!disk.mounted()) {
    GTEST_SKIP() << "SKIPPED: mounting a small tmpfs needs root: " << disk.error();
  }
  const std::string ballast = disk.File("ballast");
  FILE* file = fopen(ballast.c_str(), "w");
  ASSERT_NE(file, nullptr);
  const std::string bytes(300'000, 'b');
  fwrite(bytes.data(), 1, bytes.size(), file);
  fclose(file);

  auto store = OpenStore(disk.File("store.db"));
  absl::Status failure;
  const int applied = FillUntilFull(*store, failure);
  EXPECT_EQ(failure.code(), absl::StatusCode::kResourceExhausted) << failure;
  ASSERT_GT(applied, 0);
  ExpectWholeAndUsable(*store, applied);
  unlink(ballast.c_str());
  EXPECT_TRUE(store->Apply(NumberedBatch(100'000)).ok());
  store.reset();
  store = OpenStore(disk.File("store.db"));
  ExpectWholeAndUsable(*store, applied + 1);
}

}  // namespace
}  // namespace fairlead::store
