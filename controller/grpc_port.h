// The gRPC port: connections are accepted and counted here, and then given to gRPC.
//
// gRPC itself takes as many as come. It also does not tell when one ends; but it shuts a socket
// down before it closes it, which a second descriptor of the same socket sees (docs/adr/0020).
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "base/clock.h"
#include "base/connection_table.h"
#include "base/mutex.h"
#include "controller/limits.h"
#include "controller/metrics/prometheus_metrics.h"

namespace fairlead::controller {

struct GrpcPortOptions {
  // "address:port", "[address]:port" or "name:port"; port 0 lets the system choose.
  std::string listen;
  // A connection waits until Prove is called for it.
  base::ConnectionLimits limits;
  // How many are open now; may be empty. Called on the port's thread.
  std::function<void(std::size_t open)> on_open;
  // One was refused or cut: "full", "evicted" or "unproven". May be empty. On the port's thread.
  std::function<void(absl::string_view why)> on_cut;
};

// "ADDRESS PORT" of gRPC's peer text such as "ipv4:10.0.0.7:41234"; of other peers a text that is
// no connection's.
std::string ConnectionKey(absl::string_view peer);

// Thread-safe but for AddTo, Start and Stop, which belong to one thread.
class GrpcPort {
 public:
  // Listens; nobody is served before Start. Unavailable: it is in use or not of this machine.
  // InvalidArgument: it is no address. `clock` outlives the port.
  static absl::StatusOr<std::unique_ptr<GrpcPort>> Open(GrpcPortOptions options,
                                                        base::Clock& clock);
  // Stops.
  ~GrpcPort();
  GrpcPort(const GrpcPort&) = delete;
  GrpcPort& operator=(const GrpcPort&) = delete;

  void AddTo(grpc::ServerBuilder& builder, std::shared_ptr<grpc::ServerCredentials> credentials);
  // Once the server that it was added to runs. Internal: the system gives no descriptors.
  absl::Status Start();
  // Accepts no more and counts no more. Before the server shuts down; connections stay.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // The caller on this connection, as gRPC names its peer, has shown who it is.
  void Prove(const std::string& peer) ABSL_LOCKS_EXCLUDED(mutex_);

  // As bound.
  int port() const { return port_; }

 private:
  using Id = base::ConnectionTable::Id;
  struct Watched {
    // A second descriptor of the socket.
    int socket = -1;
    std::string key;
  };

  GrpcPort(GrpcPortOptions options, base::Clock& clock);
  absl::Status Listen();
  // False when there is nothing to accept now.
  bool AcceptOne(int listener);
  void Admit(int socket, const std::string& address, const std::string& key);
  // Milliseconds until Run has to look by itself; -1 when it has not.
  int Pause() ABSL_LOCKS_EXCLUDED(mutex_);
  void Run();
  void OnEvent(uint64_t tag, uint32_t events);
  void CutOverdue() ABSL_LOCKS_EXCLUDED(mutex_);
  void SetListening(bool listening);
  void Forget(Id id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Cut(Id id, absl::string_view why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(absl::string_view why);
  void TellOpen() ABSL_LOCKS_EXCLUDED(mutex_);

  const GrpcPortOptions options_;
  base::Clock& clock_;
  std::vector<int> listeners_;
  int port_ = 0;
  int epoll_ = -1;
  int wake_ = -1;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor_;
  std::thread thread_;
  // Below: the port's thread alone.
  bool is_listening_ = true;
  bool is_stopping_ = false;
  std::size_t cut_ = 0;
  absl::Duration told_ = -absl::InfiniteDuration();

  base::Mutex mutex_;
  base::ConnectionTable table_ ABSL_GUARDED_BY(mutex_);
  std::map<Id, Watched> watched_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Id> by_key_ ABSL_GUARDED_BY(mutex_);
};

// From now on what gRPC itself logs of this process is in our log, some lines a minute at most: who
// sends rubbish would fill the disk otherwise.
void BoundGrpcLog();

// Gives the server its port, and bounds what a connection may take of it. Null for "unix:PATH",
// which gRPC serves by itself. Errors as of GrpcPort::Open. `metrics` may be null; it and the clock
// outlive the port.
absl::StatusOr<std::unique_ptr<GrpcPort>> AddGrpcPort(
    const std::string& listen, const Limits& limits,
    const std::shared_ptr<grpc::ServerCredentials>& credentials, base::Clock& clock,
    metrics::PrometheusMetrics* metrics, grpc::ServerBuilder& builder);

}  // namespace fairlead::controller
