#include "integration/chaos/links.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "integration/testing/process.h"

namespace fairlead::chaos {

using integration::MustRun;
using integration::RunCommand;

namespace {

// The device of a server within its own namespace.
constexpr char kUplink[] = "uplink";

std::vector<std::string> Within(const std::string& network, const std::vector<std::string>& argv) {
  // Not `ip netns exec`: it hides the cgroups.
  std::vector<std::string> command = {"nsenter", absl::StrCat("--net=/run/netns/", network)};
  command.insert(command.end(), argv.begin(), argv.end());
  return command;
}

std::string Address(int server, int end) { return absl::StrCat("10.99.", server, ".", end); }

}  // namespace

Links::Links(std::string name, int servers) : name_(std::move(name)), servers_(servers) {
  Clean();
  MustRun({"ip", "netns", "add", Namespace(0)});
  MustRun({"ip", "-n", Namespace(0), "link", "set", "lo", "up"});
  for (int server = 1; server <= servers_; ++server) {
    const std::string& own = Namespace(server);
    MustRun({"ip", "netns", "add", own});
    MustRun({"ip", "-n", own, "link", "set", "lo", "up"});
    MustRun({"ip", "-n", Namespace(0), "link", "add", Device(server), "type", "veth", "peer",
             "name", kUplink, "netns", own});
    MustRun({"ip", "-n", Namespace(0), "address", "add", Address(server, 1) + "/24", "dev",
             Device(server)});
    MustRun({"ip", "-n", own, "address", "add", Address(server, 2) + "/24", "dev", kUplink});
    MustRun({"ip", "-n", own, "link", "set", kUplink, "up"});
    MustRun({"ip", "-n", Namespace(0), "link", "set", Device(server), "up"});
  }
}

Links::~Links() { Clean(); }

void Links::Clean() const {
  for (int server = 0; server <= servers_; ++server) {
    RunCommand({"ip", "netns", "delete", Namespace(server)});
  }
}

std::string Links::Namespace(int server) const { return absl::StrCat(name_, "-", server); }
std::string Links::Device(int server) const { return absl::StrCat("to-", server); }
std::string Links::HubAddress(int server) { return Address(server, 1); }

std::vector<std::string> Links::AtHub(const std::vector<std::string>& argv) const {
  return Within(Namespace(0), argv);
}

std::vector<std::string> Links::AtServer(int server, const std::vector<std::string>& argv) const {
  return Within(Namespace(server), argv);
}

void Links::Cut(int server) const {
  MustRun({"ip", "-n", Namespace(0), "link", "set", Device(server), "down"});
}

void Links::Slow(int server) const {
  const std::vector<std::string> shape = {"root",  "tbf", "rate",    "20kbit",
                                          "burst", "2kb", "latency", "3s"};
  for (const auto& [network, device] : {std::pair(Namespace(0), Device(server)),
                                        std::pair(Namespace(server), std::string(kUplink))}) {
    std::vector<std::string> argv = {"tc", "-n", network, "qdisc", "replace", "dev", device};
    argv.insert(argv.end(), shape.begin(), shape.end());
    MustRun(argv);
  }
}

void Links::Drop(int server) const {
  for (const char* chain : {"INPUT", "OUTPUT"}) {
    MustRun(AtServer(server, {"iptables", "-A", chain, "-m", "statistic", "--mode", "random",
                              "--probability", "0.33", "-j", "DROP"}));
  }
}

void Links::Mend(int server) const {
  MustRun(AtServer(server, {"iptables", "-F"}));
  // Refused where nothing was slow.
  RunCommand({"tc", "-n", Namespace(0), "qdisc", "delete", "dev", Device(server), "root"});
  RunCommand({"tc", "-n", Namespace(server), "qdisc", "delete", "dev", kUplink, "root"});
  MustRun({"ip", "-n", Namespace(0), "link", "set", Device(server), "up"});
}

}  // namespace fairlead::chaos
