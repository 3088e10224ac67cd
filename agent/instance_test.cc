#include "agent/instance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"

#include "agent/connection.h"

namespace fairlead::agent {
namespace {

// A child in its own group that waits to be killed.
pid_t StartGroup() {
  const pid_t pid = ::fork();
  if (pid == 0) {
    // Never outlives a test that was cut.
    ::alarm(60);
    while (true) ::pause();
  }
  // Only here: the child doing it too could undo a later change of its group.
  ::setpgid(pid, pid);
  return pid;
}

bool IsAlive(pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) == 0; }

void EndGroup(pid_t pid) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

JournalState StateWithGroup(pid_t group, uint64_t ticks, bool finished) {
  JournalState state;
  JournalState::Entry& entry = state.entries["a"];
  entry.action.set_id("a");
  entry.finished = finished;
  entry.groups.emplace_back().set_group(group);
  entry.groups.back().set_leader_start_ticks(ticks);
  return state;
}

TEST(InstanceTest, KeepsItsIdAndItsDirectory) {
  std::string name = absl::StrCat(::testing::TempDir(), "/instance_XXXXXX");
  const std::string directory = std::string(::mkdtemp(name.data())) + "/data";
  std::string id;
  {
    const absl::StatusOr<Instance> first = OpenInstance(directory, base::Random::Real());
    ASSERT_TRUE(first.ok()) << first.status();
    id = first->id;
    EXPECT_EQ(id.size(), 16u);
    const absl::StatusOr<Instance> second = OpenInstance(directory, base::Random::Real());
    EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(second.status().message()),
                ::testing::HasSubstr(absl::StrCat("pid ", ::getpid())));
  }
  EXPECT_EQ(OpenInstance(directory, base::Random::Real())->id, id);
  ASSERT_TRUE(base::WriteFileAtomically(directory + "/instance_id", "nonsense\n").ok());
  EXPECT_EQ(OpenInstance(directory, base::Random::Real()).status().code(),
            absl::StatusCode::kDataLoss);
  std::filesystem::remove_all(std::filesystem::path(directory).parent_path());
}

TEST(InstanceTest, DirectoryThatCannotBeMadeIsAnError) {
  EXPECT_FALSE(OpenInstance("/proc/fairlead", base::Random::Real()).ok());
}

TEST(InstanceTest, ReadsTheStartOfProgramsWithStrangeNames) {
  const std::string numbers = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21";
  EXPECT_EQ(ParseStartTicks("12 (a) R) 1 (x) " + numbers), 4711u);
  EXPECT_EQ(ParseStartTicks("12 (sleep) S 1 2"), 0u);
  EXPECT_EQ(ParseStartTicks(""), 0u);
  EXPECT_GT(ReadStartTicks(::getpid()), 0u);
}

TEST(InstanceTest, EndsAGroupThatAnOpenActionLeft) {
  const pid_t pid = StartGroup();
  EXPECT_EQ(EndLeftoverGroups(StateWithGroup(pid, ReadStartTicks(pid), false)), 1);
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST(InstanceTest, LeavesAReusedPidAlone) {
  const pid_t pid = StartGroup();
  EXPECT_EQ(EndLeftoverGroups(StateWithGroup(pid, ReadStartTicks(pid) - 1, false)), 0);
  EXPECT_TRUE(IsAlive(pid));
  EndGroup(pid);
}

TEST(InstanceTest, LeavesGroupsOfFinishedActionsAlone) {
  const pid_t pid = StartGroup();
  EXPECT_EQ(EndLeftoverGroups(StateWithGroup(pid, ReadStartTicks(pid), true)), 0);
  EXPECT_TRUE(IsAlive(pid));
  EndGroup(pid);
}

TEST(InstanceTest, EndsMembersOfAGroupWithoutLeader) {
  const pid_t leader = StartGroup();
  const uint64_t ticks = ReadStartTicks(leader);
  const pid_t member = StartGroup();
  ASSERT_EQ(::setpgid(member, leader), 0);
  EndGroup(leader);
  EXPECT_EQ(EndLeftoverGroups(StateWithGroup(leader, ticks, false)), 1);
  int status = 0;
  EXPECT_EQ(::waitpid(member, &status, 0), member);
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST(LoopbackTest, KnowsWhatStaysOnTheMachine) {
  for (const char* address : {"127.0.0.1:7400", "127.1.2.3:1", "localhost:7400", "[::1]:7400",
                              "unix:/run/fairlead.sock", "127.0.0.1:1,localhost:2"}) {
    EXPECT_TRUE(IsLoopback(address)) << address;
  }
  for (const char* address :
       {"10.0.0.1:7400", "example.org:7400", "127.example.org:7400", "[::2]:7400", "0.0.0.0:7400",
        "", "localhost.example.org:7400", "127.0.0.1:1,10.0.0.1:1"}) {
    EXPECT_FALSE(IsLoopback(address)) << address;
  }
}

TEST(LoopbackTest, AddressesAreSeparatedByCommas) {
  EXPECT_EQ(AddressesOf("a:1"), std::vector<std::string>{"a:1"});
  EXPECT_EQ(AddressesOf(" a:1 ,, b:2,"), (std::vector<std::string>{"a:1", "b:2"}));
}

}  // namespace
}  // namespace fairlead::agent
