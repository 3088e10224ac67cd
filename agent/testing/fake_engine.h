// A Docker engine in memory, behind a real socket.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <boost/json.hpp>

#include "base/mutex.h"

namespace fairlead::agent {

// Serves the part of the Engine API that the agent uses over a unix socket, with one thread for
// each connection. Time is a counter. Thread-safe.
class FakeEngine {
 public:
  explicit FakeEngine(std::string socket_path);
  ~FakeEngine();
  FakeEngine(const FakeEngine&) = delete;
  FakeEngine& operator=(const FakeEngine&) = delete;

  std::string address() const { return "unix://" + socket_path_; }

  // The socket goes away and every connection breaks; and comes back.
  void GoDown();
  void ComeUp();

  // Fault switches.
  std::atomic<bool> pull_fails{false};
  std::atomic<bool> start_fails{false};
  std::atomic<bool> port_is_taken{false};
  std::atomic<bool> stop_hangs{false};
  std::atomic<bool> list_fails{false};
  // The connection breaks at the change after so many: before its effect, or behind it. From
  // then on every connection breaks, until Revive.
  void BreakAfter(int changes, bool with_effect) ABSL_LOCKS_EXCLUDED(mutex_);
  // True when it had broken.
  bool Revive() ABSL_LOCKS_EXCLUDED(mutex_);

  // The world.
  void AddImage(const std::string& reference, const std::string& architecture = "amd64")
      ABSL_LOCKS_EXCLUDED(mutex_);
  void AddNetwork(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);
  void AddVolume(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);
  // Where the engine says that its data is.
  void SetDataRoot(const std::string& path) ABSL_LOCKS_EXCLUDED(mutex_);
  // As `docker tag`: the reference stands for another image.
  void Retag(const std::string& reference, const std::string& image_id) ABSL_LOCKS_EXCLUDED(mutex_);
  // As somebody else's `docker run`; `body` as in a create. Returns the id.
  std::string AddContainer(const std::string& name, const boost::json::object& body,
                           const std::string& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // As `docker rm -f`, a crash, a health check, `docker update` by hand.
  void RemoveByHand(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);
  void Exit(const std::string& name, int code) ABSL_LOCKS_EXCLUDED(mutex_);
  // A crash after which the restart policy starts it again.
  void CrashAndRestart(const std::string& name, int code) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetHealth(const std::string& name, const std::string& health) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetMemory(const std::string& name, int64_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetLog(const std::string& name, const std::string& text) ABSL_LOCKS_EXCLUDED(mutex_);

  // "NAME STATUS" of all, sorted.
  std::vector<std::string> Containers() const ABSL_LOCKS_EXCLUDED(mutex_);
  std::string IdOf(const std::string& name) const ABSL_LOCKS_EXCLUDED(mutex_);
  std::string LabelOf(const std::string& name, const std::string& label) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::string RestartPolicyOf(const std::string& name) const ABSL_LOCKS_EXCLUDED(mutex_);
  // From now on notes each change at which no running container answers to the name, as the
  // engine's DNS finds it: in any spelling, and with one that is being renamed left out.
  void WatchName(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::string> Gaps() const ABSL_LOCKS_EXCLUDED(mutex_);
  // "POST /containers/web/start" of every call that changes something, without queries.
  std::vector<std::string> Changes() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Container {
    std::string id;
    std::string name;
    std::string image_id;
    boost::json::object body;
    std::string status = "created";
    std::string health;
    std::string log;
    int exit_code = 0;
    int restart_count = 0;
    int64_t created = 0;
    int64_t started = 0;
    int64_t finished = 0;
  };
  struct Answer {
    unsigned status = 200;
    boost::json::value body = nullptr;
    // Instead of a body.
    std::string raw;
    // Break the connection without an answer.
    bool broken = false;
  };
  struct Query {
    std::vector<std::string> path;
    std::map<std::string, std::string> arguments;
    std::string Get(const std::string& key) const;
  };
  struct Connection;

  void Accept();
  void Serve(Connection& connection);
  void StreamEvents(Connection& connection) ABSL_LOCKS_EXCLUDED(mutex_);
  Answer Handle(const std::string& method, const std::string& target, const std::string& body)
      ABSL_LOCKS_EXCLUDED(mutex_);
  Answer Route(const std::string& method, const Query& query, const boost::json::object& body)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Answer RouteContainer(const std::string& method, const Query& query,
                        const boost::json::object& body) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Answer Change(Container& container, const std::string& verb, const Query& query,
                const boost::json::object& body) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Answer Create(const Query& query, const boost::json::object& body)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Answer Start(Container& container) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Answer Images(const std::string& method, const Query& query)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  boost::json::array List(const Query& query) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  boost::json::object Inspect(const Container& container) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Container* Find(const std::string& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const Container* Find(const std::string& key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `but` does not count.
  bool Resolves(const Container* but) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void End(Container& container, int code) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Publish(const Container& container, const std::string& action)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string socket_path_;
  int listener_ = -1;
  std::thread accept_thread_;
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  std::list<std::unique_ptr<Connection>> connections_ ABSL_GUARDED_BY(mutex_);
  bool down_ ABSL_GUARDED_BY(mutex_) = true;
  std::map<std::string, Container> containers_ ABSL_GUARDED_BY(mutex_);
  // Ids, and architectures other than amd64, by reference.
  std::map<std::string, std::string> images_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> architectures_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> networks_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> volumes_ ABSL_GUARDED_BY(mutex_);
  std::string data_root_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> events_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> changes_ ABSL_GUARDED_BY(mutex_);
  std::string watched_name_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> gaps_ ABSL_GUARDED_BY(mutex_);
  int next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  int64_t ticks_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<int> breaks_after_ ABSL_GUARDED_BY(mutex_);
  bool breaks_with_effect_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fairlead::agent
