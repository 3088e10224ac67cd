// What runs in a container and is asked how it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace fairlead::agent {

// Listens on 127.0.0.1. Thread-safe.
class ProbeServer {
 public:
  ProbeServer();
  ~ProbeServer();
  ProbeServer(const ProbeServer&) = delete;
  ProbeServer& operator=(const ProbeServer&) = delete;

  uint16_t port() const { return port_; }
  // What each request gets from now on, as it goes over the wire; empty: nothing at all.
  void SetAnswer(const std::string& answer) ABSL_LOCKS_EXCLUDED(mutex_);
  // Heads of the requests so far.
  std::vector<std::string> Requests() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Connections that were open at once, at most.
  std::size_t MostAtOnce() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Loop;
  struct Guest;

  void Accept();
  void Serve(const std::shared_ptr<Guest>& guest);

  const std::unique_ptr<Loop> loop_;
  uint16_t port_ = 0;
  mutable base::Mutex mutex_;
  std::string answer_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> requests_ ABSL_GUARDED_BY(mutex_);
  std::size_t open_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t most_open_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

// "HTTP/1.1 200 OK" and the like, with a short body.
std::string AnswerOf(const std::string& status);

}  // namespace fairlead::agent
