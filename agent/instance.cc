#include "agent/instance.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/log.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

constexpr std::size_t kIdLength = 16;
constexpr std::size_t kStatLimit = 4096;

bool IsId(const std::string& text) {
  return text.size() == kIdLength && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z');
         });
}

// Fields from the third on: the second, the program's name, may hold spaces and parentheses.
std::vector<absl::string_view> StatFields(absl::string_view stat) {
  const std::size_t end = stat.rfind(')');
  if (end == absl::string_view::npos) return {};
  return absl::StrSplit(stat.substr(end + 1), absl::ByAnyChar(" \n"), absl::SkipEmpty());
}

std::string ReadStat(int pid) {
  return base::ReadFile(absl::StrCat("/proc/", pid, "/stat"), kStatLimit).value_or("");
}

// Kills what is left of a group without leader.
bool EndMembers(const v1::JournalRecord::ProcessGroup& group) {
  constexpr std::size_t kGroupField = 5 - 3;
  bool any = false;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    int pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    const std::string stat = ReadStat(pid);
    const std::vector<absl::string_view> fields = StatFields(stat);
    int member_of = 0;
    if (fields.size() <= kGroupField || !absl::SimpleAtoi(fields[kGroupField], &member_of) ||
        member_of != group.group() || ParseStartTicks(stat) < group.leader_start_ticks()) {
      continue;
    }
    struct stat owner{};
    if (::stat(entry.path().c_str(), &owner) != 0 || owner.st_uid != ::geteuid()) continue;
    any = ::kill(pid, SIGKILL) == 0 || any;
  }
  return any;
}

bool EndGroup(const v1::JournalRecord::ProcessGroup& group) {
  if (group.group() <= 1 || group.leader_start_ticks() == 0) return false;
  const uint64_t ticks = ReadStartTicks(group.group());
  if (ticks == 0) return EndMembers(group);
  if (ticks != group.leader_start_ticks()) return false;
  return ::kill(-group.group(), SIGKILL) == 0;
}

}  // namespace

absl::StatusOr<Instance> OpenInstance(const std::string& data_dir, base::Random& random) {
  Instance instance;
  RETURN_IF_ERROR(base::MakeDirectories(data_dir), "data directory");
  ASSIGN_OR_RETURN(instance.lock, base::FileLock::Acquire(absl::StrCat(data_dir, "/lock")),
                   absl::StrCat("data directory ", data_dir));
  const std::string path = absl::StrCat(data_dir, "/instance_id");
  const absl::StatusOr<std::string> kept = base::ReadFile(path, kStatLimit);
  if (kept.ok()) {
    instance.id = *kept;
    if (!instance.id.empty() && instance.id.back() == '\n') instance.id.pop_back();
    if (!IsId(instance.id)) {
      return absl::DataLossError(
          absl::StrCat(path, ": does not hold an id; remove it to begin as a new agent"));
    }
  } else if (absl::IsNotFound(kept.status())) {
    instance.id = base::NewId(random, kIdLength);
    RETURN_IF_ERROR(base::WriteFileAtomically(path, absl::StrCat(instance.id, "\n")));
  } else {
    return kept.status();
  }
  instance.journal_path = absl::StrCat(data_dir, "/journal");
  return instance;
}

uint64_t ParseStartTicks(absl::string_view stat) {
  constexpr std::size_t kStartField = 22 - 3;
  const std::vector<absl::string_view> fields = StatFields(stat);
  uint64_t ticks = 0;
  if (fields.size() <= kStartField || !absl::SimpleAtoi(fields[kStartField], &ticks)) return 0;
  return ticks;
}

uint64_t ReadStartTicks(int pid) { return ParseStartTicks(ReadStat(pid)); }

int EndLeftoverGroups(const JournalState& journal) {
  int ended = 0;
  for (const auto& [id, entry] : journal.entries) {
    if (entry.finished) continue;
    for (const auto& group : entry.groups) {
      if (!EndGroup(group)) continue;
      ++ended;
      base::LogWarning("agent", "ended process group ", group.group(), " left by action ", id,
                       " on ", entry.action.resource());
    }
  }
  return ended;
}

}  // namespace fairlead::agent
