#include "agent/health_prober.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

#include "agent/testing/probe_server.h"

namespace fairlead::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kPatience = absl::Seconds(20);
constexpr v1::ContainerHealth kStarting = v1::CONTAINER_HEALTH_STARTING;
constexpr v1::ContainerHealth kHealthy = v1::CONTAINER_HEALTH_HEALTHY;
constexpr v1::ContainerHealth kUnhealthy = v1::CONTAINER_HEALTH_UNHEALTHY;

class HealthProberTest : public ::testing::Test {
 protected:
  HealthProberTest() : prober_(base::Clock::Real(), 2) {
    prober_.SetOnChange([this](const std::string& id) {
      base::MutexLock lock(mutex_);
      ++changes_[id];
      changed_.SignalAll();
    });
  }
  // The prober's thread uses the rest.
  ~HealthProberTest() override { prober_.Stop(); }

  HealthProber::Subject Web(const std::string& id = "web") const {
    return {.id = id,
            .definition = {.port = server_.port(),
                           .path = "/health",
                           .host = "shop",
                           .interval = absl::Milliseconds(10),
                           .timeout = absl::Seconds(10),
                           .retries = 1},
            .address = "127.0.0.1",
            .started_at = absl::FromUnixSeconds(1'700'000'000)};
  }

  // Watches until its health is `health`.
  std::string Await(const HealthProber::Subject& subject, v1::ContainerHealth health) {
    const absl::Time end = base::Clock::Real().Now() + kPatience;
    HealthProber::Finding finding = prober_.Watch(subject);
    base::MutexLock lock(mutex_);
    while (finding.health != health && base::Clock::Real().Now() < end) {
      changed_.WaitFor(mutex_, absl::Milliseconds(50));
      finding = prober_.Watch(subject);
    }
    EXPECT_EQ(finding.health, health) << finding.failure;
    return finding.failure;
  }
  int ChangesOf(const std::string& id) {
    base::MutexLock lock(mutex_);
    return changes_[id];
  }
  std::string AwaitFailure(const std::string& answer) {
    server_.SetAnswer(answer);
    return Await(Web(), kUnhealthy);
  }

  ProbeServer server_;
  base::Mutex mutex_;
  base::CondVar changed_;
  std::map<std::string, int> changes_ ABSL_GUARDED_BY(mutex_);
  HealthProber prober_;
};

TEST_F(HealthProberTest, AGoodAnswerIsHealthy) {
  EXPECT_EQ(prober_.Watch(Web()).health, kStarting);

  EXPECT_EQ(Await(Web(), kHealthy), "");

  EXPECT_THAT(server_.Requests().front(),
              AllOf(HasSubstr("GET /health HTTP/1.1\r\n"), HasSubstr("Host: shop\r\n"),
                    HasSubstr("Connection: close\r\n")));
}

TEST_F(HealthProberTest, AnErrorIsAFailureThatNamesTheRequest) {
  EXPECT_EQ(
      AwaitFailure(AnswerOf("503 Service Unavailable")),
      absl::StrCat("GET http://127.0.0.1:", server_.port(), "/health: 503 Service Unavailable"));
}

TEST_F(HealthProberTest, ARedirectIsHealthyAndNotFollowed) {
  server_.SetAnswer("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");

  Await(Web(), kHealthy);

  for (const std::string& request : server_.Requests()) {
    EXPECT_THAT(request, Not(HasSubstr("elsewhere")));
  }
}

TEST_F(HealthProberTest, ABodyIsNotReadHoweverLong) {
  server_.SetAnswer("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nbegin");

  Await(Web(), kHealthy);
}

TEST_F(HealthProberTest, AHeadWithoutEndIsAFailure) {
  EXPECT_THAT(AwaitFailure("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x')),
              HasSubstr("/health: "));
}

TEST_F(HealthProberTest, WhatIsNotHttpIsAFailure) {
  EXPECT_THAT(AwaitFailure("SSH-2.0-OpenSSH_9.2\r\n\r\n"), HasSubstr("not an answer of HTTP"));
}

TEST_F(HealthProberTest, SilenceIsAFailureAfterTheTimeout) {
  server_.SetAnswer("");
  HealthProber::Subject web = Web();
  web.definition.timeout = absl::Milliseconds(30);

  EXPECT_THAT(Await(web, kUnhealthy), HasSubstr("/health: no answer within 30ms"));
}

TEST_F(HealthProberTest, ARefusedConnectionIsAFailure) {
  HealthProber::Subject web = Web();
  {
    // Nobody listens on its port any more.
    const ProbeServer gone;
    web.definition.port = gone.port();
  }
  EXPECT_THAT(Await(web, kUnhealthy), HasSubstr(": connection refused"));

  web.id = "db";
  web.definition.path = "";
  EXPECT_EQ(Await(web, kUnhealthy),
            absl::StrCat("connect to 127.0.0.1:", web.definition.port, ": connection refused"));
}

TEST_F(HealthProberTest, AnAcceptedConnectionIsEnoughWithoutAPath) {
  server_.SetAnswer("");
  HealthProber::Subject web = Web();
  web.definition.path = "";

  Await(web, kHealthy);

  EXPECT_TRUE(server_.Requests().empty());
}

TEST_F(HealthProberTest, AContainerWithoutAddressIsNotHealthy) {
  HealthProber::Subject web = Web();
  web.address = "";

  EXPECT_EQ(Await(web, kUnhealthy), "the container has no address");

  // It was connected to its network again.
  Await(Web(), kHealthy);
}

TEST_F(HealthProberTest, TellsChangesAndNotAnswers) {
  Await(Web(), kHealthy);
  const std::size_t asked = server_.Requests().size();
  const absl::Time end = base::Clock::Real().Now() + kPatience;
  {
    base::MutexLock lock(mutex_);
    while (server_.Requests().size() < asked + 5 && base::Clock::Real().Now() < end) {
      changed_.WaitFor(mutex_, absl::Milliseconds(10));
    }
  }
  EXPECT_EQ(ChangesOf("web"), 1);

  AwaitFailure(AnswerOf("500 Oh"));
  EXPECT_EQ(ChangesOf("web"), 2);
}

TEST_F(HealthProberTest, AnotherRunBeginsAnew) {
  Await(Web(), kHealthy);
  HealthProber::Subject next = Web();
  next.started_at += absl::Seconds(5);
  server_.SetAnswer("");

  EXPECT_EQ(prober_.Watch(next).health, kStarting);
  EXPECT_EQ(prober_.Watch(next).health, kStarting) << "an answer to the run before does not count";
}

TEST_F(HealthProberTest, ForgetsWhatIsGone) {
  Await(Web("a"), kHealthy);
  Await(Web("b"), kHealthy);
  Await(Web("c"), kHealthy);
  server_.SetAnswer("");

  prober_.Forget("a");
  prober_.Keep({"a", "c"});

  EXPECT_EQ(prober_.Watch(Web("a")).health, kStarting);
  EXPECT_EQ(prober_.Watch(Web("b")).health, kStarting);
  EXPECT_EQ(prober_.Watch(Web("c")).health, kHealthy);
}

TEST_F(HealthProberTest, AsksNoMoreThanSoManyAtOnceAndStillAll) {
  for (const char* id : {"a", "b", "c", "d", "e", "f"}) prober_.Watch(Web(id));
  for (const char* id : {"a", "b", "c", "d", "e", "f"}) Await(Web(id), kHealthy);

  // The server may see the next one before the end of the last.
  EXPECT_LE(server_.MostAtOnce(), 4u);
}

TEST_F(HealthProberTest, ASilentOneHoldsUpNobodyElse) {
  ProbeServer silent;
  HealthProber::Subject hung = Web("hung");
  hung.definition.port = silent.port();
  silent.SetAnswer("");
  prober_.Watch(hung);

  Await(Web(), kHealthy);
  AwaitFailure(AnswerOf("500 Oh"));

  EXPECT_EQ(prober_.Watch(hung).health, kStarting);
}

TEST_F(HealthProberTest, NothingIsToldAfterStop) {
  prober_.Watch(Web());

  prober_.Stop();

  const int changes = ChangesOf("web");
  EXPECT_EQ(prober_.Watch(Web("b")).health, kStarting);
  EXPECT_EQ(ChangesOf("web"), changes);
}

}  // namespace
}  // namespace fairlead::agent
