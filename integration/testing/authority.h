// Certificates of a test, made by openssl.
#pragma once

#include <string>
#include <vector>

namespace fairlead::integration {

// A certificate authority in a folder: ca.pem, and NAME.pem and NAME.key of each certificate.
// Failures are test failures. Confined to one thread.
class Authority {
 public:
  explicit Authority(std::string directory);

  // `san` as openssl writes it: "DNS:localhost,IP:127.0.0.1".
  void Issue(const std::string& name, const std::string& san) const;
  // `argv` and the options by which our programs prove to be `name`.
  std::vector<std::string> WithTls(std::vector<std::string> argv, const std::string& name) const;

 private:
  std::string File(const std::string& name) const;

  const std::string directory_;
};

}  // namespace fairlead::integration
