#include "controller/store/testing/postgres_cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

#include "base/subprocess.h"

namespace fairlead::store {
namespace {

constexpr char kPrograms[] = "/usr/lib/postgresql/15/bin/";
constexpr char kPassword[] = "pass%word '1'";
constexpr char kPasswordInUrl[] = "pass%25word%20%271%27";
constexpr char kReady[] = "ready to accept connections";

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    address.sin_port = 0;
  }
  close(fd);
  return ntohs(address.sin_port);
}

std::vector<char*> Pointers(std::vector<std::string>& argv) {
  std::vector<char*> pointers;
  for (std::string& argument : argv) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

PostgresCluster* PostgresCluster::Shared(std::string& why) {
  static std::string problem;
  static const std::unique_ptr<PostgresCluster> cluster = [] {
    std::unique_ptr<PostgresCluster> made(new PostgresCluster());
    problem = made->Make();
    if (!problem.empty()) made.reset();
    return made;
  }();
  why = problem;
  return cluster.get();
}

PostgresCluster::PostgresCluster() : uid_(getuid()), gid_(getgid()), port_(FreePort()) {}

// Its files go with it: an orderly end would take minutes to write all databases to the disk first.
PostgresCluster::~PostgresCluster() { Crash(); }

std::string PostgresCluster::Make() {
  if (access((std::string(kPrograms) + "initdb").c_str(), X_OK) != 0) {
    return "no PostgreSQL 15 here: install the package postgresql-15";
  }
  if (uid_ == 0) {
    const passwd* const user = getpwnam("postgres");
    if (user == nullptr) return "root may not run a server, and there is no user \"postgres\"";
    uid_ = user->pw_uid;
    gid_ = user->pw_gid;
  }
  GiveToServer(folder_.path());
  std::ofstream(folder_.File("password")) << kPassword << "\n";
  GiveToServer(folder_.File("password"));
  std::string out;
  const std::string failed =
      RunAsServer({absl::StrCat(kPrograms, "initdb"), "-D", folder_.File("data"), "-U", "fairlead",
                   "-A", "scram-sha-256", "--pwfile", folder_.File("password"), "--encoding=UTF8",
                   "--locale=C", "--no-sync"},
                  out);
  if (!failed.empty()) return absl::StrCat("initdb: ", failed);
  for (const char* name : {"server", "other"}) {
    const std::string problem = MakeCertificate(name);
    if (!problem.empty()) return problem;
  }
  return Start() ? "" : absl::StrCat("the server does not start: ", LogTail());
}

std::string PostgresCluster::MakeCertificate(const std::string& name) const {
  const std::string key = folder_.File(name + ".key");
  const auto made =
      base::RunSubprocess({.argv = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                                    "/CN=" + name, "-addext", "subjectAltName=IP:127.0.0.1",
                                    "-keyout", key, "-out", folder_.File(name + ".crt")},
                           .timeout = absl::Seconds(30)});
  if (!made.ok()) return absl::StrCat("openssl: ", made.status().message());
  if (made->exit_code != 0) return absl::StrCat("openssl: ", made->err);
  chmod(key.c_str(), 0600);
  chmod(folder_.File(name + ".crt").c_str(), 0644);
  GiveToServer(key);
  return "";
}

bool PostgresCluster::Start() {
  // A process of the server before may hold its memory for a moment longer.
  for (int attempt = 0; attempt < 100; ++attempt) {
    if (attempt > 0) Stop();
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    std::vector<std::string> argv = {absl::StrCat(kPrograms, "postgres"),
                                     "-D",
                                     folder_.File("data"),
                                     "-p",
                                     absl::StrCat(port_),
                                     "-k",
                                     folder_.path(),
                                     "-c",
                                     "listen_addresses=127.0.0.1",
                                     "-c",
                                     "ssl=on",
                                     "-c",
                                     absl::StrCat("ssl_cert_file=", folder_.File("server.crt")),
                                     "-c",
                                     absl::StrCat("ssl_key_file=", folder_.File("server.key")),
                                     "-c",
                                     "lc_messages=C",
                                     "-c",
                                     "max_connections=40",
                                     "-c",
                                     "shared_buffers=16MB",
                                     "-c",
                                     "logging_collector=off"};
    const std::vector<char*> pointers = Pointers(argv);
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ < 0) return false;
    if (pid_ == 0) {
      dup2(ends[1], STDOUT_FILENO);
      dup2(ends[1], STDERR_FILENO);
      if (getuid() == 0 && (setgroups(0, nullptr) != 0 || setgid(gid_) != 0 || setuid(uid_) != 0)) {
        _exit(127);
      }
      // A change of user forgets it, so it comes last. SIGQUIT is the server's way to end at once.
      prctl(PR_SET_PDEATHSIG, SIGQUIT);
      if (getppid() != parent) _exit(127);
      if (chdir("/") != 0) _exit(127);
      execv(pointers[0], pointers.data());
      _exit(127);
    }
    close(ends[1]);
    {
      base::MutexLock lock(mutex_);
      log_.clear();
      log_ended_ = false;
    }
    log_reader_ = std::thread([this, fd = ends[0]] { ReadLog(fd); });
    base::MutexLock lock(mutex_);
    while (log_.find(kReady) == std::string::npos && !log_ended_) changed_.Wait(mutex_);
    if (log_.find(kReady) != std::string::npos) return true;
  }
  return false;
}

void PostgresCluster::ReadLog(int fd) {
  std::array<char, 4096> buffer;
  while (true) {
    const ssize_t got = read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    base::MutexLock lock(mutex_);
    if (got <= 0) {
      log_ended_ = true;
      changed_.SignalAll();
      break;
    }
    log_.append(buffer.data(), static_cast<std::size_t>(got));
    changed_.SignalAll();
  }
  close(fd);
}

void PostgresCluster::End(int signal) {
  if (pid_ > 0) {
    kill(pid_, signal);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
  }
  if (log_reader_.joinable()) log_reader_.join();
}

void PostgresCluster::Crash() { End(SIGQUIT); }

void PostgresCluster::Stop() { End(SIGINT); }

std::string PostgresCluster::Socket(const std::string& database) const {
  return absl::StrCat("postgresql://fairlead:", kPasswordInUrl, "@/", database,
                      "?host=", absl::StrReplaceAll(folder_.path(), {{"/", "%2F"}}),
                      "&port=", port_);
}

std::string PostgresCluster::Loopback(const std::string& database,
                                      const std::string& parameters) const {
  return absl::StrCat("postgresql://fairlead:", kPasswordInUrl, "@127.0.0.1:", port_, "/", database,
                      parameters.empty() ? "" : "?", parameters);
}

std::string PostgresCluster::WithPassword(const std::string& database,
                                          const std::string& password) const {
  return absl::StrCat("postgresql://fairlead", password.empty() ? "" : ":", password,
                      "@127.0.0.1:", port_, "/", database);
}

std::string PostgresCluster::NewDatabase(const std::string& more_sql) {
  const std::string name = absl::StrCat("t", ++databases_);
  Sql("postgres", absl::StrCat("CREATE DATABASE ", name, " ", more_sql));
  return name;
}

std::string PostgresCluster::Sql(const std::string& database, const std::string& sql) const {
  const auto result = base::RunSubprocess(
      {.argv = {absl::StrCat(kPrograms, "psql"), "-h", folder_.path(), "-p", absl::StrCat(port_),
                "-U", "fairlead", "-d", database, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql},
       .environment = {{"PGPASSWORD", kPassword}},
       .timeout = absl::Seconds(60)});
  if (!result.ok()) {
    std::cerr << "psql: " << result.status() << "\n";
    return "";
  }
  if (result->exit_code != 0) std::cerr << "psql: " << result->err << "\n";
  return std::string(absl::StripSuffix(result->out, "\n"));
}

std::string PostgresCluster::MakeFolder(const std::string& name) const {
  const std::string path = folder_.File(name);
  mkdir(path.c_str(), 0700);
  GiveToServer(path);
  return path;
}

void PostgresCluster::GiveToServer(const std::string& path) const {
  if (getuid() == 0 && chown(path.c_str(), uid_, gid_) != 0) {
    std::cerr << "chown " << path << " failed\n";
  }
}

std::string PostgresCluster::LogTail() {
  base::MutexLock lock(mutex_);
  return log_.size() > 2000 ? log_.substr(log_.size() - 2000) : log_;
}

std::string PostgresCluster::RunAsServer(const std::vector<std::string>& argv,
                                         std::string& out) const {
  std::vector<std::string> all = argv;
  if (getuid() == 0) {
    all.insert(all.begin(), {"setpriv", absl::StrCat("--reuid=", uid_),
                             absl::StrCat("--regid=", gid_), "--clear-groups", "--"});
  }
  const auto result =
      base::RunSubprocess({.argv = all, .working_directory = "/", .timeout = absl::Seconds(120)});
  if (!result.ok()) return std::string(result.status().message());
  out = result->out;
  return result->exit_code == 0 ? "" : absl::StrCat(result->out, result->err);
}

}  // namespace fairlead::store
