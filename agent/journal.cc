#include "agent/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

constexpr std::size_t kHeaderSize = 8;
constexpr uint32_t kMaximumRecord = 64u << 20;
constexpr uint64_t kCompactAbove = 4u << 20;

uint32_t Crc32c(absl::string_view data) {
  static const std::array<uint32_t, 256> kTable = [] {
    std::array<uint32_t, 256> table{};
    for (uint32_t i = 0; i < table.size(); ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78u : 0);
      table[i] = value;
    }
    return table;
  }();
  uint32_t crc = ~0u;
  for (const char c : data) crc = kTable[(crc ^ static_cast<uint8_t>(c)) & 0xff] ^ (crc >> 8);
  return ~crc;
}

void PutU32(std::string& out, uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(value >> shift));
}

uint32_t GetU32(absl::string_view data) {
  uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value |= static_cast<uint32_t>(static_cast<uint8_t>(data[i])) << (8 * i);
  }
  return value;
}

}  // namespace

void JournalState::Apply(const v1::JournalRecord& record) {
  switch (record.record_case()) {
    case v1::JournalRecord::kIntent: {
      Entry& entry = entries[record.intent().id()];
      entry.action = record.intent();
      break;
    }
    case v1::JournalRecord::kGroup: {
      const auto found = entries.find(record.group().action_id());
      if (found != entries.end()) found->second.groups.push_back(record.group());
      break;
    }
    case v1::JournalRecord::kOutcome: {
      const auto found = entries.find(record.outcome().action_id());
      if (found == entries.end()) break;
      found->second.finished = true;
      found->second.outcome = record.outcome();
      found->second.groups.clear();
      break;
    }
    case v1::JournalRecord::kForget:
      entries.erase(record.forget());
      break;
    case v1::JournalRecord::RECORD_NOT_SET:
      break;
  }
}

std::string EncodeRecord(const v1::JournalRecord& record) {
  const std::string bytes = record.SerializeAsString();
  std::string out;
  out.reserve(kHeaderSize + bytes.size());
  PutU32(out, static_cast<uint32_t>(bytes.size()));
  PutU32(out, Crc32c(bytes));
  out.append(bytes);
  return out;
}

std::size_t DecodeRecords(absl::string_view content, std::vector<v1::JournalRecord>* records) {
  std::size_t position = 0;
  while (content.size() - position >= kHeaderSize) {
    const uint32_t length = GetU32(content.substr(position));
    const uint32_t crc = GetU32(content.substr(position + 4));
    if (length > kMaximumRecord || content.size() - position - kHeaderSize < length) break;
    const absl::string_view bytes = content.substr(position + kHeaderSize, length);
    v1::JournalRecord record;
    if (Crc32c(bytes) != crc || !record.ParseFromArray(bytes.data(), static_cast<int>(length))) {
      break;
    }
    records->push_back(std::move(record));
    position += kHeaderSize + length;
  }
  return position;
}

absl::StatusOr<Journal> Journal::Open(const std::string& path) {
  absl::StatusOr<std::string> content = base::ReadFile(path);
  if (!content.ok() && !absl::IsNotFound(content.status())) return content.status();
  std::vector<v1::JournalRecord> records;
  std::size_t good = 0;
  if (content.ok()) good = DecodeRecords(*content, &records);
  JournalState state;
  for (const v1::JournalRecord& record : records) state.Apply(record);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return base::ErrnoStatus(errno, absl::StrCat("open ", path));
  Journal journal(path, fd, good, std::move(state));
  if (::ftruncate(fd, static_cast<off_t>(good)) != 0) {
    return base::ErrnoStatus(errno, absl::StrCat("truncate ", path));
  }
  if (good > kCompactAbove / 4) RETURN_IF_ERROR(journal.Compact());
  return journal;
}

Journal::Journal(std::string path, int fd, uint64_t size, JournalState state)
    : path_(std::move(path)), fd_(fd), size_(size), state_(std::move(state)) {}

Journal::~Journal() {
  if (fd_ >= 0) ::close(fd_);
}

Journal::Journal(Journal&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      state_(std::move(other.state_)) {}

absl::Status Journal::Append(const v1::JournalRecord& record) {
  const std::string bytes = EncodeRecord(record);
  std::size_t done = 0;
  absl::Status status;
  while (done < bytes.size() && status.ok()) {
    const ssize_t written = ::pwrite(fd_, bytes.data() + done, bytes.size() - done,
                                     static_cast<off_t>(size_ + done));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      status = base::ErrnoStatus(errno, absl::StrCat("write ", path_));
    } else {
      done += static_cast<std::size_t>(written);
    }
  }
  if (status.ok() && ::fdatasync(fd_) != 0) {
    status = base::ErrnoStatus(errno, absl::StrCat("sync ", path_));
  }
  if (!status.ok()) {
    // A part that stays behind would be dropped as torn, but must not precede a later record.
    if (::ftruncate(fd_, static_cast<off_t>(size_)) != 0) {
      return base::Annotate(status, "and cannot be cut back");
    }
    return status;
  }
  size_ += bytes.size();
  state_.Apply(record);
  // A failed rewrite leaves the long file, which is as good.
  if (size_ > kCompactAbove) Compact().IgnoreError();
  return absl::OkStatus();
}

absl::Status Journal::Compact() {
  std::string content;
  for (const auto& [id, entry] : state_.entries) {
    v1::JournalRecord record;
    *record.mutable_intent() = entry.action;
    content += EncodeRecord(record);
    for (const auto& group : entry.groups) {
      *record.mutable_group() = group;
      content += EncodeRecord(record);
    }
    if (entry.finished) {
      *record.mutable_outcome() = entry.outcome;
      content += EncodeRecord(record);
    }
  }
  RETURN_IF_ERROR(base::WriteFileAtomically(path_, content));
  const int fd = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return base::ErrnoStatus(errno, absl::StrCat("open ", path_));
  ::close(fd_);
  fd_ = fd;
  size_ = content.size();
  return absl::OkStatus();
}

}  // namespace fairlead::agent
