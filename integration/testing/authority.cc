#include "integration/testing/authority.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "gtest/gtest.h"
#include "integration/testing/process.h"

namespace fairlead::integration {

Authority::Authority(std::string directory) : directory_(std::move(directory)) {
  MustRun({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
           "-nodes", "-days", "2", "-subj", "/CN=test ca", "-keyout", File("ca.key"), "-out",
           File("ca.pem")});
}

void Authority::Issue(const std::string& name, const std::string& san) const {
  MustRun({"openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
           "-subj", "/CN=" + name, "-keyout", File(name + ".key"), "-out", File(name + ".csr")});
  EXPECT_TRUE(base::WriteFileAtomically(File(name + ".ext"), "subjectAltName=" + san + "\n").ok());
  MustRun({"openssl", "x509", "-req", "-days", "2", "-in", File(name + ".csr"), "-CA",
           File("ca.pem"), "-CAkey", File("ca.key"), "-CAcreateserial", "-extfile",
           File(name + ".ext"), "-out", File(name + ".pem")});
}

std::vector<std::string> Authority::WithTls(std::vector<std::string> argv,
                                            const std::string& name) const {
  for (const auto& [flag, file] : std::vector<std::pair<std::string, std::string>>{
           {"--tls-cert", name + ".pem"}, {"--tls-key", name + ".key"}, {"--tls-ca", "ca.pem"}}) {
    argv.push_back(flag);
    argv.push_back(File(file));
  }
  return argv;
}

std::string Authority::File(const std::string& name) const {
  return absl::StrCat(directory_, "/", name);
}

}  // namespace fairlead::integration
