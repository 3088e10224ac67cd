#include "agent/log_runner.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace fairlead::agent {

LogRunner::LogRunner(Runtime& runtime, std::size_t limit, Send send)
    : runtime_(runtime), limit_(limit), send_(std::move(send)) {}

LogRunner::~LogRunner() {
  CancelAll();
  std::list<Stream> ending;
  {
    base::MutexLock lock(mutex_);
    ending.swap(streams_);
  }
  for (Stream& stream : ending) stream.thread.join();
}

std::optional<v1::LogLines> LogRunner::Start(const v1::LogRequest& request) {
  base::MutexLock lock(mutex_);
  streams_.remove_if([](Stream& stream) {
    if (!stream.done) return false;
    stream.thread.join();
    return true;
  });
  if (streams_.size() >= limit_) {
    v1::LogLines refusal;
    refusal.set_request_id(request.request_id());
    refusal.set_end(true);
    refusal.set_error(
        absl::StrCat("the agent already reads ", limit_, " logs; end one and try again"));
    return refusal;
  }
  Stream& stream = streams_.emplace_back();
  stream.request = request;
  stream.thread = std::thread([this, &stream] { Read(stream); });
  return std::nullopt;
}

void LogRunner::Cancel(uint64_t request_id) {
  base::MutexLock lock(mutex_);
  for (Stream& stream : streams_) {
    if (stream.request.request_id() == request_id) stream.cancelled = true;
  }
}

void LogRunner::CancelAll() {
  base::MutexLock lock(mutex_);
  for (Stream& stream : streams_) stream.cancelled = true;
}

void LogRunner::Read(Stream& stream) const {
  v1::LogLines last;
  const absl::Status status = runtime_.Logs(
      stream.request,
      [this, &stream](const v1::LogLines& lines) {
        if (stream.cancelled || lines.lines().empty()) return;
        v1::LogLines sent = lines;
        sent.set_request_id(stream.request.request_id());
        sent.set_end(false);
        send_(sent);
      },
      [&stream] { return stream.cancelled.load(); });
  last.set_request_id(stream.request.request_id());
  last.set_end(true);
  if (!status.ok() && !stream.cancelled) last.set_error(std::string(status.message()));
  send_(last);
  stream.done = true;
}

}  // namespace fairlead::agent
