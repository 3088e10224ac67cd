#include "integration/testing/registry.h"

#include <unistd.h>

#include <filesystem>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "gtest/gtest.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

constexpr char kRegistry[] = "/usr/bin/docker-registry";

bool Answers(const Engine& engine, int port) {
  return RunCommand(engine.InNetwork({"python3", "-c",
                                      absl::StrCat("import socket; socket.create_connection(",
                                                   "('127.0.0.1', ", port, "), 1)")}))
             .exit_code == 0;
}

}  // namespace

Registry::Registry(const Engine& engine, std::string directory, int port, std::string password)
    : engine_(engine),
      directory_(std::move(directory)),
      port_(port),
      password_(std::move(password)) {
  EXPECT_OK(base::MakeDirectories(directory_));
  std::string access;
  if (!password_.empty()) {
    MustRun({"htpasswd", "-B", "-b", "-c", directory_ + "/htpasswd", "test", password_});
    access =
        absl::StrCat("auth:\n  htpasswd:\n    realm: test\n    path: ", directory_, "/htpasswd\n");
  }
  EXPECT_OK(base::WriteFileAtomically(
      directory_ + "/config.yml",
      absl::StrCat("version: 0.1\nlog:\n  level: warn\nstorage:\n  filesystem:\n",
                   "    rootdirectory: ", directory_, "/data\nhttp:\n  addr: 127.0.0.1:", port_,
                   "\n", access)));
  EXPECT_OK(process_.Start(engine.InNetwork({kRegistry, "serve", directory_ + "/config.yml"}),
                           directory_ + "/registry.log"));
  EXPECT_OK(WaitFor("the registry", [&] { return Answers(engine, port_); }))
      << TailOf(directory_ + "/registry.log", 10);
}

std::string Registry::WhyNot() {
  if (access(kRegistry, X_OK) != 0) return "there is no docker-registry (package docker-registry)";
  return RunCommand({"htpasswd", "-nbB", "a", "b"}).exit_code == 0
             ? ""
             : "there is no htpasswd (package apache2-utils)";
}

std::string Registry::domain() const { return absl::StrCat("127.0.0.1:", port_); }

bool Registry::Has(const std::string& repository, const std::string& tag) const {
  return ::access(absl::StrCat(directory_, "/data/docker/registry/v2/repositories/", repository,
                               "/_manifests/tags/", tag, "/current/link")
                      .c_str(),
                  R_OK) == 0;
}

void Registry::Fill(const std::string& tag, int variant) const {
  // By another name of the registry, so that the engine's own image of this one stays as it is.
  const std::string server = absl::StrCat("localhost:", port_);
  const std::string image = absl::StrCat(server, "/team/app:", tag);
  const std::string context = absl::StrCat(directory_, "/context-", tag);
  EXPECT_OK(base::MakeDirectories(context));
  EXPECT_OK(
      base::WriteFileAtomically(context + "/Dockerfile", "FROM fl/app:1\nCOPY layer /etc/layer\n"));
  // Does not pack, so that half of the layer is some packets.
  std::string layer;
  uint64_t state = std::hash<std::string>()(absl::StrCat(port_, " ", tag, " ", variant));
  for (int i = 0; i < (1 << 17); ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    layer.push_back(static_cast<char>(state >> 56));
  }
  EXPECT_OK(base::WriteFileAtomically(context + "/layer", layer));
  const std::string config = absl::StrCat(directory_, "/docker");
  engine_.Docker({"build", "--quiet", "--tag", image, context});
  if (!password_.empty()) {
    engine_.Docker({"--config", config, "login", "-u", "test", "-p", password_, server});
  }
  engine_.Docker({"--config", config, "push", "--quiet", image});
  engine_.Docker({"rmi", image});
  std::filesystem::remove_all(config);
}

FaultProxy::FaultProxy(const Engine& engine, const std::string& directory, int port,
                       int target_port)
    : file_(directory + "/faults"), port_(port) {
  EXPECT_OK(base::MakeDirectories(directory));
  Fail("500", 0);
  const std::string script = FAIRLEAD_SOURCE_DIR "/integration/testing/fault_proxy.py";
  EXPECT_OK(process_.Start(
      engine.InNetwork({"python3", script, absl::StrCat(port), absl::StrCat(target_port), file_}),
      directory + "/proxy.log"));
  EXPECT_OK(WaitFor("the proxy", [&] { return Answers(engine, port_); }))
      << TailOf(directory + "/proxy.log", 10);
}

std::string FaultProxy::domain() const { return absl::StrCat("127.0.0.1:", port_); }

void FaultProxy::FailAt(const std::string& what, const std::string& how, int times) const {
  EXPECT_OK(base::WriteFileAtomically(file_, absl::StrCat(how, " ", times, " ", what)));
}

int FaultProxy::Left() const {
  const std::vector<std::string> words =
      absl::StrSplit(base::ReadFile(file_).value_or("x 0 x"), ' ');
  int left = -1;
  return words.size() == 3 && absl::SimpleAtoi(words[1], &left) ? left : -1;
}

}  // namespace fairlead::integration
