// Secrets over gRPC against a whole controller: what goes in never comes out.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/file.h"
#include "controller/store/store_address.h"
#include "controller/store/store_transfer.h"
#include "controller/testing/controller_fixture.h"
#include "fairlead/v1/secret_service.grpc.pb.h"
#include "fairlead/v1/service.grpc.pb.h"

namespace fairlead::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kValue[] = "correct-horse-battery";

constexpr char kBootstrap[] = R"(
[[server]]
name = "edge"
[[variable]]
name = "PW"
is_secret = true
[[variable]]
name = "TOKEN"
from = "files:token"
[[deployment]]
name = "db"
config.server = "edge"
config.image = "db:1"
config.environment = "PASSWORD=[[PW]]"
[[deployment]]
name = "api"
config.server = "edge"
config.image = "api:1"
config.environment = "TOKEN=[[TOKEN]]"
)";

class SecretRpcTest : public ControllerFixture {
 protected:
  SecretRpcTest() {
    Write("bootstrap.toml", kBootstrap);
    Write("secrets.toml",
          "[[provider]]\nname = \"files\"\ntype = \"file\"\ndirectory = \"kept\"\nrefresh = 1\n");
    std::filesystem::create_directories(folder_.File("kept"));
    Restart();
  }

  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(base::WriteFileAtomically(folder_.File(name), text).ok());
  }
  void Restart() {
    ControllerOptions options = Options();
    options.bootstrap = folder_.File("bootstrap.toml");
    options.secrets = folder_.File("secrets.toml");
    // The tests ask without a pause.
    options.limits.calls_per_second = 1'000'000;
    Start(options);
    secrets_ = StubOf<v1::SecretService>();
    resources_ = StubOf<v1::ResourceService>();
  }

  grpc::Status Set(const std::string& name, const std::string& value,
                   v1::SetSecretResponse* response) {
    v1::SetSecretRequest request;
    request.set_name(name);
    request.set_value(value);
    return Call(secrets_, &v1::SecretService::Stub::SetSecret, request, response);
  }
  v1::ListSecretsResponse List() {
    v1::ListSecretsResponse response;
    EXPECT_TRUE(
        Call(secrets_, &v1::SecretService::Stub::ListSecrets, v1::ListSecretsRequest(), &response)
            .ok());
    return response;
  }
  v1::ListSecretsResponse::Secret Find(const std::string& name) {
    const v1::ListSecretsResponse response = List();
    for (const auto& secret : response.secrets()) {
      if (secret.name() == name) return secret;
    }
    return {};
  }
  // Waits until the condition of the deployment is, or is not, INVALID.
  v1::GetResourceResponse WaitUntilInvalid(const std::string& name, bool invalid) {
    v1::GetResourceResponse response;
    const absl::Time until = base::Clock::Real().Now() + absl::Seconds(30);
    do {
      v1::GetResourceRequest request;
      request.set_kind("deployment");
      request.set_name(name);
      response.Clear();
      EXPECT_TRUE(
          Call(resources_, &v1::ResourceService::Stub::GetResource, request, &response).ok());
      const v1::Condition condition = response.resource().status().condition();
      if (condition != v1::CONDITION_UNSPECIFIED &&
          (condition == v1::CONDITION_INVALID) == invalid) {
        return response;
      }
    } while (base::Clock::Real().Now() < until);
    ADD_FAILURE() << response.ShortDebugString();
    return response;
  }
  // Every file that the controller wrote but the keys.
  std::string AllFiles() {
    std::ostringstream all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.File("data"))) {
      if (entry.is_regular_file()) all << std::ifstream(entry.path()).rdbuf();
    }
    return all.str();
  }

  std::unique_ptr<v1::SecretService::Stub> secrets_;
  std::unique_ptr<v1::ResourceService::Stub> resources_;
};

TEST_F(SecretRpcTest, AValueMakesWhatNeedsItValidAndStaysInside) {
  const v1::GetResourceResponse before = WaitUntilInvalid("db", true);
  EXPECT_THAT(before.ShortDebugString(), HasSubstr("fairlead secret set PW"));
  v1::SetSecretResponse response;
  ASSERT_TRUE(Set("PW", kValue, &response).ok());
  EXPECT_EQ(response.version(), 1u);
  EXPECT_THAT(response.used_by(), ElementsAre("deployment/db"));
  const v1::GetResourceResponse after = WaitUntilInvalid("db", false);
  EXPECT_THAT(after.SerializeAsString(), Not(HasSubstr(kValue)));
  EXPECT_EQ(Find("PW").set_by(), "operator");
  EXPECT_THAT(AllFiles(), Not(HasSubstr(kValue)));
  // It survives the controller.
  Restart();
  WaitUntilInvalid("db", false);
  v1::RemoveSecretRequest request;
  request.set_name("PW");
  v1::RemoveSecretResponse removed;
  ASSERT_TRUE(Call(secrets_, &v1::SecretService::Stub::RemoveSecret, request, &removed).ok());
  EXPECT_THAT(removed.used_by(), ElementsAre("deployment/db"));
  WaitUntilInvalid("db", true);
}

TEST_F(SecretRpcTest, WhatSomebodyElseKeepsIsReadAndFollowed) {
  const v1::GetResourceResponse before = WaitUntilInvalid("api", true);
  EXPECT_THAT(before.ShortDebugString(), HasSubstr("files:token"));
  Write("kept/token", kValue);
  WaitUntilInvalid("api", false);
  EXPECT_EQ(Find("TOKEN").from(), "files:token");
  EXPECT_EQ(Find("TOKEN").problem(), "");
  EXPECT_THAT(Find("TOKEN").used_by(), ElementsAre("deployment/api"));
}

TEST_F(SecretRpcTest, ALostKeyIsSaidAndNothingElseStops) {
  v1::SetSecretResponse response;
  ASSERT_TRUE(Set("PW", kValue, &response).ok());
  controller_.reset();
  std::filesystem::remove(folder_.File("data/secret.key"));
  Write("kept/token", "t");
  Restart();
  const v1::GetResourceResponse lost = WaitUntilInvalid("db", true);
  EXPECT_THAT(lost.ShortDebugString(), HasSubstr("secret.key"));
  WaitUntilInvalid("api", false);
  EXPECT_THAT(Find("PW").problem(), HasSubstr("is missing"));
  const grpc::Status refused = Set("OTHER", "x", &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), HasSubstr("secret.key lacks key " + Find("PW").key_id()));
  EXPECT_THAT(refused.error_message(), HasSubstr("(PW)"));
  EXPECT_THAT(List().key_problem(), HasSubstr("lacks key"));
}

TEST_F(SecretRpcTest, ABackupAndTheKeyFileMakeItWholeElsewhere) {
  EXPECT_EQ(List().key_problem(), "");
  // Made by the first start: it can be copied before anything is set.
  const std::string data = folder_.path() + "/data";
  const auto key = base::ReadFile(data + "/secret.key");
  ASSERT_TRUE(key.ok()) << key.status();
  v1::SetSecretResponse response;
  ASSERT_TRUE(Set("PW", kValue, &response).ok());
  const auto from = store::ParseStoreAddress("sqlite:" + data + "/fairlead.db", "");
  ASSERT_TRUE(store::BackUpStore(*from, folder_.path() + "/backup").ok());
  controller_.reset();
  std::filesystem::remove_all(data);
  std::filesystem::create_directories(data);
  const auto restored =
      store::RestoreStore(folder_.path() + "/backup", *from, base::Clock::Real().Now());
  ASSERT_TRUE(restored.ok()) << restored.status();
  Restart();
  EXPECT_FALSE(std::filesystem::exists(data + "/secret.key")) << "it would hide what is missing";
  EXPECT_THAT(List().key_problem(), HasSubstr("lacks key"));
  Write("data/secret.key", *key);
  Restart();
  EXPECT_EQ(List().key_problem(), "");
  EXPECT_EQ(Find("PW").problem(), "");
  WaitUntilInvalid("db", false);
}

TEST_F(SecretRpcTest, RotatesTheKeyWithoutTouchingWhatRuns) {
  v1::SetSecretResponse response;
  ASSERT_TRUE(Set("PW", kValue, &response).ok());
  const std::string key = Find("PW").key_id();
  v1::RotateSecretKeyResponse rotated;
  ASSERT_TRUE(Call(secrets_, &v1::SecretService::Stub::RotateSecretKey,
                   v1::RotateSecretKeyRequest(), &rotated)
                  .ok());
  EXPECT_EQ(rotated.secrets(), 1u);
  EXPECT_NE(rotated.key_id(), key);
  EXPECT_EQ(Find("PW").key_id(), rotated.key_id());
  Restart();
  WaitUntilInvalid("db", false);
}

}  // namespace
}  // namespace fairlead::controller
