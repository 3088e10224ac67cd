#include "agent/compose_project.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "absl/strings/str_replace.h"

namespace fairlead::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kConfig[] = R"({
  "services": {
    "web": {"image": "web:1", "depends_on": {"db": {"condition": "service_started"}},
      "volumes": ["/run/web.conf:/etc/web.conf:ro"], "networks": {"front": null}},
    "db": {"image": "db:1", "scale": 2, "volumes": [{"type": "volume", "source": "data"}]},
    "aside": {"image": "aside:1", "network_mode": "service:web"},
    "job": {"build": {"context": "/run"}, "secrets": [{"source": "token"}],
      "deploy": {"replicas": 3}},
    "debug": {"image": "debug:1", "profiles": ["debug"]}},
  "networks": {"front": {"driver": "bridge"}},
  "volumes": {"data": {}},
  "secrets": {"token": {"file": "/run/token"}}})";

struct World {
  std::string config = kConfig;
  std::map<std::string, std::string> contents = {{"/run/web.conf", "1"}, {"/run/token", "t"}};
  std::vector<std::string> profiles;
};

absl::StatusOr<std::vector<ComposeService>> Analyse(const World& world) {
  const resources::SpecHasher hasher("k1", std::string(32, 'k'));
  const boost::json::value config = boost::json::parse(world.config);
  return AnalyseServices({.config = config.as_object(),
                          .hasher = hasher,
                          .content_of =
                              [&](const std::string& path, const std::set<std::string>&) {
                                const auto found = world.contents.find(path);
                                return found == world.contents.end() ? "" : found->second;
                              },
                          .profiles = world.profiles});
}

std::vector<std::string> Names(const World& world) {
  std::vector<std::string> names;
  const auto services = Analyse(world);
  EXPECT_TRUE(services.ok()) << services.status();
  for (const ComposeService& service : *services) names.push_back(service.name);
  return names;
}

// Services whose hash differs, in order.
std::vector<std::string> ChangedBy(const World& world) {
  std::map<std::string, std::string> before;
  const std::vector<ComposeService> unchanged = *Analyse({});
  for (const ComposeService& service : unchanged) before[service.name] = service.hash;
  std::vector<std::string> changed;
  const std::vector<ComposeService> now = *Analyse(world);
  for (const ComposeService& service : now) {
    if (before[service.name] != service.hash) changed.push_back(service.name);
  }
  return changed;
}

World With(const std::string& from, const std::string& to) {
  World world;
  world.config = absl::StrReplaceAll(world.config, {{from, to}});
  EXPECT_NE(world.config, kConfig) << from;
  return world;
}

TEST(ComposeProjectTest, OrdersServicesBehindWhatTheyDependOn) {
  EXPECT_THAT(Names({}), ElementsAre("db", "web", "aside", "job"));
}

TEST(ComposeProjectTest, ProfilesActivateServices) {
  EXPECT_THAT(Names({.profiles = {"debug"}}), ElementsAre("db", "web", "aside", "debug", "job"));
}

TEST(ComposeProjectTest, ReadsCountsImagesAndTies) {
  const auto services = *Analyse({});

  EXPECT_EQ(services[0].replicas, 2);
  EXPECT_EQ(services[1].replicas, 1);
  EXPECT_EQ(services[3].replicas, 3);
  EXPECT_EQ(services[1].image, "web:1");
  EXPECT_TRUE(services[3].builds);
  EXPECT_THAT(services[2].tied_to, ElementsAre("web"));
  EXPECT_THAT(services[0].hash, StartsWith("v1:k1:"));
}

// As an older compose and a newer one print the same services.
TEST(ComposeProjectTest, KnowsWhatComposeNeedsOfTheHost) {
  World older;
  older.config = R"({
    "services": {"web": {"image": "web:1", "networks": {"edge": null, "own": null},
      "ports": ["127.0.0.1:8080:80/tcp", "90"], "volumes": ["data:/data", "/etc/web:/etc/web"]}},
    "networks": {"edge": {"external": true, "name": "the-edge"}, "own": {}},
    "volumes": {"data": {"external": {"name": "the-data"}}}})";
  World newer;
  newer.config = R"({
    "services": {"web": {"image": "web:1", "networks": {"edge": null, "own": null},
      "ports": [{"host_ip": "127.0.0.1", "target": 80, "published": "8080", "protocol": "tcp"},
                {"target": 90, "protocol": "tcp"}],
      "volumes": [{"type": "volume", "source": "data", "target": "/data"}]}},
    "networks": {"edge": {"external": true, "name": "the-edge"}, "own": {"external": false}},
    "volumes": {"data": {"external": true, "name": "the-data"}}})";
  for (const World& world : {older, newer}) {
    const std::vector<ComposeService> services = *Analyse(world);
    const HostNeeds& needs = services[0].needs;
    EXPECT_THAT(needs.images, ElementsAre("web:1"));
    EXPECT_THAT(needs.networks, ElementsAre("the-edge"));
    EXPECT_THAT(needs.volumes, ElementsAre("the-data"));
    ASSERT_EQ(needs.ports.size(), 1u);
    EXPECT_EQ(needs.ports[0].host_ip(), "127.0.0.1");
    EXPECT_EQ(needs.ports[0].host_port(), 8080u);
    EXPECT_EQ(needs.ports[0].protocol(), "tcp");
  }
}

TEST(ComposeProjectTest, AnExternalDefaultNetworkAndABuiltImageCount) {
  World world;
  world.config = R"({"services": {"web": {"image": "web:1", "build": {"context": "."}}},
    "networks": {"default": {"external": true, "name": "edge"}}})";
  const std::vector<ComposeService> services = *Analyse(world);
  EXPECT_THAT(services[0].needs.networks, ElementsAre("edge"));
  EXPECT_THAT(services[0].needs.images, ElementsAre()) << "it is there after the build only";
}

TEST(ComposeProjectTest, AChangeTouchesItsServiceAndThoseTiedToIt) {
  EXPECT_THAT(ChangedBy(With("db:1", "db:2")), ElementsAre("db"));
  EXPECT_THAT(ChangedBy(With("web:1", "web:2")), ElementsAre("web", "aside"));
  EXPECT_THAT(ChangedBy(With("\"driver\": \"bridge\"", "\"driver\": \"macvlan\"")),
              ElementsAre("web", "aside"));
}

TEST(ComposeProjectTest, TheContentOfAMountedFileOrSecretCounts) {
  World world;
  world.contents["/run/web.conf"] = "2";
  EXPECT_THAT(ChangedBy(world), ElementsAre("web", "aside"));
  world = {};
  world.contents["/run/token"] = "u";
  EXPECT_THAT(ChangedBy(world), ElementsAre("job"));
}

TEST(ComposeProjectTest, TheOrderOfKeysDoesNotCount) {
  EXPECT_THAT(ChangedBy(With(R"("image": "db:1", "scale": 2)", R"("scale": 2, "image": "db:1")")),
              ElementsAre());
}

TEST(ComposeProjectTest, NoServiceIsAnError) {
  EXPECT_TRUE(absl::IsInvalidArgument(Analyse({.config = R"({"services":{}})"}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(Analyse({.config = "{}"}).status()));
}

TEST(ComposeProjectTest, ACircleOfNamespacesIsAnError) {
  const World circle{.config = R"({"services": {"a": {"network_mode": "service:b"},
                                               "b": {"pid": "service:a"}}})"};
  EXPECT_TRUE(absl::IsInvalidArgument(Analyse(circle).status()));
}

TEST(ComposeProjectTest, TheOverrideEscapesDollars) {
  const boost::json::value override =
      boost::json::parse(ToLabelOverride({{"web", {{"l", "a$b"}}}}));

  EXPECT_EQ(override.at("services").at("web").at("labels").at("l").as_string(), "a$$b");
}

TEST(ComposeProjectTest, OnlyATopLevelNameIsStripped) {
  EXPECT_EQ(StripTopLevelName("name: x\nvolumes:\n  name: y\n"), "\nvolumes:\n  name: y\n");
  EXPECT_EQ(StripTopLevelName("services: {}\n"), "services: {}\n");
}

}  // namespace
}  // namespace fairlead::agent
