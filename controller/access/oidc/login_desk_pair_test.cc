#include "controller/access/oidc/login_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "base/file.h"
#include "base/testing/scratch_folder.h"
#include "base/testing/simulated_clock.h"
#include "controller/access/secret.h"
#include "controller/store/testing/fake_store.h"
#include "integration/testing/oidc_provider.h"

namespace fairlead::access::oidc {
namespace {

using ::testing::HasSubstr;

constexpr char kVerifier[] = "a-verifier-that-only-the-one-who-began-it-has";
constexpr char kNotBegun[] = "no such login has begun";

class LoginDeskTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path = folder_.path() + "/oidc.toml";
    ASSERT_TRUE(base::WriteFileAtomically(path, provider_.Settings()).ok());
    auto settings = LoadSettings(path);
    ASSERT_TRUE(settings.ok()) << settings.status();
    auto access = Access::Load({}, store_, clock_, {});
    ASSERT_TRUE(access.ok()) << access.status();
    access_ = *std::move(access);
    desk_ = std::make_unique<LoginDesk>(*std::move(settings), *access_, clock_);
  }
  absl::StatusOr<Begun> Begin(const std::string& address) {
    std::promise<absl::StatusOr<Begun>> done;
    desk_->Begin({.redirect_uri = "http://127.0.0.1:5555/callback",
                  .code_challenge = absl::WebSafeBase64Escape(Sha256(kVerifier)),
                  .address = address},
                 [&done](absl::StatusOr<Begun> begun) { done.set_value(std::move(begun)); });
    return done.get_future().get();
  }
  absl::Status Finish(const std::string& state, const std::string& address,
                      const std::string& code = "code/none") {
    std::promise<absl::Status> done;
    desk_->Finish({.state = state, .code = code, .code_verifier = kVerifier, .address = address},
                  [&done](const absl::StatusOr<LoggedIn>& in) { done.set_value(in.status()); });
    return done.get_future().get();
  }

  base::SimulatedClock clock_;
  base::ScratchFolder folder_;
  store::FakeStore store_;
  integration::OidcProvider provider_{integration::OidcProviderOptions{.clock = &clock_}};
  std::unique_ptr<Access> access_;
  std::unique_ptr<LoginDesk> desk_;
};

TEST_F(LoginDeskTest, ASiteIsBoundedByItsFirst64Bits) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(Begin(absl::StrCat("2001:db8::", i + 1)).ok()) << i;
  }
  EXPECT_EQ(Begin("2001:db8::ffff").status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Begin("2001:db8:0:1::1").ok());
}

TEST_F(LoginDeskTest, ManyAddressesKeepNobodyOut) {
  // The last one has as many as one may, and the oldest of them is not the oldest of all.
  const absl::StatusOr<Begun> oldest = Begin("10.1.0.1");
  ASSERT_TRUE(oldest.ok()) << oldest.status();
  std::string first;
  std::string second;
  for (int i = 0; i < 20; ++i) {
    clock_.Advance(absl::Milliseconds(1));
    const auto begun = Begin("10.9.9.9");
    ASSERT_TRUE(begun.ok()) << begun.status();
    if (i == 0) first = begun->state;
    if (i == 1) second = begun->state;
  }
  for (int i = 21; i < 1000; ++i) {
    ASSERT_TRUE(Begin(absl::StrCat("10.2.", i / 250, ".", i % 250)).ok()) << i;
  }
  EXPECT_TRUE(Begin("10.3.0.1").ok());
  EXPECT_THAT(Finish(first, "10.9.9.9").message(), HasSubstr(kNotBegun));
  EXPECT_THAT(Finish(second, "10.9.9.9").message(), HasSubstr("refuses the code"));
  EXPECT_THAT(Finish(oldest->state, "10.1.0.1").message(), HasSubstr("refuses the code"));
}

TEST_F(LoginDeskTest, FailuresOfTheProviderLockNobodyOut) {
  provider_.SetLie(integration::Lie::kServerError);
  for (int i = 0; i < 40; ++i) {
    const auto begun = Begin("10.0.0.1");
    ASSERT_TRUE(begun.ok()) << i << " " << begun.status();
    EXPECT_EQ(Finish(begun->state, "10.0.0.1").code(), absl::StatusCode::kUnavailable) << i;
  }
  // Guesses do.
  for (int i = 0; i < 21; ++i) {
    EXPECT_EQ(Finish("guess", "10.0.0.1").code(), absl::StatusCode::kUnauthenticated) << i;
  }
  EXPECT_EQ(Begin("10.0.0.1").status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace fairlead::access::oidc
