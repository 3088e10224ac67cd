// The agent's stream to the controller: dials, keeps one stream, dials again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "fairlead/v1/agent.pb.h"

namespace grpc {
class ClientContext;
}

namespace fairlead::agent {

// Paths of PEM files, read anew for every attempt, so that renewed ones are picked up.
struct TlsFiles {
  std::string certificate;
  std::string key;
  // Empty uses the machine's roots.
  std::string ca;
};

// Of an agent that has joined, below its data directory.
struct IdentityFiles {
  // Key and certificate in one, so that they always belong together. Mode 0600.
  std::string identity;
  // Whom it believes to be the controller; an empty file: the machine's authorities.
  std::string authorities;
};

// OK when the files can be read.
absl::Status CheckTlsFiles(const TlsFiles& files);

// Each of the addresses in "a:7400,b:7400".
std::vector<std::string> AddressesOf(absl::string_view list);

// Whether none of the addresses ("host:port", "[::1]:7400", "unix:/path") leaves this machine.
bool IsLoopback(absl::string_view list);

struct ConnectionOptions {
  // As gRPC takes it: "host:port" or "unix:/path"; of several controllers all, separated by
  // commas: they are tried in turn, and the backoff is between rounds.
  std::string address;
  // With neither: without encryption. At most one of both.
  std::optional<TlsFiles> tls;
  // Of an agent that has joined; read anew for every attempt.
  std::optional<IdentityFiles> joined;
  // A stream ended, or was never opened. Called on the connection's thread;
  // returns at once. May be empty.
  std::function<void()> on_lost;
  base::BackoffPolicy backoff{.initial = absl::Milliseconds(200), .maximum = absl::Seconds(10)};
  // A stream that waits with more than this is given up.
  std::size_t queue_bytes = 32u << 20;
};

// Thread-safe. Two threads: one dials and reads, one writes. No call of it blocks on the network
// but WaitForRoom and Stop.
class Connection {
 public:
  // Streams are numbered from 1, so that nothing meant for one goes to its successor.
  using StreamId = uint64_t;

  // Called from one thread, in order: on_connected, on_message..., on_disconnected, each stream
  // after the other. A stream that never reached the controller is announced too.
  struct Callbacks {
    std::function<void(StreamId)> on_connected;
    std::function<void(StreamId, const v1::ControllerMessage&)> on_message;
    std::function<void(StreamId)> on_disconnected;
  };

  // `clock` and `random` must outlive it.
  Connection(ConnectionOptions options, base::Clock& clock, base::Random& random);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Called once.
  void Start(Callbacks callbacks);
  // Closes the stream and ends the threads; no callback follows.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // Queues. Dropped when `stream` is no longer open: the successor begins with a full report.
  // Progress and output of actions are also dropped when much waits; the lines are counted in the
  // next output of the action.
  void Send(StreamId stream, v1::AgentMessage message) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends `stream`. The next attempt comes not before `delay`; zero leaves it to the backoff.
  void Close(StreamId stream, absl::Duration delay) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the stream that is open now, if there is one; the next attempt takes what is in the files.
  void Redial() ABSL_LOCKS_EXCLUDED(mutex_);
  // Blocks a thread that could fill the queue, until less than 1 MiB waits or the stream is gone.
  void WaitForRoom() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run();
  // One stream from dial to end; why it ended, OK when this end closed it.
  absl::Status Attempt(const std::string& address) ABSL_LOCKS_EXCLUDED(mutex_);
  // Of the stream that ended: another certificate was to be used, at the same place.
  bool TakeRedial() ABSL_LOCKS_EXCLUDED(mutex_);
  template <typename Stream>
  void Write(Stream& stream) ABSL_LOCKS_EXCLUDED(mutex_);
  bool OpenStream(grpc::ClientContext& context, StreamId* stream) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndWriting() ABSL_LOCKS_EXCLUDED(mutex_);
  // False when the connection is to stop.
  bool Pause(absl::Duration delay) ABSL_LOCKS_EXCLUDED(mutex_);
  void CancelStreamLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ConnectionOptions options_;
  const std::vector<std::string> addresses_;
  base::Clock& clock_;
  base::Random& random_;
  Callbacks callbacks_;

  base::Mutex mutex_;
  base::CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  // This end closed the stream.
  bool closed_here_ ABSL_GUARDED_BY(mutex_) = false;
  bool redial_ ABSL_GUARDED_BY(mutex_) = false;
  StreamId stream_ ABSL_GUARDED_BY(mutex_) = 0;
  // Of the open stream; valid while not null.
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::deque<v1::AgentMessage> queue_ ABSL_GUARDED_BY(mutex_);
  std::size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Of the open stream, by action id.
  std::map<std::string, uint64_t> dropped_lines_ ABSL_GUARDED_BY(mutex_);
  absl::Duration next_delay_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace fairlead::agent
