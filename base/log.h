// Structured one-line logs: time, level, area, message.
#pragma once

#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace fairlead::base {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Thread-safe. Writes to standard error.
void Log(LogLevel level, absl::string_view area, absl::string_view message);

// Lines below `level` are dropped; kInfo at first.
void SetLogLevel(LogLevel level);

// Takes the lines of one thread, of every level, instead of standard error.
using LogSink =
    std::function<void(LogLevel level, absl::string_view area, absl::string_view message)>;

// For the calling thread, until it is given another one; null ends it. `sink` must live so long.
void SetThreadLogSink(const LogSink* sink);

// Parts are joined as absl::StrCat does.
template <typename... Parts>
void LogInfo(absl::string_view area, const Parts&... parts) {
  Log(LogLevel::kInfo, area, absl::StrCat(parts...));
}
template <typename... Parts>
void LogWarning(absl::string_view area, const Parts&... parts) {
  Log(LogLevel::kWarning, area, absl::StrCat(parts...));
}
template <typename... Parts>
void LogError(absl::string_view area, const Parts&... parts) {
  Log(LogLevel::kError, area, absl::StrCat(parts...));
}
template <typename... Parts>
void LogDebug(absl::string_view area, const Parts&... parts) {
  Log(LogLevel::kDebug, area, absl::StrCat(parts...));
}

}  // namespace fairlead::base
