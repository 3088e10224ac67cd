// A TCP proxy that breaks connections off at the worst moment.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace fairlead::store {

// What becomes of the first message with the trigger in it.
enum class Cut {
  kNothing,
  // It never reaches the server.
  kBeforeServer,
  // The server does it, and its answer is lost.
  kAfterServer,
  // The client is cut off; the server gets it at Release.
  kHold,
};

// Between clients and a server on loopback, without TLS. Thread-safe.
class CuttingProxy {
 public:
  explicit CuttingProxy(int server_port);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  int port() const { return port_; }
  // The next message that holds `trigger` is cut; only that one.
  void Arm(Cut cut, const std::string& trigger);
  // How often a cut has happened.
  int cuts();
  // Sends what is held and waits for the server's answer, which is returned.
  std::string Release();

 private:
  void Accept();
  void Serve(int client);
  // Takes the armed cut when `bytes` has its trigger.
  Cut Take(const std::string& bytes);

  const int server_port_;
  int listener_ = -1;
  int port_ = 0;
  // Closed to end all threads.
  int stop_ends_[2] = {-1, -1};
  std::thread acceptor_;

  base::Mutex mutex_;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
  Cut cut_ ABSL_GUARDED_BY(mutex_) = Cut::kNothing;
  std::string trigger_ ABSL_GUARDED_BY(mutex_);
  int cuts_ ABSL_GUARDED_BY(mutex_) = 0;
  int held_server_ ABSL_GUARDED_BY(mutex_) = -1;
  std::string held_bytes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fairlead::store
