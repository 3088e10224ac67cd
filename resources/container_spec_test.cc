#include "resources/container_spec.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "resources/testing/read_resource.h"

namespace fairlead::resources {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::Resource Named(const std::string& kind, const std::string& name) {
  return ReadResource(absl::StrCat("[[", kind, "]]\nname = \"", name, "\""));
}

v1::ContainerSpec Spec(const std::string& config) {
  const auto spec = ContainerSpecOf(ReadDeployment("image = \"a\"\n" + config));
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec.ok() ? *spec : v1::ContainerSpec();
}

std::string Error(const std::string& config) {
  const auto spec = ContainerSpecOf(ReadDeployment(config));
  EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument) << config;
  return std::string(spec.status().message());
}

std::vector<std::string> Ports(const std::string& ports) {
  std::vector<std::string> texts;
  const v1::ContainerSpec spec = Spec("ports = '''\n" + ports + "\n'''");
  for (const auto& port : spec.ports()) {
    texts.push_back(absl::StrCat(port.host_ip(), "|", port.host_port(), "|", port.container_port(),
                                 "|", port.protocol()));
  }
  return texts;
}

TEST(DockerNameTest, DerivesNames) {
  EXPECT_EQ(DockerNameOf(Named("deployment", "My App/1.0")), "My_App_1.0");
  EXPECT_EQ(DockerNameOf(Named("deployment", "_.web")), "web");
  EXPECT_EQ(DockerNameOf(Named("deployment", "caf\\u00E9 x")), "caf__x");
  EXPECT_EQ(DockerNameOf(Named("stack", "My App.1")), "my_app_1");
  EXPECT_EQ(DockerNameOf(Named("server", "edge")), "");
  EXPECT_EQ(DockerNameOf(ReadDeployment("custom_name = \"Own\"")), "Own");
  EXPECT_EQ(DockerNameOf(ReadStack("project_name = \"own\"")), "own");
}

std::string Fault(const v1::Resource& resource) {
  const auto fault = FindNameFault(resource);
  return fault ? absl::StrCat(fault->message, "; ", fault->suggestion) : "";
}

TEST(DockerNameTest, NamesThatTheEngineRefusesAreFaults) {
  EXPECT_EQ(Fault(Named("deployment", "w")),
            "no container can be named after \"w\": the engine wants two or more letters, digits, "
            "\"_\", \".\" and \"-\", a letter or digit first; set custom_name = \"...\"");
  EXPECT_EQ(Fault(Named("stack", "\\u00e9")),
            "no compose project can be named after \"\u00e9\": the engine wants lower-case "
            "letters, digits, \"_\" and \"-\", a letter or digit first; set project_name = "
            "\"...\"");
  EXPECT_THAT(Fault(ReadDeployment("custom_name = \"a b\"")),
              HasSubstr("custom_name \"a b\" is no name of a container"));
  EXPECT_THAT(Fault(ReadStack("project_name = \"Own\"")),
              HasSubstr("project_name \"Own\" is no name of a compose project"));
}

TEST(DockerNameTest, NamesThatTheEngineTakesAreNoFaults) {
  EXPECT_EQ(Fault(Named("deployment", "ab")), "");
  EXPECT_EQ(Fault(Named("stack", "w")), "");
  EXPECT_EQ(Fault(Named("server", "w")), "");
  EXPECT_EQ(Fault(ReadDeployment("custom_name = \"[[NAME]]\"")), "");
}

TEST(ContainerSpecTest, HoldsEverythingDeclared) {
  const v1::ContainerSpec spec = Spec(R"(
command = "serve --name 'a b'"
environment = "B=2\nA=\"x y\"\nB=3"
labels = "traefik.enable=true"
volumes = "data:/var/lib:ro\n/srv/a: /a"
network = "front"
restart = "on-failure"
termination_signal = "SIGINT"
termination_timeout = 5
)");
  EXPECT_EQ(spec.name(), "web");
  EXPECT_EQ(spec.image(), "a");
  EXPECT_THAT(spec.command(), ElementsAre("serve", "--name", "a b"));
  EXPECT_THAT(spec.environment(), ElementsAre("A=\"x y\"", "B=3"));
  EXPECT_EQ(spec.labels().at("traefik.enable"), "true");
  ASSERT_EQ(spec.mounts_size(), 2);
  EXPECT_EQ(spec.mounts(0).source(), "/srv/a");
  EXPECT_EQ(spec.mounts(0).target(), "/a");
  EXPECT_EQ(spec.mounts(1).source(), "data");
  EXPECT_EQ(spec.mounts(1).options(), "ro");
  EXPECT_EQ(spec.network(), "front");
  EXPECT_EQ(spec.restart_policy(), "on-failure");
  EXPECT_EQ(spec.stop_signal(), "SIGINT");
  EXPECT_EQ(spec.stop_timeout_seconds(), 5);
}

TEST(ContainerSpecTest, ReadsPorts) {
  EXPECT_THAT(Ports("8080: 80"), ElementsAre("|8080|80|tcp"));
  EXPECT_THAT(Ports("53:53/udp"), ElementsAre("|53|53|udp"));
  EXPECT_THAT(Ports("127.0.0.1:8080:80"), ElementsAre("127.0.0.1|8080|80|tcp"));
  EXPECT_THAT(Ports("[::1]:8080:80"), ElementsAre("::1|8080|80|tcp"));
  EXPECT_THAT(Ports("127.0.0.1::80"), ElementsAre("127.0.0.1|0|80|tcp"));
  EXPECT_THAT(Ports("0:80"), ElementsAre("|0|80|tcp"));
  EXPECT_THAT(Ports("8000-8002:9000-9002"),
              ElementsAre("|8000|9000|tcp", "|8001|9001|tcp", "|8002|9002|tcp"));
  EXPECT_THAT(Ports("2:2\n1:1\n2:2"), ElementsAre("|1|1|tcp", "|2|2|tcp"));
}

TEST(ContainerSpecTest, NamesWhatIsWrongWithAPort) {
  for (const char* port : {"80:0", "80:65536", "x:80", "80:-1", "80:80/icmp", "1.2.3:80:80",
                           "8000-8002:80", "9-8:9-8", "80:"}) {
    EXPECT_THAT(Error(absl::StrCat("image = \"a\"\nports = \"", port, "\"")), HasSubstr("ports: "))
        << port;
  }
}

TEST(ContainerSpecTest, NamesWhatIsWrongWithAMount) {
  for (const char* mount : {"./a:/b", "../a:/b", "~/a:/b", "a/b:/c", "/a:b", "/a:", ":/b"}) {
    EXPECT_THAT(Error(absl::StrCat("image = \"a\"\nvolumes = \"", mount, "\"")),
                HasSubstr("volumes: "))
        << mount;
  }
}

TEST(ContainerSpecTest, NamesOtherErrors) {
  EXPECT_THAT(Error(""), HasSubstr("image"));
  EXPECT_THAT(Error("image = { type = \"Build\" }"), HasSubstr("image: names no build"));
  EXPECT_THAT(Error("image = \"a\"\ncommand = \"'x\""), HasSubstr("command"));
  EXPECT_THAT(Error("image = \"a\"\ncustom_name = \"a b\""), HasSubstr("custom_name"));
  EXPECT_THAT(Error("image = \"a\"\ntermination_timeout = -1"), HasSubstr("termination_timeout"));
  EXPECT_THAT(Error("image = \"a\"\nenvironment = \"[[NONE]]\""), HasSubstr("[[NONE]]"));
  EXPECT_THAT(Error("image = \"a\"\nenvironment = \"=x\""), HasSubstr("environment"));
}

TEST(NotYetTest, NamesWhatIsNotActedOn) {
  EXPECT_EQ(NotYetReason(ReadDeployment("image = \"a\"")), "");
  EXPECT_EQ(NotYetReason(ReadStack("")), "");
  EXPECT_EQ(NotYetReason(ReadStack("linked_repo = \"infra\"")), "");
  EXPECT_EQ(NotYetReason(ReadStack("run_build = true")), "");
  EXPECT_EQ(NotYetReason(ReadStack("swarm = \"s\"")), "swarm stacks");
  EXPECT_EQ(NotYetReason(ReadDeployment("swarm = \"s\"\nextra_args = [\"--init\"]")),
            "swarm services");
  EXPECT_EQ(NotYetReason(ReadStack("pre_deploy = {}")), "");
}

TEST(ContainerSpecTest, TheHealthcheckIsTakenOver) {
  const auto spec = ContainerSpecOf(ReadDeployment(
      "image = \"a\"\nhealthcheck = { command = \"true\", interval = \"5s\", retries = 2 }"));
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->healthcheck().command(), "true");
  EXPECT_EQ(spec->healthcheck().interval().seconds(), 5);
  EXPECT_EQ(spec->healthcheck().retries(), 2u);
  EXPECT_FALSE(ContainerSpecOf(ReadDeployment("image = \"a\""))->has_healthcheck());
  EXPECT_THAT(Error("image = \"a\"\nhealthcheck.interval = \"1us\""), HasSubstr("healthcheck: "));
}

TEST(ContainerSpecTest, AProbeIsTakenApart) {
  const auto http = ContainerSpecOf(ReadDeployment(
      "image = \"a\"\nhealthcheck = { http = \"http://x:81/ok\", timeout = \"2s\" }"));
  ASSERT_TRUE(http.ok()) << http.status();
  EXPECT_EQ(http->healthcheck().probe().port(), 81u);
  EXPECT_EQ(http->healthcheck().probe().path(), "/ok");
  EXPECT_EQ(http->healthcheck().probe().host(), "x:81");
  EXPECT_EQ(http->healthcheck().timeout().seconds(), 2);
  const auto tcp = ContainerSpecOf(ReadDeployment("image = \"a\"\nhealthcheck.tcp = \":5432\""));
  ASSERT_TRUE(tcp.ok()) << tcp.status();
  EXPECT_EQ(tcp->healthcheck().probe().port(), 5432u);
  EXPECT_EQ(tcp->healthcheck().probe().path(), "");
}

TEST(ContainerSpecTest, NamesWhatIsWrongWithAProbe) {
  EXPECT_THAT(Error("image = \"a\"\nhealthcheck.http = \"x\""),
              HasSubstr("healthcheck: http: \"x\" is not a URL"));
  EXPECT_THAT(Error("image = \"a\"\nhealthcheck.tcp = \"x\""),
              HasSubstr("healthcheck: tcp: \"x\" is not host:port"));
  EXPECT_THAT(Error("image = \"a\"\nhealthcheck = { http = \"http://x\", command = \"true\" }"),
              HasSubstr("one of command, http and tcp"));
  EXPECT_THAT(Error("image = \"a\"\nnetwork = \"none\"\nhealthcheck.tcp = \":1\""),
              HasSubstr("network \"none\" has no address"));
}

TEST(ContainerSpecTest, SaysWhatIsNotYetDoneAtAnyDepth) {
  EXPECT_EQ(NotYetReason(ReadDeployment("image = \"a\"\nhealthcheck.command = \"true\"")), "");
  EXPECT_EQ(
      NotYetReason(ReadDeployment("image = { type = \"Build\", params = { build = \"b\" } }")), "");
}

}  // namespace
}  // namespace fairlead::resources
