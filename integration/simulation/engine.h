// A Docker engine in simulated time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <boost/json.hpp>
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

#include "agent/engine_transport.h"
#include "integration/simulation/host_clock.h"
#include "integration/simulation/stage.h"

namespace fairlead::simulation {

// What a container does by itself follows from the name of its image:
//   app     serves                    job     ends after some seconds with 0
//   slow    is healthy after 25 s     crash   ends after some seconds with 1
//   sick    never gets healthy        broken  cannot be started
//   gone    is in no registry
// Confined to one run. Outlives the agents of its host.
class Engine {
 public:
  struct Container {
    std::string id;
    std::string name;
    // As given to create.
    boost::json::object body;
    std::string status = "created";
    std::string health;
    int exit_code = 0;
    int restart_count = 0;
    // Stopped or killed by a request: the restart policy leaves it alone.
    bool stopped_by_hand = false;
    absl::Time created = absl::InfinitePast();
    absl::Time started = absl::InfinitePast();
    absl::Time finished = absl::InfinitePast();
    // The engine made it after the caller had gone, or has denied that it is there.
    bool deceptive = false;
    // Simulated time of the last event.
    absl::Time changed = absl::InfinitePast();
    // Counts runs, so that what an earlier one had planned does not happen.
    uint64_t run = 0;

    std::string Label(const std::string& key) const;
    std::string Policy() const;
    std::string Image() const;
  };

  // Both outlive it.
  Engine(Stage& stage, const HostClock& clock, std::string server);

  // An answer of the API; `broken` ends the connection instead.
  struct Answer {
    unsigned status = 200;
    std::string body;
  };
  Answer Handle(const agent::HttpRequest& request);

  // For a request that is worked on later, by Handle after GiveName: a create has its name from
  // now on, as in the real engine. False: it is a create whose name is not free.
  bool TakeName(const agent::HttpRequest& request);
  void GiveName(const agent::HttpRequest& request);
  // The engine's process ends, and what it was asked is forgotten.
  void Die();
  // Counts its processes.
  uint64_t process() const { return process_; }

  // Somebody's doings on the host itself.
  void AddForeign(const std::string& name, int port);
  void RemoveByHand(const std::string& name);
  void StopByHand(const std::string& name, const std::string& verb);
  void EditByHand(const std::string& name);
  // Every container dies; with the engine's start those with a restart policy run again.
  void Reboot();
  // By id or name; ignored when there is none.
  void MarkDeceptive(const std::string& key);
  // Names of containers of ours.
  std::vector<std::string> OwnedNames() const;

  const std::map<std::string, Container>& containers() const { return containers_; }
  const Container* Find(const std::string& key) const;

  // Lines of the event stream, by number from the first one kept.
  const std::deque<std::string>& events() const { return events_; }
  uint64_t first_event() const { return first_event_; }
  uint64_t next_event() const { return first_event_ + events_.size(); }
  // Called with every new event, for those who read the stream.
  void OnEvent(std::function<void()> told) { told_ = std::move(told); }

 private:
  struct Query;
  static Query Parse(const agent::HttpRequest& request);
  Answer Route(const std::string& method, const Query& query, const boost::json::object& body);
  Answer RouteContainer(const std::string& method, const Query& query,
                        const boost::json::object& body);
  Answer Change(Container& container, const std::string& verb, const Query& query,
                const boost::json::object& body);
  Answer Images(const std::string& method, const Query& query);
  Answer Create(const Query& query, const boost::json::object& body);
  Answer StartRequest(Container& container);
  boost::json::array List(const Query& query) const;
  boost::json::object Inspect(const Container& container) const;
  std::string LogOf(const Container& container) const;

  // Names the container or the request that has it; empty: free.
  std::string HolderOf(const std::string& name) const;
  Container* FindMutable(const std::string& key);
  void Run(Container& container);
  void PlanRun(Container& container);
  void End(Container& container, int code);
  void RestartByPolicy(Container& container);
  void SetHealth(const std::string& id, uint64_t run, const std::string& health);
  void Kill(Container& container, int code, int signal);
  void Publish(Container& container, const std::string& action, int signal = 0);
  // While the container is in this run.
  void Later(absl::Duration delay, const Container& container,
             const std::function<void(Container&)>& event);

  Stage& stage_;
  const HostClock& clock_;
  const std::string server_;
  std::map<std::string, Container> containers_;
  // By creates that are not done.
  std::set<std::string> reserved_names_;
  std::set<std::string> images_;
  std::deque<std::string> events_;
  uint64_t first_event_ = 0;
  std::function<void()> told_;
  int made_ = 0;
  uint64_t process_ = 1;
};

}  // namespace fairlead::simulation
