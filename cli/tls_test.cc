#include <grpcpp/security/server_credentials.h>

#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/subprocess.h"
#include "cli/testing/command_test.h"

namespace fairlead::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// An authority, a controller's certificate for 127.0.0.1 and a client's, made by openssl.
class TlsTest : public CommandTest {
 protected:
  void SetUp() override {
    const auto result = base::RunSubprocess({.argv = {"bash", "-ec", R"sh(
      key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
      key ca
      openssl req -x509 -new -key ca.key -subj /CN=ca -days 2 -out ca.pem
      for name in controller ann; do
        key "$name"
        openssl req -new -key "$name.key" -subj "/CN=$name" -out "$name.csr"
        openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
          -extfile <(echo subjectAltName=IP:127.0.0.1) -out "$name.pem"
      done)sh"},
                                             .working_directory = folder_});
    if (absl::IsNotFound(result.status())) GTEST_SKIP() << "SKIPPED: bash is not installed";
    ASSERT_TRUE(result.ok()) << result.status();
    if (result->exit_code == 127) GTEST_SKIP() << "SKIPPED: openssl is not installed";
    ASSERT_EQ(result->exit_code, 0) << result->err;
    grpc::SslServerCredentialsOptions options(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_root_certs = Read("ca.pem");
    options.pem_key_cert_pairs.push_back({Read("controller.key"), Read("controller.pem")});
    secure_ = std::make_unique<FakeController>(grpc::SslServerCredentials(options));
    variables_["FAIRLEAD_CONTROLLER"] = secure_->address();
    v1::GetStatusResponse status;
    status.set_converged(true);
    secure_->statuses = {status};
  }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string Read(const std::string& name) { return base::ReadFile(Path(name)).value(); }

  std::unique_ptr<FakeController> secure_;
};

TEST_F(TlsTest, BothEndsProveWhoTheyAre) {
  const Outcome outcome = RunCommand({"status", "--tls-ca", Path("ca.pem"), "--tls-cert",
                                      Path("ann.pem"), "--tls-key", Path("ann.key")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

TEST_F(TlsTest, FilesMayStandInTheConfiguration) {
  Write(".config/fairlead/config.toml",
        absl::StrCat("tls_ca = \"", Path("ca.pem"), "\"\ntls_cert = \"", Path("ann.pem"),
                     "\"\ntls_key = \"", Path("ann.key"), "\"\n"));
  EXPECT_EQ(RunCommand({"status"}).code, 0);
}

TEST_F(TlsTest, ClientWithoutCertificateIsRefused) {
  const Outcome outcome = RunCommand({"status", "--tls-ca", Path("ca.pem"), "--timeout", "10s"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("cannot reach the controller at 127.0.0.1:"));
}

TEST_F(TlsTest, ControllerOfAnotherAuthorityIsNotBelieved) {
  const Outcome outcome = RunCommand({"status", "--tls-ca", Path("ann.pem"), "--tls-cert",
                                      Path("ann.pem"), "--tls-key", Path("ann.key")});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("handshake"), HasSubstr("give --tls-ca FILE"),
                                 HasSubstr("of --tls-cert"), Not(HasSubstr("--dev"))));
}

TEST_F(TlsTest, PlainClientOfAnEncryptedControllerFails) {
  const Outcome outcome = RunCommand({"status", "--timeout", "10s"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("cannot reach the controller"), HasSubstr("give --tls-ca FILE")));
}

}  // namespace
}  // namespace fairlead::cli
