// Network namespaces of the controller and of each agent, and the links between them.
#pragma once

#include <string>
#include <vector>

namespace fairlead::chaos {

// A hub with one veth pair to each server. Packets go nowhere else. All of it is removed with it.
// Needs root. Confined to one thread.
class Links {
 public:
  // What a killed run left below the same `name` is removed first. At most 8 characters.
  Links(std::string name, int servers);
  ~Links();
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;

  // Runs `argv` beside the controller, or beside the agent of a server, as the same process.
  std::vector<std::string> AtHub(const std::vector<std::string>& argv) const;
  std::vector<std::string> AtServer(int server, const std::vector<std::string>& argv) const;
  // Of the controller, as the agent of the server sees it.
  static std::string HubAddress(int server);

  void Cut(int server) const;
  // 20 kbit/s with a queue in both directions.
  void Slow(int server) const;
  // One of three packets is lost, in both directions.
  void Drop(int server) const;
  // Ends all of these.
  void Mend(int server) const;

 private:
  std::string Namespace(int server) const;
  std::string Device(int server) const;
  void Clean() const;

  const std::string name_;
  const int servers_;
};

}  // namespace fairlead::chaos
