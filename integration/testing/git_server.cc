#include "integration/testing/git_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "gtest/gtest.h"
#include "integration/testing/http.h"
#include "integration/testing/wait.h"

namespace fairlead::integration {
namespace {

constexpr char kSshd[] = "/usr/sbin/sshd";

bool Accepts(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool accepted = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return accepted;
}

}  // namespace

GitHttpServer::GitHttpServer(const std::string& root, const std::string& login) {
  const std::string port_file = root + "/http-port";
  unlink(port_file.c_str());
  // Not as an argument: a test looks for it there.
  EXPECT_OK(process_.Start(
      {"python3", FAIRLEAD_SOURCE_DIR "/integration/testing/git_http_server.py", root, port_file},
      root + "/git-http.log", {{"GIT_SERVER_LOGIN", login}}));
  EXPECT_OK(WaitFor("the git server", [&] {
    const auto port = base::ReadFile(port_file);
    authority_ = absl::StrCat("127.0.0.1:", port.value_or("0"));
    return port.ok();
  }));
}

std::string GitHttpServer::UrlOf(const std::string& repository) const {
  return absl::StrCat("http://", authority_, "/", repository);
}

GitSshServer::GitSshServer(std::string directory)
    : directory_(std::move(directory)), port_(FreePort()) {
  EXPECT_OK(base::MakeDirectories(directory_));
  // Where sshd keeps its unprivileged part; a service manager would make it.
  EXPECT_OK(base::MakeDirectories("/run/sshd", 0755));
  for (const char* name : {"host_key", "client_key"}) {
    MustRun({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f",
             absl::StrCat(directory_, "/", name)});
  }
  EXPECT_OK(base::WriteFileAtomically(
      directory_ + "/sshd_config",
      absl::StrCat("Port ", port_, "\nListenAddress 127.0.0.1\nHostKey ", directory_,
                   "/host_key\nAuthorizedKeysFile ", directory_, "/client_key.pub\nPidFile none\n",
                   "StrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n",
                   "KbdInteractiveAuthentication no\n")));
  EXPECT_OK(process_.Start({kSshd, "-D", "-e", "-f", directory_ + "/sshd_config"},
                           directory_ + "/sshd.log"));
  EXPECT_OK(WaitFor("sshd", [this] { return Accepts(port_); }))
      << TailOf(directory_ + "/sshd.log", 10);
}

std::string GitSshServer::WhyNot() {
  if (geteuid() != 0) return "sshd needs root";
  return access(kSshd, X_OK) == 0 ? "" : "there is no sshd (package openssh-server)";
}

std::string GitSshServer::UrlOf(const std::string& path) const {
  return absl::StrCat("ssh://root@127.0.0.1:", port_, path);
}

std::string GitSshServer::ClientKey() const {
  return base::ReadFile(directory_ + "/client_key").value_or("");
}

std::string GitSshServer::KnownHosts() const {
  return absl::StrCat("[127.0.0.1]:", port_, " ",
                      base::ReadFile(directory_ + "/host_key.pub").value_or(""));
}

}  // namespace fairlead::integration
