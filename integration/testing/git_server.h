// Git servers of a test.
#pragma once

#include <string>

#include "integration/testing/process.h"

namespace fairlead::integration {

// Serves the repositories of a folder over smart HTTP on a free port of 127.0.0.1 until destroyed.
// Paths below /moved/ answer with a redirection to a page. Confined to one thread.
class GitHttpServer {
 public:
  // With `login` ("user:password") others are refused.
  explicit GitHttpServer(const std::string& root, const std::string& login = "");

  // Of origin.git.
  std::string url() const { return UrlOf("origin.git"); }
  std::string UrlOf(const std::string& repository) const;
  // "127.0.0.1:1234"
  const std::string& authority() const { return authority_; }

 private:
  Process process_;
  std::string authority_;
};

// An sshd of its own on a free port of 127.0.0.1, which lets only its own key in, until destroyed.
// Confined to one thread.
class GitSshServer {
 public:
  // Keys and configuration go below `directory`.
  explicit GitSshServer(std::string directory);

  // "" when it runs, else why it cannot: no sshd, or not root.
  static std::string WhyNot();

  std::string UrlOf(const std::string& path) const;
  // PEM.
  std::string ClientKey() const;
  // A line of known_hosts.
  std::string KnownHosts() const;

 private:
  const std::string directory_;
  int port_ = 0;
  Process process_;
};

}  // namespace fairlead::integration
