// A server-side stream fed from any thread.
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_callback.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "base/mutex.h"

namespace fairlead::service {

// The queue that feeds one stream; kept by the producers, while the reactor belongs to gRPC.
// Thread-safe.
template <typename Response>
class StreamFeed {
 public:
  explicit StreamFeed(std::size_t limit) : limit_(limit) {}

  // False when the stream has ended or the reader is too slow: the producer stops.
  bool Send(Response response) {
    base::MutexLock lock(mutex_);
    if (ended_ || closing_) return false;
    if (queue_.size() >= limit_) {
      closing_ = true;
      final_ = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "the reader is too slow");
      return false;
    }
    queue_.push_back(std::move(response));
    PumpLocked();
    return true;
  }

  // Ends the stream after what is queued.
  void Close(grpc::Status status) {
    base::MutexLock lock(mutex_);
    if (ended_ || closing_) return;
    closing_ = true;
    final_ = std::move(status);
    PumpLocked();
  }

  bool ended() const {
    base::MutexLock lock(mutex_);
    return ended_ || closing_;
  }

 private:
  template <typename R>
  friend class StreamReactor;

  void PumpLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (reactor_ == nullptr || writing_ || finished_) return;
    if (!queue_.empty() && !cancelled_) {
      writing_ = true;
      current_ = std::move(queue_.front());
      queue_.pop_front();
      reactor_->StartWrite(&current_);
    } else if (closing_ || cancelled_) {
      finished_ = true;
      reactor_->Finish(cancelled_ ? grpc::Status::CANCELLED : final_);
    }
  }

  const std::size_t limit_;
  mutable base::Mutex mutex_;
  grpc::ServerWriteReactor<Response>* reactor_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::deque<Response> queue_ ABSL_GUARDED_BY(mutex_);
  Response current_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status final_ ABSL_GUARDED_BY(mutex_);
};

// Owned by gRPC; deletes itself when the call is done, after `on_end`.
template <typename Response>
class StreamReactor final : public grpc::ServerWriteReactor<Response> {
 public:
  StreamReactor(std::shared_ptr<StreamFeed<Response>> feed, std::function<void()> on_end)
      : feed_(std::move(feed)), on_end_(std::move(on_end)) {
    base::MutexLock lock(feed_->mutex_);
    feed_->reactor_ = this;
    // Whoever passes the call on knows by this that it was let in, before there is anything to say.
    this->StartSendInitialMetadata();
    feed_->PumpLocked();
  }

  void OnWriteDone(bool ok) override {
    base::MutexLock lock(feed_->mutex_);
    feed_->writing_ = false;
    if (!ok) feed_->cancelled_ = true;
    feed_->PumpLocked();
  }

  void OnCancel() override {
    base::MutexLock lock(feed_->mutex_);
    feed_->cancelled_ = true;
    feed_->PumpLocked();
  }

  void OnDone() override {
    {
      base::MutexLock lock(feed_->mutex_);
      feed_->ended_ = true;
      feed_->reactor_ = nullptr;
    }
    if (on_end_) on_end_();
    delete this;
  }

 private:
  const std::shared_ptr<StreamFeed<Response>> feed_;
  const std::function<void()> on_end_;
};

}  // namespace fairlead::service
