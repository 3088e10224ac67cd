#include "agent/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
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
// Bytes of checksums computed at most in search of records behind a damage.
constexpr uint64_t kSearchLimit = 256u << 20;

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

// Reads the record at the start of `content`; 0 when there is none that is well, else its size.
std::size_t DecodeOne(absl::string_view content, v1::JournalRecord* record) {
  if (content.size() < kHeaderSize) return 0;
  const uint32_t length = GetU32(content);
  // An empty record is never written, but zeros left by a crash would read as one.
  if (length == 0 || length > kMaximumRecord || content.size() - kHeaderSize < length) return 0;
  const absl::string_view bytes = content.substr(kHeaderSize, length);
  if (Crc32c(bytes) != GetU32(content.substr(4))) return 0;
  if (!record->ParseFromArray(bytes.data(), static_cast<int>(length))) return 0;
  return kHeaderSize + length;
}

// Whether a well record stands anywhere in `content`: then what is before it was not torn by a
// crash but damaged.
bool HoldsRecord(absl::string_view content) {
  uint64_t searched = 0;
  for (std::size_t i = 1; i + kHeaderSize <= content.size() && searched < kSearchLimit; ++i) {
    const uint32_t length = GetU32(content.substr(i));
    if (length <= content.size() - i - kHeaderSize) searched += length;
    v1::JournalRecord record;
    if (DecodeOne(content.substr(i), &record) != 0 &&
        record.record_case() != v1::JournalRecord::RECORD_NOT_SET) {
      return true;
    }
  }
  return false;
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
  v1::JournalRecord record;
  while (const std::size_t size = DecodeOne(content.substr(position), &record)) {
    records->push_back(std::move(record));
    record.Clear();
    position += size;
  }
  return position;
}

absl::StatusOr<Journal> Journal::Open(const std::string& path) {
  absl::StatusOr<std::string> content = base::ReadFile(path);
  if (!content.ok() && !absl::IsNotFound(content.status())) return content.status();
  std::vector<v1::JournalRecord> records;
  std::size_t good = 0;
  if (content.ok()) {
    good = DecodeRecords(*content, &records);
    if (HoldsRecord(absl::string_view(*content).substr(good))) {
      return absl::DataLossError(absl::StrCat(path, ": damaged at byte ", good,
                                              ", with records behind it; which actions ran cannot ",
                                              "be told. Move the file away to start without them"));
    }
  } else {
    // The folder's entry must be durable too, which an fsync of the file does not promise.
    RETURN_IF_ERROR(base::WriteFileAtomically(path, ""));
  }
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
    : path_(std::move(path)),
      fd_(fd),
      size_(size),
      compact_above_(kCompactAbove),
      state_(std::move(state)) {}

Journal::~Journal() {
  if (fd_ >= 0) ::close(fd_);
}

Journal::Journal(Journal&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      compact_above_(other.compact_above_),
      state_(std::move(other.state_)) {}

absl::Status Journal::Append(const v1::JournalRecord& record) {
  const std::string bytes = EncodeRecord(record);
  std::size_t done = 0;
  absl::Status status;
  while (done < bytes.size() && status.ok()) {
    const ssize_t written =
        ::pwrite(fd_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(size_ + done));
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
    if (::ftruncate(fd_, static_cast<off_t>(size_)) != 0 || ::fdatasync(fd_) != 0) {
      return base::Annotate(status, "and cannot be cut back");
    }
    return status;
  }
  size_ += bytes.size();
  state_.Apply(record);
  // A failed rewrite leaves the long file, which is as good.
  if (size_ > compact_above_) Compact().IgnoreError();
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
  // Large open actions must not make every append rewrite the file.
  compact_above_ = std::max<uint64_t>(kCompactAbove, 2 * size_);
  return absl::OkStatus();
}

}  // namespace fairlead::agent
