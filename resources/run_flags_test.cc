#include "resources/run_flags.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "gtest/gtest.h"

#include "resources/container_spec.h"
#include "resources/host_ports.h"
#include "resources/start_first.h"
#include "resources/testing/read_resource.h"

namespace fairlead::resources {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::ContainerSpec Applied(const std::vector<std::string>& args,
                          const std::string& network = "front") {
  v1::ContainerSpec spec;
  spec.set_network(network);
  const absl::Status status = ApplyRunFlags({args.begin(), args.end()}, &spec);
  EXPECT_TRUE(status.ok()) << status;
  return spec;
}

// As JSON with sorted keys.
std::string Json(const google::protobuf::Value& value);

std::string Json(const google::protobuf::Struct& object) {
  std::map<std::string, std::string> parts;
  for (const auto& [key, value] : object.fields())
    parts[absl::StrCat("\"", key, "\"")] = Json(value);
  return absl::StrCat("{", absl::StrJoin(parts, ",", absl::PairFormatter(":")), "}");
}

std::string Json(const google::protobuf::Value& value) {
  if (value.has_struct_value()) return Json(value.struct_value());
  if (value.has_string_value()) return absl::StrCat("\"", value.string_value(), "\"");
  if (value.has_bool_value()) return value.bool_value() ? "true" : "false";
  if (value.has_number_value()) return absl::StrCat(static_cast<int64_t>(value.number_value()));
  std::vector<std::string> parts;
  for (const auto& element : value.list_value().values()) parts.push_back(Json(element));
  return absl::StrCat("[", absl::StrJoin(parts, ","), "]");
}

std::string Engine(const std::vector<std::string>& args) { return Json(Applied(args).engine()); }

std::string Error(const std::vector<std::string>& args, const std::string& network = "bridge") {
  v1::ContainerSpec spec;
  spec.set_network(network);
  const absl::Status status = ApplyRunFlags({args.begin(), args.end()}, &spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

TEST(RunFlagsTest, EachGoesToItsPlaceInTheCreateRequest) {
  struct Case {
    std::vector<std::string> args;
    std::string engine;
  };
  const Case cases[] = {
      {{}, "{}"},
      {{"--cap-add", "NET_ADMIN", "--cap-add=SYS_TIME"},
       R"({"HostConfig":{"CapAdd":["NET_ADMIN","SYS_TIME"]}})"},
      {{"--cap-drop ALL"}, R"({"HostConfig":{"CapDrop":["ALL"]}})"},
      {{"--privileged"}, R"({"HostConfig":{"Privileged":true}})"},
      {{"--init=false"}, R"({"HostConfig":{"Init":false}})"},
      {{"-m", "512m"}, R"({"HostConfig":{"Memory":536870912}})"},
      {{"--memory=1.5GiB"}, R"({"HostConfig":{"Memory":1610612736}})"},
      {{"--memory-swap", "-1"}, R"({"HostConfig":{"MemorySwap":-1}})"},
      {{"--shm-size=64"}, R"({"HostConfig":{"ShmSize":64}})"},
      {{"--cpus", "1.5"}, R"({"HostConfig":{"NanoCpus":1500000000}})"},
      {{"-c512"}, R"({"HostConfig":{"CpuShares":512}})"},
      {{"--user", "1000:1000", "-w/srv", "-h=web"},
       R"({"Hostname":"web","User":"1000:1000","WorkingDir":"/srv"})"},
      {{"-it"}, R"({"OpenStdin":true,"Tty":true})"},
      {{"-d"}, "{}"},
      {{"--entrypoint", "/bin/a", "--entrypoint", "/bin/b"}, R"({"Entrypoint":["/bin/b"]})"},
      {{"--add-host", "db:10.0.0.1", "--add-host=v6=::1"},
       R"({"HostConfig":{"ExtraHosts":["db:10.0.0.1","v6:::1"]}})"},
      {{"--dns 1.1.1.1 --dns-opt ndots:1"},
       R"({"HostConfig":{"Dns":["1.1.1.1"],"DnsOptions":["ndots:1"]}})"},
      {{"--device=/dev/fuse", "--device", "/dev/a:/dev/b:r"},
       R"({"HostConfig":{"Devices":[{"CgroupPermissions":"rwm","PathInContainer":"/dev/fuse",)"
       R"("PathOnHost":"/dev/fuse"},{"CgroupPermissions":"r","PathInContainer":"/dev/b",)"
       R"("PathOnHost":"/dev/a"}]}})"},
      {{"--device", "nvidia.com/gpu=0"},
       R"({"HostConfig":{"DeviceRequests":[{"DeviceIDs":["nvidia.com/gpu=0"],"Driver":"cdi"}]}})"},
      {{"--gpus", "all"},
       R"({"HostConfig":{"DeviceRequests":[{"Capabilities":[["gpu"]],"Count":-1}]}})"},
      {{R"(--gpus '"device=0,1",capabilities=utility')"},
       R"({"HostConfig":{"DeviceRequests":[{"Capabilities":[["utility","gpu"]],)"
       R"("DeviceIDs":["0","1"]}]}})"},
      {{"--ulimit", "nofile=1024:2048", "--ulimit=core=-1"},
       R"({"HostConfig":{"Ulimits":[{"Hard":2048,"Name":"nofile","Soft":1024},)"
       R"({"Hard":-1,"Name":"core","Soft":-1}]}})"},
      {{"--sysctl", "net.core.somaxconn=1024"},
       R"({"HostConfig":{"Sysctls":{"net.core.somaxconn":"1024"}}})"},
      {{"--tmpfs", "/run:size=64m", "--tmpfs=/tmp"},
       R"({"HostConfig":{"Tmpfs":{"/run":"size=64m","/tmp":""}}})"},
      {{"--log-driver", "json-file", "--log-opt", "max-size=10m", "--log-opt", "max-file=3"},
       R"({"HostConfig":{"LogConfig":{"Config":{"max-file":"3","max-size":"10m"},)"
       R"("Type":"json-file"}}})"},
      {{"--security-opt", "no-new-privileges", "--security-opt=systempaths=unconfined"},
       R"({"HostConfig":{"MaskedPaths":[],"ReadonlyPaths":[],)"
       R"("SecurityOpt":["no-new-privileges"]}})"},
      {{"--mount", "type=bind,src=/a,dst=/b,readonly,bind-propagation=rslave"},
       R"({"HostConfig":{"Mounts":[{"BindOptions":{"Propagation":"rslave"},"ReadOnly":true,)"
       R"("Source":"/a","Target":"/b","Type":"bind"}]}})"},
      {{"--mount", "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777"},
       R"({"HostConfig":{"Mounts":[{"Target":"/t","TmpfsOptions":{"Mode":1023,)"
       R"("SizeBytes":1048576},"Type":"tmpfs"}]}})"},
      {{"--mount", "dst=/v,source=vv,volume-opt=type=nfs"},
       R"({"HostConfig":{"Mounts":[{"Source":"vv","Target":"/v","Type":"volume","VolumeOptions":)"
       R"({"DriverConfig":{"Options":{"type":"nfs"}}}}]}})"},
      {{"--device-read-bps", "/dev/sda:1mb", "--device-write-iops=/dev/sda:10"},
       R"({"HostConfig":{"BlkioDeviceReadBps":[{"Path":"/dev/sda","Rate":1048576}],)"
       R"("BlkioDeviceWriteIOps":[{"Path":"/dev/sda","Rate":10}]}})"},
      {{"--expose", "8000-8001/udp"}, R"({"ExposedPorts":{"8000/udp":{},"8001/udp":{}}})"},
      {{"-v", "/var/cache"}, R"({"Volumes":{"/var/cache":{}}})"},
      {{"--network-alias", "a.b", "--ip", "172.20.0.5"},
       R"({"NetworkingConfig":{"EndpointsConfig":{"front":{"Aliases":["a.b"],)"
       R"("IPAMConfig":{"IPv4Address":"172.20.0.5"}}}}})"},
      {{"--no-healthcheck"}, R"({"Healthcheck":{"Test":["NONE"]}})"},
  };
  for (const Case& c : cases) EXPECT_EQ(Engine(c.args), c.engine);
}

TEST(RunFlagsTest, WhatADeploymentHasFieldsForGoesThere) {
  v1::ContainerSpec spec;
  spec.add_environment("A=1");
  spec.add_environment("B=1");
  const std::vector<std::string> args = {"-e B=2",
                                         "-e 'C=x y'",
                                         "-l team=a",
                                         "-p 8080:80",
                                         "-p",
                                         "443",
                                         "-v",
                                         "/a:/b:ro",
                                         "--health-cmd 'curl -f x'",
                                         "--health-interval 1m30s",
                                         "--health-retries=2"};
  const absl::Status status = ApplyRunFlags({args.begin(), args.end()}, &spec);
  ASSERT_TRUE(status.ok()) << status;

  EXPECT_THAT(spec.environment(), ElementsAre("A=1", "B=2", "C=x y"));
  EXPECT_EQ(spec.labels().at("team"), "a");
  ASSERT_EQ(spec.ports_size(), 2);
  EXPECT_EQ(spec.ports(0).host_port(), 8080u);
  EXPECT_EQ(spec.ports(1).host_port(), 0u);
  EXPECT_EQ(spec.ports(1).container_port(), 443u);
  ASSERT_EQ(spec.mounts_size(), 1);
  EXPECT_EQ(spec.mounts(0).options(), "ro");
  EXPECT_EQ(spec.healthcheck().command(), "curl -f x");
  EXPECT_EQ(spec.healthcheck().interval().seconds(), 90);
  EXPECT_EQ(spec.healthcheck().retries(), 2u);
  EXPECT_FALSE(spec.has_engine());
}

TEST(RunFlagsTest, FaultsNameTheFlagAndWhatToDo) {
  struct Case {
    std::vector<std::string> args;
    std::string error;
  };
  const Case cases[] = {
      {{"--memroy", "1g"},
       R"("--memroy" is no flag of docker run that Fairlead knows; did you mean "--memory"?)"},
      {{"-x"}, R"("-x" is no flag of docker run that Fairlead knows)"},
      {{"--memory"}, "--memory: needs a value"},
      {{"--cap-add", "--privileged"}, "--cap-add: needs a value"},
      {{"--memory", "1q"}, R"(--memory: "1q" is not a size; write it like 512m or 1.5g)"},
      {{"--cpus=two"}, R"(--cpus: "two" is not a number of CPUs; write it like 1.5)"},
      {{"--init=maybe"}, R"(--init: "maybe" is not true or false)"},
      {{"--pids-limit", "many"}, R"(--pids-limit: "many" is not a whole number)"},
      {{"--sysctl", "x"}, R"(--sysctl: "x" is not KEY=VALUE)"},
      {{"--ulimit", "nofiles=1"}, R"(--ulimit: "nofiles" is no ulimit; did you mean "nofile"?)"},
      {{"--ulimit", "nofile=2:1"}, R"(--ulimit: "nofile=2:1" has a soft limit above the hard one)"},
      {{"--mount", "type=bind,dst=/a"}, "--mount: a bind mount needs source=/an/absolute/path"},
      {{"--mount", "dst=/a,reedonly"},
       R"(--mount: "reedonly" is no field of a mount; did you mean "readonly"?)"},
      {{"--mount", "type=bind,src=/a,dst=/b,tmpfs-size=1m"},
       "--mount: tmpfs-size goes with type=tmpfs, not with type=bind"},
      {{"--gpus", "devices=0"}, R"(--gpus: "devices" is no field of gpus; did you mean "device"?)"},
      {{"--name", "x"}, "--name: use custom_name"},
      {{"--network=host"}, "--network: use network"},
      {{"--restart", "always"}, "--restart: use restart"},
      {{"-e", "HOME"}, "-e: needs NAME=VALUE: there is no environment of a shell to take it from"},
      {{"--label", "dev.fairlead.x=1"}, "--label: dev.fairlead.* are labels of Fairlead itself"},
      {{"--ip", "10.0.0.1"},
       R"(--ip: works in a user-defined network only, not in "bridge"; set network)"},
      {{"nginx:1"},
       R"("nginx:1" belongs to no flag; the image goes to image, its arguments to command)"},
      {{"-p", "a:b"}, R"(-p: "a:b": "b" is not a port or port range)"},
      {{"'x"}, R"("'x": )"},
  };
  for (const Case& c : cases) {
    EXPECT_THAT(Error(c.args), ::testing::StartsWith(c.error));
  }
  EXPECT_THAT(Error({"--rm"}), HasSubstr("restart = \"no\""));
  EXPECT_THAT(Error({"--security-opt", "seccomp=/etc/a.json"}), HasSubstr("seccomp=unconfined"));
}

TEST(RunFlagsTest, AHealthcheckIsSaidOnce) {
  const auto spec = ContainerSpecOf(ReadDeployment(
      "image = \"a\"\nhealthcheck.command = \"true\"\nextra_args = [\"--health-retries=1\"]"));
  EXPECT_EQ(spec.status().message(),
            "extra_args: --health-retries: the deployment has a healthcheck already; say it there");
}

TEST(RunFlagsTest, PortsOfFlagsCountAsPublished) {
  const v1::Resource resource =
      ReadDeployment("image = \"a\"\nports = \"80:80\"\nextra_args = [\"-p 8080:80\"]");
  const std::vector<HostPort> ports = HostPortsOf(resource);
  ASSERT_EQ(ports.size(), 2u);
  EXPECT_EQ(ports[1].port, 8080u);
}

TEST(RunFlagsTest, AFixedAddressCannotBeHeldTwice) {
  const auto fault = FindStartFirstFault(
      ReadDeployment("image = \"a\"\nnetwork = \"front\"\nstrategy = \"start_first\"\n"
                     "extra_args = [\"--ip=172.20.0.5\"]"));
  ASSERT_TRUE(fault.has_value());
  EXPECT_THAT(*fault, HasSubstr("two containers cannot have one address at once"));
}

}  // namespace
}  // namespace fairlead::resources
