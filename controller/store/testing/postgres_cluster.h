// A private PostgreSQL server of a test.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "controller/store/testing/temporary_folder.h"

namespace fairlead::store {

// A cluster in a temporary folder, made by initdb, with TLS and passwords; it listens on a socket
// in the folder and on loopback. The server runs as the user postgres where the test is root, since
// it refuses root. It ends with its owner, at the latest with the test program. Confined to one
// thread.
class PostgresCluster {
 public:
  // Made at the first call and kept until the program ends. Null when there is no PostgreSQL 15 on
  // this machine, or no user for it; `why` says so.
  static PostgresCluster* Shared(std::string& why);

  ~PostgresCluster();
  PostgresCluster(const PostgresCluster&) = delete;
  PostgresCluster& operator=(const PostgresCluster&) = delete;

  // Waits until connections are taken. Requires: stopped.
  bool Start();
  // As a crash: no last checkpoint, clients are cut off. Recovers at the next Start.
  void Crash();
  // An orderly stop that does not wait for clients.
  void Stop();

  // Addresses of a database, with the password.
  std::string Socket(const std::string& database) const;
  std::string Loopback(const std::string& database, const std::string& parameters = "") const;
  std::string WithPassword(const std::string& database, const std::string& password) const;
  // A new empty database.
  std::string NewDatabase(const std::string& more_sql = "");
  // Runs psql as the owner of the cluster on `database`; its output without the last newline.
  std::string Sql(const std::string& database, const std::string& sql) const;

  int port() const { return port_; }
  const std::string& folder() const { return folder_.path(); }
  // The server's own certificate is its authority.
  std::string certificate() const { return folder_.File("server.crt"); }
  std::string other_certificate() const { return folder_.File("other.crt"); }
  // A folder that the server may write to.
  std::string MakeFolder(const std::string& name) const;
  // Gives a file or folder to the server's user.
  void GiveToServer(const std::string& path) const;
  // The end of what the server has printed.
  std::string LogTail();

 private:
  PostgresCluster();
  // Empty on success, else why there is no cluster.
  std::string Make();
  std::string MakeCertificate(const std::string& name) const;
  // Runs a program as the server's user; what it printed when it failed, else empty.
  std::string RunAsServer(const std::vector<std::string>& argv, std::string& out) const;
  void ReadLog(int fd);
  void End(int signal);

  TemporaryFolder folder_;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  int port_ = 0;
  int databases_ = 0;
  pid_t pid_ = -1;
  std::thread log_reader_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::string log_ ABSL_GUARDED_BY(mutex_);
  bool log_ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace fairlead::store
