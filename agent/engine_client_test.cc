#include "agent/engine_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include "absl/strings/str_cat.h"

#include "agent/engine_error.h"
#include "agent/testing/fake_engine.h"
#include "base/testing/scratch_folder.h"

namespace fairlead::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class EngineClientTest : public ::testing::Test {
 protected:
  EngineClientTest()
      : engine_(folder_.path() + "/engine.sock"), client_(engine_.address(), base::Clock::Real()) {
    engine_.AddImage("app:1");
  }

  base::ScratchFolder folder_;
  FakeEngine engine_;
  EngineClient client_;
};

TEST_F(EngineClientTest, DescribesTheEngine) {
  const absl::StatusOr<v1::EngineVersion> version = client_.Describe({});

  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(version->name(), "docker");
  EXPECT_EQ(version->api_version(), "1.41");
  EXPECT_EQ(version->cpus(), 4u);
}

// As an engine that starts, or a proxy before it.
class KnowsNothing final : public EngineTransport {
 public:
  absl::StatusOr<HttpResponse> Stream(const HttpRequest& /*request*/, const StreamHooks& /*hooks*/,
                                      const CallLimits& /*limits*/) const override {
    return HttpResponse{404, R"({"message":"page not found"})"};
  }
};

TEST(EngineVersionTest, AnEngineThatDoesNotSayItsVersionHasNotLostTheContainer) {
  const EngineClient client(std::make_shared<const KnowsNothing>(), base::Clock::Real());

  const absl::Status status = client.InspectContainer("web", {}).status();

  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("GET /version with 404: page not found"));
}

TEST_F(EngineClientTest, HandsOnWhatAPullSaysOfLayers) {
  std::vector<std::string> news;

  const absl::Status status =
      client_.PullImage("app:9",
                        [&](const EngineClient::LayerNews& one) {
                          news.push_back(absl::StrCat(one.layer, " ", one.status, " ", one.current,
                                                      " of ", one.total));
                        },
                        {});

  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(
      news, ElementsAre("a Downloading 5 of 10", "b Downloading 1 of 20", "a Pull complete 0 of 0"))
      << "the tag is no layer";
  EXPECT_TRUE(client_.ImageId("app:9", {}).ok());
}

TEST_F(EngineClientTest, FindsTheErrorWithinThePullStream) {
  engine_.pull_fails = true;

  const absl::Status status = client_.PullImage("app:9", nullptr, {});

  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(status.message(), "registry is unreachable");
}

TEST_F(EngineClientTest, MissingThingsAreNotFound) {
  EXPECT_TRUE(absl::IsNotFound(client_.InspectContainer("nosuch", {}).status()));
  EXPECT_TRUE(absl::IsNotFound(client_.ImageId("repo/nosuch:1", {}).status()));
  EXPECT_TRUE(absl::IsNotFound(client_.CreateContainer("x", {{"Image", "no:1"}}, {}).status()));
}

TEST_F(EngineClientTest, ATakenNameAlreadyExists) {
  engine_.AddContainer("web", {{"Image", "app:1"}}, "running");

  EXPECT_TRUE(
      absl::IsAlreadyExists(client_.CreateContainer("web", {{"Image", "app:1"}}, {}).status()));
}

TEST_F(EngineClientTest, StartingWhatRunsIsFine) {
  engine_.AddContainer("web", {{"Image", "app:1"}}, "running");

  EXPECT_TRUE(client_.StartContainer("web", {}).ok());
}

TEST_F(EngineClientTest, EndsAtTheDeadline) {
  engine_.AddContainer("web", {{"Image", "app:1"}}, "running");
  engine_.stop_hangs = true;

  const absl::Status status = client_.StopContainer(
      "web", 10, {.deadline = base::Clock::Real().Now() + absl::Milliseconds(50)});
  engine_.stop_hangs = false;

  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
}

TEST_F(EngineClientTest, EndsWhenCancelled) {
  engine_.AddContainer("web", {{"Image", "app:1"}}, "running");
  engine_.stop_hangs = true;
  int polls = 0;

  const absl::Status status =
      client_.StopContainer("web", 10, {.is_cancelled = [&] { return ++polls > 6; }});
  engine_.stop_hangs = false;

  EXPECT_TRUE(absl::IsCancelled(status)) << status;
}

TEST_F(EngineClientTest, AMissingSocketIsUnavailable) {
  const EngineClient nowhere("unix:///tmp/fairlead-nosuch.sock", base::Clock::Real());

  const absl::Status status = nowhere.Version({}).status();

  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("docker does not answer at /tmp/fairlead-nosuch.sock: No such file"));
}

TEST_F(EngineClientTest, AnImpossibleAddressIsTheUsersFault) {
  const EngineClient client("unix://" + std::string(200, 'x'), base::Clock::Real());

  EXPECT_TRUE(absl::IsInvalidArgument(client.Version({}).status()));
}

TEST(EngineErrorTest, CodesFollowStatusAndText) {
  struct Case {
    unsigned http;
    const char* message;
    absl::StatusCode code;
    const char* text;
  };
  const Case cases[] = {
      {204, "", absl::StatusCode::kOk, ""},
      {304, "", absl::StatusCode::kOk, ""},
      {400, R"({"message":"bad parameter"})", absl::StatusCode::kInvalidArgument, "bad parameter"},
      {404, R"({"message":"No such image"})", absl::StatusCode::kNotFound, "No such image"},
      {409, R"({"message":"is already in use by container x"})", absl::StatusCode::kAlreadyExists,
       "already in use"},
      {409, R"({"message":"container is paused"})", absl::StatusCode::kFailedPrecondition,
       "paused"},
      {500, R"({"message":"Bind for 0.0.0.0:8080 failed: port is already allocated"})",
       absl::StatusCode::kFailedPrecondition, "port 8080 is already taken on this host"},
      {500, R"({"message":"listen tcp4 127.0.0.1:53: bind: address already in use"})",
       absl::StatusCode::kFailedPrecondition, "port 53 is already taken on this host"},
      {500, R"({"message":"write /x: no space left on device"})",
       absl::StatusCode::kResourceExhausted, "no space left"},
      {500, R"({"message":"OCI runtime create failed: x"})", absl::StatusCode::kFailedPrecondition,
       "OCI runtime"},
      {500, "plain text\n", absl::StatusCode::kUnavailable, "plain text"},
      {502, "", absl::StatusCode::kUnavailable, "docker answered 502"}};
  for (const Case& test : cases) {
    const absl::Status status = StatusOfAnswer(test.http, test.message);
    EXPECT_EQ(status.code(), test.code) << test.message;
    EXPECT_THAT(std::string(status.message()), HasSubstr(test.text));
  }
}

TEST(EngineErrorTest, ARefusedPullIsNotFoundAndANetworkFaultIsUnavailable) {
  EXPECT_TRUE(absl::IsNotFound(StatusOfPullError("pull access denied for x")));
  EXPECT_TRUE(absl::IsUnavailable(StatusOfPullError("dial tcp: i/o timeout")));
}

}  // namespace
}  // namespace fairlead::agent
