#include "agent/docker_reporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/str_cat.h"

#include "agent/engine_json.h"
#include "agent/engine_report.h"
#include "agent/probe_schedule.h"
#include "agent/stack_folder.h"
#include "agent/testing/fake_engine.h"
#include "agent/testing/probe_server.h"
#include "base/file.h"
#include "base/mutex.h"
#include "base/testing/scratch_folder.h"
#include "base/testing/simulated_clock.h"

namespace fairlead::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::Duration kPatience = absl::Seconds(20);
constexpr char kInstallation[] = "inst";

// Applies what a reporter says, as the controller would.
class Listener {
 public:
  Reporter::Callbacks callbacks() {
    return {.on_state =
                [this](const v1::HostState& state) {
                  base::MutexLock lock(mutex_);
                  ++states_;
                  containers_.clear();
                  for (const auto& container : state.containers()) {
                    containers_[container.name()] = container;
                  }
                  projects_.clear();
                  for (const auto& project : state.projects()) {
                    projects_[project.resource()] = project;
                  }
                  up_ = state.engine_up();
                  error_ = state.engine_error();
                  changed_.SignalAll();
                },
            .on_delta = [this](const v1::HostDelta& delta) { Apply(delta); }};
  }

  // Waits until `holds` is true of the containers by name.
  using Containers = std::map<std::string, v1::Container>;
  ::testing::AssertionResult Eventually(const std::function<bool(const Containers&)>& holds) {
    return Await([&] { return states_ > 0 && holds(containers_); });
  }
  ::testing::AssertionResult EventuallyUp(bool up) {
    return Await([&] { return states_ > 0 && up_ == up; });
  }
  ::testing::AssertionResult EventuallySaidAll(int times) {
    return Await([&] { return states_ >= times; });
  }

  v1::Container Get(const std::string& name) {
    base::MutexLock lock(mutex_);
    return containers_[name];
  }
  int states() {
    base::MutexLock lock(mutex_);
    return states_;
  }
  int deltas() {
    base::MutexLock lock(mutex_);
    return deltas_;
  }
  std::string error() {
    base::MutexLock lock(mutex_);
    return error_;
  }
  std::map<std::string, v1::Project> projects() {
    base::MutexLock lock(mutex_);
    return projects_;
  }

 private:
  void Apply(const v1::HostDelta& delta) {
    base::MutexLock lock(mutex_);
    EXPECT_GT(states_, 0) << "a delta before any state";
    ++deltas_;
    for (const std::string& id : delta.remove_container_ids()) {
      std::erase_if(containers_, [&](const auto& entry) { return entry.second.id() == id; });
    }
    for (const v1::Container& container : delta.upsert_containers()) {
      std::erase_if(containers_,
                    [&](const auto& entry) { return entry.second.id() == container.id(); });
      containers_[container.name()] = container;
    }
    for (const v1::Project& project : delta.upsert_projects()) {
      projects_[project.resource()] = project;
    }
    for (const std::string& resource : delta.remove_projects()) projects_.erase(resource);
    if (delta.has_engine()) {
      up_ = delta.engine().up();
      error_ = delta.engine().error();
    }
    changed_.SignalAll();
  }

  ::testing::AssertionResult Await(const std::function<bool()>& holds) {
    const absl::Time end = base::Clock::Real().Now() + kPatience;
    base::MutexLock lock(mutex_);
    while (!holds()) {
      if (base::Clock::Real().Now() > end) {
        std::string said;
        for (const auto& [name, container] : containers_) {
          absl::StrAppend(&said, container.ShortDebugString(), "\n");
        }
        return ::testing::AssertionFailure() << "up " << up_ << ", containers:\n" << said;
      }
      changed_.WaitFor(mutex_, absl::Milliseconds(100));
    }
    return ::testing::AssertionSuccess();
  }

  base::Mutex mutex_;
  base::CondVar changed_;
  Containers containers_;
  std::map<std::string, v1::Project> projects_;
  bool up_ = false;
  std::string error_;
  int states_ = 0;
  int deltas_ = 0;
};

class DockerReporterTest : public ::testing::Test {
 protected:
  DockerReporterTest()
      : engine_(folder_.path() + "/engine.sock"), records_(folder_.path() + "/containers") {
    engine_.AddImage("app:1");
    EXPECT_TRUE(records_.Load().ok());
    reporter_ = std::make_unique<DockerReporter>(
        DockerOptions{.engine = engine_.address(), .data_directory = folder_.path()}, records_,
        secrets_, base::Clock::Real());
  }

  void Start() {
    reporter_->Start(listener_.callbacks());
    Identify();
    ASSERT_TRUE(listener_.EventuallyUp(true));
  }
  void Identify() { reporter_->SetInstallation(kInstallation, "k1", std::string(32, 'k')); }

  std::string AddOurs(const std::string& name, const std::string& status = "running",
                      const std::string& hash = "h") {
    boost::json::object labels;
    for (const auto& [key, value] : OwnLabels(kInstallation, "deployment/" + name, hash, "a")) {
      labels[key] = value;
    }
    return engine_.AddContainer(name, {{"Image", "app:1"}, {"Labels", labels}}, status);
  }

  static std::string ProbeOn(uint16_t port) {
    v1::ContainerSpec::Healthcheck check;
    check.mutable_probe()->set_port(port);
    check.mutable_probe()->set_path("/health");
    check.mutable_interval()->set_nanos(100'000'000);
    check.set_retries(2);
    return ProbeText(check);
  }
  void AddProbed(const std::string& name, uint16_t port) {
    boost::json::object labels = {{kProbeLabel, ProbeOn(port)}};
    for (const auto& [key, value] : OwnLabels(kInstallation, "deployment/" + name, "h", "a")) {
      labels[key] = value;
    }
    engine_.AddContainer(
        name, {{"Image", "app:1"}, {"Labels", labels}, {"HostConfig", {{"NetworkMode", "host"}}}},
        "running");
  }
  ::testing::AssertionResult EventuallyHas(const std::string& name, v1::ContainerHealth health) {
    return listener_.Eventually(
        [&](const auto& all) { return all.contains(name) && all.at(name).health() == health; });
  }

  base::ScratchFolder folder_;
  FakeEngine engine_;
  ContainerRecords records_;
  SecretTexts secrets_;
  Listener listener_;
  std::unique_ptr<DockerReporter> reporter_;
};

bool Is(const Listener::Containers& containers, const std::string& name, v1::ContainerState state) {
  const auto found = containers.find(name);
  return found != containers.end() && found->second.state() == state;
}

TEST_F(DockerReporterTest, SaysNothingBeforeItKnowsTheInstallation) {
  reporter_->Start(listener_.callbacks());

  reporter_->Refresh();

  EXPECT_EQ(listener_.states(), 0);
}

TEST_F(DockerReporterTest, SaysEverythingOfOursAndLittleOfOthers) {
  AddOurs("web");
  engine_.AddContainer("other",
                       {{"Image", "app:1"},
                        {"Env", {"SECRET=x"}},
                        {"HostConfig", {{"PortBindings", {{"80/tcp", {{{"HostPort", "8080"}}}}}}}}},
                       "running");

  Start();

  const v1::Container web = listener_.Get("web");
  EXPECT_EQ(web.resource(), "deployment/web");
  EXPECT_EQ(web.section_hash_size(), 9);
  EXPECT_EQ(web.started_at().seconds() > 0, true);
  const v1::Container other = listener_.Get("other");
  EXPECT_THAT(other.host_ports(), ElementsAre("8080/tcp"));
  EXPECT_EQ(other.section_hash_size(), 0);
  EXPECT_EQ(other.state(), v1::CONTAINER_STATE_RUNNING);
}

TEST_F(DockerReporterTest, FollowsCreationEndAndRemoval) {
  Start();
  AddOurs("web");
  EXPECT_TRUE(listener_.Eventually(
      [](const auto& all) { return Is(all, "web", v1::CONTAINER_STATE_RUNNING); }));

  engine_.SetLog("web", "panic: no config");
  engine_.Exit("web", 3);
  EXPECT_TRUE(listener_.Eventually(
      [](const auto& all) { return Is(all, "web", v1::CONTAINER_STATE_EXITED); }));
  EXPECT_EQ(listener_.Get("web").exit_code(), 3);
  EXPECT_EQ(listener_.Get("web").log_tail(), "panic: no config");
  EXPECT_FALSE(listener_.Get("web").killed());

  engine_.RemoveByHand("web");
  EXPECT_TRUE(listener_.Eventually([](const auto& all) { return all.empty(); }));
  EXPECT_EQ(listener_.states(), 1) << "changes come as deltas";
}

TEST_F(DockerReporterTest, FollowsForeignContainersForTheirNamesAndPorts) {
  Start();

  engine_.AddContainer("other", {{"Image", "app:1"}}, "running");

  EXPECT_TRUE(listener_.Eventually(
      [](const auto& all) { return Is(all, "other", v1::CONTAINER_STATE_RUNNING); }));
}

TEST_F(DockerReporterTest, TellsAKillFromAnEndOfItsOwn) {
  AddOurs("web");
  Start();
  EngineClient client(engine_.address(), base::Clock::Real());

  ASSERT_TRUE(client.StopContainer(engine_.IdOf("web"), 1, {}).ok());

  EXPECT_TRUE(listener_.Eventually(
      [](const auto& all) { return all.contains("web") && all.at("web").killed(); }));
  ASSERT_TRUE(client.StartContainer(engine_.IdOf("web"), {}).ok());
  EXPECT_TRUE(listener_.Eventually([](const auto& all) {
    return Is(all, "web", v1::CONTAINER_STATE_RUNNING) && !all.at("web").killed();
  }));
  engine_.Exit("web", 0);
  EXPECT_TRUE(listener_.Eventually([](const auto& all) {
    return Is(all, "web", v1::CONTAINER_STATE_EXITED) && !all.at("web").killed();
  }));
}

TEST_F(DockerReporterTest, FollowsHealthAndShowsTheLogOfTheUnhealthy) {
  AddOurs("web");
  engine_.SetHealth("web", "starting");
  engine_.SetLog("web", "token hunter22 refused");
  secrets_.Add({"hunter22"});
  Start();

  engine_.SetHealth("web", "unhealthy");

  EXPECT_TRUE(listener_.Eventually(
      [](const auto& all) { return all.at("web").health() == v1::CONTAINER_HEALTH_UNHEALTHY; }));
  EXPECT_EQ(listener_.Get("web").log_tail(), "token *** refused");
  engine_.SetHealth("web", "healthy");
  EXPECT_TRUE(listener_.Eventually([](const auto& all) {
    return all.at("web").health() == v1::CONTAINER_HEALTH_HEALTHY &&
           all.at("web").log_tail().empty();
  }));
}

TEST_F(DockerReporterTest, AsksContainersThatCarryAProbe) {
  ProbeServer server;
  AddProbed("web", server.port());
  Start();
  EXPECT_TRUE(EventuallyHas("web", v1::CONTAINER_HEALTH_HEALTHY));

  server.SetAnswer(AnswerOf("503 Service Unavailable"));
  engine_.SetLog("web", "no database");
  EXPECT_TRUE(EventuallyHas("web", v1::CONTAINER_HEALTH_UNHEALTHY));
  EXPECT_THAT(listener_.Get("web").health_failure(), HasSubstr("/health: 503"));
  EXPECT_EQ(listener_.Get("web").log_tail(), "no database");

  server.SetAnswer(AnswerOf("204 No Content"));
  EXPECT_TRUE(EventuallyHas("web", v1::CONTAINER_HEALTH_HEALTHY));
  EXPECT_EQ(listener_.Get("web").health_failure(), "");
}

TEST_F(DockerReporterTest, AnAnswerThatChangesNothingIsNotSaid) {
  ProbeServer server;
  AddProbed("web", server.port());
  Start();
  EXPECT_TRUE(EventuallyHas("web", v1::CONTAINER_HEALTH_HEALTHY));
  const int deltas = listener_.deltas();
  const std::size_t asked = server.Requests().size();

  EXPECT_TRUE(
      listener_.Eventually([&](const auto&) { return server.Requests().size() > asked + 2; }));

  EXPECT_EQ(listener_.deltas(), deltas);
}

TEST_F(DockerReporterTest, AStartedContainerIsAskedAnewAndAStoppedOneNotAtAll) {
  ProbeServer server;
  AddProbed("web", server.port());
  Start();
  EXPECT_TRUE(EventuallyHas("web", v1::CONTAINER_HEALTH_HEALTHY));
  engine_.Exit("web", 1);
  EXPECT_TRUE(EventuallyHas("web", v1::CONTAINER_HEALTH_NONE));
  server.SetAnswer("");
  EngineClient client(engine_.address(), base::Clock::Real());

  ASSERT_TRUE(client.StartContainer(engine_.IdOf("web"), {}).ok());

  EXPECT_TRUE(EventuallyHas("web", v1::CONTAINER_HEALTH_STARTING));
  server.SetAnswer(AnswerOf("200 OK"));
}

TEST_F(DockerReporterTest, AnAdoptedContainerIsAskedAsItsRecordSays) {
  ProbeServer server;
  const std::string id = engine_.AddContainer(
      "web", {{"Image", "app:1"}, {"HostConfig", {{"NetworkMode", "host"}}}}, "running");
  ASSERT_TRUE(
      records_
          .Put(id, {.resource = "deployment/web", .adopted = true, .probe = ProbeOn(server.port())})
          .ok());
  ContainerRecords again(folder_.path() + "/containers");
  ASSERT_TRUE(again.Load().ok());
  EXPECT_EQ(again.Find(id)->probe, ProbeOn(server.port())) << "known after a restart";

  Start();

  EXPECT_TRUE(EventuallyHas("web", v1::CONTAINER_HEALTH_HEALTHY));
}

TEST_F(DockerReporterTest, ShowsAChangeByHandAsAnotherSectionHash) {
  AddOurs("web");
  Start();
  const v1::Container before = listener_.Get("web");

  engine_.SetMemory("web", 1 << 20);

  EXPECT_TRUE(listener_.Eventually([&](const auto& all) {
    return all.at("web").section_hash().at("limits") != before.section_hash().at("limits");
  }));
  EXPECT_EQ(listener_.Get("web").section_hash().at("environment"),
            before.section_hash().at("environment"));
}

TEST_F(DockerReporterTest, ShowsARetaggedImageAsAnotherSectionHash) {
  AddOurs("web");
  Start();
  const std::string before = listener_.Get("web").section_hash().at("image");

  engine_.Retag("app:1", "sha256:other");

  EXPECT_TRUE(listener_.Eventually(
      [&](const auto& all) { return all.at("web").section_hash().at("image") != before; }));
  engine_.Retag("app:1", "sha256:app:1");
  EXPECT_TRUE(listener_.Eventually([&](const auto& all) {
    return all.at("web").section_hash().at("image") == before;
  })) << "tagged back";
}

TEST_F(DockerReporterTest, NamesSectionsThatAreNotAsItMadeThem) {
  AddOurs("web", "running", "v1:k1:" + std::string(32, 'a'));
  AddOurs("other", "running", "v1:k0:" + std::string(32, 'a'));
  Start();
  for (const char* name : {"web", "other"}) {
    const v1::Container made = listener_.Get(name);
    ASSERT_TRUE(records_
                    .Put(made.id(),
                         {.resource = made.resource(),
                          .section_hash = {made.section_hash().begin(), made.section_hash().end()}})
                    .ok());
    EXPECT_TRUE(made.changed_sections().empty());
    engine_.SetMemory(name, 1 << 20);
  }

  EXPECT_TRUE(listener_.Eventually(
      [](const auto& all) { return all.at("web").changed_sections_size() == 1; }));
  EXPECT_EQ(listener_.Get("web").changed_sections(0), "limits");
  reporter_->Refresh();
  EXPECT_EQ(listener_.Get("other").changed_sections_size(), 0)
      << "hashes of another key say nothing";
}

TEST_F(DockerReporterTest, SaysNothingWhenNothingChanged) {
  AddOurs("web");
  Start();
  const int deltas = listener_.deltas();

  reporter_->Refresh();
  reporter_->Refresh();

  EXPECT_EQ(listener_.deltas(), deltas);
  EXPECT_EQ(listener_.states(), 1);
}

TEST_F(DockerReporterTest, RefreshReturnsOnceItsFindingsAreOut) {
  Start();
  AddOurs("web");

  reporter_->Refresh();

  EXPECT_EQ(listener_.Get("web").state(), v1::CONTAINER_STATE_RUNNING);
}

TEST_F(DockerReporterTest, RefreshShowsAnAdoptionAndAProject) {
  const std::string id = engine_.AddContainer("web", {{"Image", "app:1"}}, "running");
  Start();
  ASSERT_TRUE(
      records_.Put(id, {.resource = "deployment/web", .spec_hash = "v1:k1:x", .adopted = true})
          .ok());
  v1::Project project;
  project.set_resource("stack/shop");
  project.set_name("shop");
  StackFolder folder(folder_.path(), "shop");
  ASSERT_TRUE(base::MakeDirectories(folder_.path() + "/stacks/shop").ok());
  ASSERT_TRUE(folder.WriteRecord(project).ok());

  reporter_->Refresh();

  EXPECT_TRUE(listener_.Get("web").adopted());
  EXPECT_EQ(listener_.Get("web").installation(), kInstallation);
  EXPECT_EQ(listener_.Get("web").resource(), "deployment/web");
  EXPECT_EQ(listener_.Get("web").spec_hash(), "v1:k1:x");
  EXPECT_EQ(listener_.projects().count("stack/shop"), 1u);
}

TEST_F(DockerReporterTest, ForgetsRecordsOfContainersThatAreGone) {
  ASSERT_TRUE(records_.Put("gone", {.resource = "deployment/web"}).ok());
  const std::string id = AddOurs("web");
  ASSERT_TRUE(records_.Put(id, {.resource = "deployment/web"}).ok());

  Start();

  EXPECT_FALSE(records_.Find("gone").has_value());
  EXPECT_TRUE(records_.Find(id).has_value());
}

TEST_F(DockerReporterTest, SaysAllAgainAfterSetInstallation) {
  AddOurs("web");
  Start();

  Identify();

  EXPECT_TRUE(listener_.EventuallySaidAll(2));
  EXPECT_EQ(listener_.Get("web").resource(), "deployment/web");
}

TEST_F(DockerReporterTest, SaysThatTheEngineIsDownAndAllWhenItIsBack) {
  AddOurs("web");
  Start();

  engine_.GoDown();
  EXPECT_TRUE(listener_.EventuallyUp(false));
  EXPECT_THAT(listener_.error(), HasSubstr("docker does not answer"));
  EXPECT_EQ(listener_.Get("web").state(), v1::CONTAINER_STATE_RUNNING) << "the last known state";

  engine_.Exit("web", 1);
  engine_.ComeUp();
  EXPECT_TRUE(listener_.EventuallyUp(true));
  EXPECT_EQ(listener_.Get("web").state(), v1::CONTAINER_STATE_EXITED);
  EXPECT_EQ(listener_.states(), 2);
}

TEST_F(DockerReporterTest, StartsWithoutAnEngine) {
  engine_.GoDown();
  reporter_->Start(listener_.callbacks());
  Identify();

  EXPECT_TRUE(listener_.EventuallySaidAll(1));
  EXPECT_TRUE(listener_.EventuallyUp(false));
  AddOurs("web");
  engine_.ComeUp();
  EXPECT_TRUE(listener_.EventuallyUp(true));
  EXPECT_EQ(listener_.Get("web").resource(), "deployment/web");
}

TEST_F(DockerReporterTest, SaysAllOnceAListThatFailedSucceeds) {
  AddOurs("web");
  Start();
  engine_.list_fails = true;
  reporter_->Refresh();
  EXPECT_TRUE(listener_.EventuallyUp(false));

  engine_.list_fails = false;

  EXPECT_TRUE(listener_.EventuallyUp(true));
  EXPECT_EQ(listener_.states(), 2);
}

TEST(EngineReportTest, AClockSetBackDoesNotPutOffTheNextList) {
  const base::ScratchFolder folder;
  FakeEngine fake(folder.path() + "/engine.sock");
  ContainerRecords records(folder.path() + "/containers");
  SecretTexts secrets;
  base::SimulatedClock clock;
  const EngineClient engine(fake.address(), clock);
  EngineReport report(engine, records, secrets, clock, folder.path());
  int states = 0;
  report.SetCallbacks(
      {.on_state = [&](const v1::HostState&) { ++states; }, .on_delta = [](const auto&) {}});
  EXPECT_EQ(report.UntilNextList(), absl::InfiniteDuration());
  ReportWork work;
  work.connected_at = clock.Now();
  work.installation = kInstallation;
  work.hasher = std::make_shared<const resources::SpecHasher>("k1", std::string(32, 'k'));
  report.Do(work);
  EXPECT_EQ(states, 1);
  EXPECT_EQ(report.UntilNextList(), absl::Seconds(60));
  clock.Advance(absl::Seconds(59));
  EXPECT_EQ(report.UntilNextList(), absl::Seconds(1));
  clock.Advance(absl::Hours(-5));
  EXPECT_LE(report.UntilNextList(), absl::ZeroDuration());
}

}  // namespace
}  // namespace fairlead::agent
