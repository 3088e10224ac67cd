#include "agent/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/file.h"

namespace fairlead::agent {
namespace {

v1::JournalRecord Intent(const std::string& id, std::size_t size = 0) {
  v1::JournalRecord record;
  record.mutable_intent()->set_id(id);
  record.mutable_intent()->set_resource("deployment/web");
  record.mutable_intent()->set_spec_hash(std::string(size, 'x'));
  return record;
}

v1::JournalRecord Outcome(const std::string& id) {
  v1::JournalRecord record;
  record.mutable_outcome()->set_action_id(id);
  record.mutable_outcome()->set_status(v1::ACTION_STATUS_SUCCEEDED);
  return record;
}

v1::JournalRecord Group(const std::string& id, int group) {
  v1::JournalRecord record;
  record.mutable_group()->set_action_id(id);
  record.mutable_group()->set_group(group);
  record.mutable_group()->set_leader_start_ticks(7);
  return record;
}

v1::JournalRecord Forget(const std::string& id) {
  v1::JournalRecord record;
  record.set_forget(id);
  return record;
}

class JournalTest : public ::testing::Test {
 protected:
  JournalTest() {
    std::string name = absl::StrCat(::testing::TempDir(), "/journal_XXXXXX");
    directory_ = ::mkdtemp(name.data());
    path_ = directory_ + "/journal";
  }
  ~JournalTest() override { std::filesystem::remove_all(directory_); }

  Journal Open() {
    absl::StatusOr<Journal> journal = Journal::Open(path_);
    EXPECT_TRUE(journal.ok()) << journal.status();
    return *std::move(journal);
  }
  void WriteRaw(const std::string& content) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << content;
  }
  std::string ReadRaw() { return base::ReadFile(path_).value_or("unreadable"); }

  std::string directory_;
  std::string path_;
};

TEST_F(JournalTest, RemembersAcrossReopening) {
  {
    Journal journal = Open();
    ASSERT_TRUE(journal.Append(Intent("a")).ok());
    ASSERT_TRUE(journal.Append(Group("a", 42)).ok());
    ASSERT_TRUE(journal.Append(Intent("b")).ok());
    ASSERT_TRUE(journal.Append(Outcome("b")).ok());
    ASSERT_TRUE(journal.Append(Intent("c")).ok());
    ASSERT_TRUE(journal.Append(Outcome("c")).ok());
    ASSERT_TRUE(journal.Append(Forget("c")).ok());
  }
  const Journal journal = Open();
  const auto& entries = journal.state().entries;
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_FALSE(entries.at("a").finished);
  ASSERT_EQ(entries.at("a").groups.size(), 1u);
  EXPECT_EQ(entries.at("a").groups[0].group(), 42);
  EXPECT_EQ(entries.at("a").action.resource(), "deployment/web");
  EXPECT_TRUE(entries.at("b").finished);
  EXPECT_EQ(entries.at("b").outcome.status(), v1::ACTION_STATUS_SUCCEEDED);
}

TEST_F(JournalTest, FileIsForTheOwnerOnly) {
  Open();
  struct stat file{};
  ASSERT_EQ(::stat(path_.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
}

TEST_F(JournalTest, TornEndAtEveryByteKeepsAllBefore) {
  const std::string first = EncodeRecord(Intent("a"));
  const std::string second = EncodeRecord(Intent("b"));
  for (std::size_t length = 0; length < second.size(); ++length) {
    SCOPED_TRACE(length);
    WriteRaw(first + second.substr(0, length));
    {
      Journal journal = Open();
      ASSERT_EQ(journal.state().entries.size(), 1u);
      EXPECT_TRUE(journal.state().entries.contains("a"));
      EXPECT_EQ(ReadRaw(), first);
      ASSERT_TRUE(journal.Append(Intent("c")).ok());
    }
    const Journal again = Open();
    EXPECT_EQ(again.state().entries.size(), 2u);
    EXPECT_TRUE(again.state().entries.contains("c"));
  }
}

TEST_F(JournalTest, DamagedLastRecordIsTakenForTorn) {
  const std::string first = EncodeRecord(Intent("a"));
  const std::string second = EncodeRecord(Intent("b"));
  for (std::size_t i = 0; i < second.size(); ++i) {
    SCOPED_TRACE(i);
    std::string damaged = second;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    WriteRaw(first + damaged);
    const Journal journal = Open();
    EXPECT_EQ(journal.state().entries.size(), 1u);
    EXPECT_TRUE(journal.state().entries.contains("a"));
  }
}

TEST_F(JournalTest, DamageBeforeOtherRecordsIsAnErrorAndLeavesTheFile) {
  const std::string first = EncodeRecord(Intent("a"));
  const std::string rest = EncodeRecord(Intent("b")) + EncodeRecord(Outcome("b"));
  for (std::size_t i = 0; i < first.size(); ++i) {
    SCOPED_TRACE(i);
    std::string damaged = first;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    WriteRaw(damaged + rest);
    const absl::StatusOr<Journal> journal = Journal::Open(path_);
    EXPECT_EQ(journal.status().code(), absl::StatusCode::kDataLoss) << journal.status();
    EXPECT_THAT(std::string(journal.status().message()), ::testing::HasSubstr("damaged at byte 0"));
    EXPECT_EQ(ReadRaw(), damaged + rest);
  }
}

TEST_F(JournalTest, ZerosAtTheEndAreDropped) {
  const std::string first = EncodeRecord(Intent("a"));
  WriteRaw(first + std::string(4096, '\0'));
  EXPECT_EQ(Open().state().entries.size(), 1u);
  EXPECT_EQ(ReadRaw(), first);
}

TEST_F(JournalTest, RewritesTheFileWithoutTheForgotten) {
  {
    Journal journal = Open();
    ASSERT_TRUE(journal.Append(Intent("kept")).ok());
    ASSERT_TRUE(journal.Append(Group("kept", 42)).ok());
    for (int i = 0; i < 12; ++i) {
      const std::string id = absl::StrCat("large", i);
      ASSERT_TRUE(journal.Append(Intent(id, 400'000)).ok());
      ASSERT_TRUE(journal.Append(Outcome(id)).ok());
      ASSERT_TRUE(journal.Append(Forget(id)).ok());
    }
    EXPECT_LT(std::filesystem::file_size(path_), 4u << 20);
    ASSERT_TRUE(journal.Append(Intent("later")).ok());
  }
  {
    // Above a quarter of the limit an opening rewrites too.
    const Journal journal = Open();
    EXPECT_EQ(journal.state().entries.size(), 2u);
    EXPECT_EQ(journal.state().entries.at("kept").groups.size(), 1u);
  }
  EXPECT_EQ(Open().state().entries.size(), 2u);
}

TEST_F(JournalTest, LargeOpenActionsAreNotRewrittenAtEachAppend) {
  Journal journal = Open();
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(journal.Append(Intent(absl::StrCat("large", i), 400'000)).ok());
  }
  struct stat before{};
  struct stat after{};
  ASSERT_EQ(::stat(path_.c_str(), &before), 0);
  ASSERT_TRUE(journal.Append(Intent("small")).ok());
  ASSERT_EQ(::stat(path_.c_str(), &after), 0);
  // A rewrite makes a new file.
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_GT(after.st_size, before.st_size);
}

// Lets files grow to `bytes` only, as a full disk would.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(JournalTest, FullDiskLeavesTheJournalAsItWas) {
  Journal journal = Open();
  ASSERT_TRUE(journal.Append(Intent("a")).ok());
  const std::string before = ReadRaw();
  {
    // The first part of the record still fits.
    const FileSizeLimit limit(before.size() + 11);
    EXPECT_FALSE(journal.Append(Intent("b", 100)).ok());
  }
  EXPECT_EQ(ReadRaw(), before);
  EXPECT_EQ(journal.state().entries.size(), 1u);
  ASSERT_TRUE(journal.Append(Intent("c")).ok());
  EXPECT_EQ(Open().state().entries.size(), 2u);
}

TEST_F(JournalTest, UnreadablePathIsAnError) {
  EXPECT_FALSE(Journal::Open(directory_).ok());
  EXPECT_FALSE(Journal::Open(directory_ + "/missing/journal").ok());
}

TEST(JournalStateTest, RecordsOfUnknownActionsAreIgnored) {
  JournalState state;
  state.Apply(Group("a", 1));
  state.Apply(Outcome("a"));
  state.Apply(Forget("a"));
  state.Apply(v1::JournalRecord());
  EXPECT_TRUE(state.entries.empty());
}

}  // namespace
}  // namespace fairlead::agent
