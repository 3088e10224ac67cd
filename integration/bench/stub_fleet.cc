// stub_fleet ADDRESS PREFIX COUNT [ROOTS AUTHORITY KEY]: COUNT servers named PREFIX-1... without
// engines, until SIGTERM. With files: by TLS to a controller that ROOTS vouch for, each with a
// certificate of its own, of AUTHORITY and its KEY; without them to one in --dev mode.
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "base/certificate.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status.h"
#include "integration/bench/stub_server.h"

namespace fairlead::bench {
namespace {

struct Files {
  std::string roots;
  std::string authority;
  std::string key;
};

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(const std::string& server,
                                                                        const Files& files) {
  if (files.roots.empty()) return grpc::InsecureChannelCredentials();
  const absl::Time now = base::Clock::Real().Now();
  grpc::SslCredentialsOptions ssl;
  ssl.pem_root_certs = files.roots;
  ASSIGN_OR_RETURN(ssl.pem_private_key, base::MakePrivateKey());
  ASSIGN_OR_RETURN(ssl.pem_cert_chain,
                   base::IssueCertificate({.common_name = server,
                                           .uris = {absl::StrCat("fairlead://server/", server)},
                                           .not_before = now - absl::Hours(1),
                                           .not_after = now + absl::Hours(24)},
                                          ssl.pem_private_key, files.authority, files.key));
  return grpc::SslCredentials(ssl);
}

absl::StatusOr<Files> FilesOf(int argc, char** argv) {
  Files files;
  if (argc == 4) return files;
  ASSIGN_OR_RETURN(files.roots, base::ReadFile(argv[4]));
  ASSIGN_OR_RETURN(files.authority, base::ReadFile(argv[5]));
  ASSIGN_OR_RETURN(files.key, base::ReadFile(argv[6]));
  return files;
}

using Servers = std::vector<std::unique_ptr<StubServer>>;

void BeatAll(const Servers& servers) {
  for (const auto& server : servers) server->Beat();
}

absl::StatusOr<Servers> Start(const std::string& address, const std::string& prefix, int count,
                              const Files& files) {
  Servers servers;
  for (int n = 1; n <= count; ++n) {
    const std::string name = absl::StrCat(prefix, "-", n);
    ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ChannelCredentials> credentials,
                     CredentialsOf(name, files));
    // A channel each: sharing one would put all streams on one connection.
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    servers.push_back(std::make_unique<StubServer>(
        name, grpc::CreateCustomChannel(address, credentials, arguments)));
    // A thousand handshakes take longer than a silent agent is waited for.
    if (n % 100 == 0) BeatAll(servers);
  }
  return servers;
}

// Until a signal, or until one of them is disconnected: 1.
int Watch(const Servers& servers, const sigset_t& signals) {
  int last = -1;
  int ticks = 0;
  const timespec pause{.tv_sec = 0, .tv_nsec = 200'000'000};
  while (sigtimedwait(&signals, nullptr, &pause) < 0) {
    if (++ticks % 10 == 0) BeatAll(servers);
    int now = 0;
    int gone = 0;
    for (const auto& server : servers) {
      now += server->containers();
      gone += server->connected() ? 0 : 1;
    }
    if (gone > 0) {
      base::LogError("stub_fleet", gone, " servers were disconnected");
      return 1;
    }
    if (now != last) {
      base::LogInfo("stub_fleet", now, " containers");
      last = now;
    }
  }
  return 0;
}

}  // namespace
}  // namespace fairlead::bench

int main(int argc, char** argv) {
  int count = 0;
  if ((argc != 4 && argc != 7) || !absl::SimpleAtoi(argv[3], &count) || count < 1) {
    fairlead::base::LogError("stub_fleet",
                             "usage: stub_fleet ADDRESS PREFIX COUNT [ROOTS AUTHORITY KEY]");
    return 2;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const auto files = fairlead::bench::FilesOf(argc, argv);
  const auto servers = files.ok() ? fairlead::bench::Start(argv[1], argv[2], count, *files)
                                  : absl::StatusOr<fairlead::bench::Servers>(files.status());
  if (!servers.ok()) {
    fairlead::base::LogError("stub_fleet", servers.status().message());
    return 1;
  }
  return fairlead::bench::Watch(*servers, signals);
}
