// Flags of `docker run` whose values are more than a text, a number or a switch.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/struct.pb.h"

#include "fairlead/v1/action.pb.h"

namespace fairlead::resources {

// What is being filled.
struct Filling {
  v1::ContainerSpec& spec;
  // The deployment has a health check of its own.
  bool has_healthcheck = false;
};

// The place in `engine` of a path, made when it is not there; keys are separated by dots, or are
// given one by one when they may hold some.
google::protobuf::Value& PlaceIn(v1::ContainerSpec& spec, const std::vector<std::string>& path);
google::protobuf::Value& PlaceIn(v1::ContainerSpec& spec, absl::string_view path);

// One more element of the list there.
void AddTo(v1::ContainerSpec& spec, absl::string_view path, google::protobuf::Value value);

// Each takes the value of one flag. InvalidArgument saying what is wrong with it.
absl::Status ReadEnv(const std::string& value, Filling& filling);
absl::Status ReadLabel(const std::string& value, Filling& filling);
absl::Status ReadPublish(const std::string& value, Filling& filling);
absl::Status ReadVolume(const std::string& value, Filling& filling);
absl::Status ReadExpose(const std::string& value, Filling& filling);
absl::Status ReadHost(const std::string& value, Filling& filling);
absl::Status ReadDeviceFlag(const std::string& value, Filling& filling);
absl::Status ReadGpusFlag(const std::string& value, Filling& filling);
absl::Status ReadMountFlag(const std::string& value, Filling& filling);
absl::Status ReadUlimitFlag(const std::string& value, Filling& filling);
absl::Status ReadTmpfs(const std::string& value, Filling& filling);
absl::Status ReadCpus(const std::string& value, Filling& filling);
absl::Status ReadEntrypoint(const std::string& value, Filling& filling);
absl::Status ReadSecurity(const std::string& value, Filling& filling);
absl::Status ReadReadBps(const std::string& value, Filling& filling);
absl::Status ReadWriteBps(const std::string& value, Filling& filling);
absl::Status ReadReadIops(const std::string& value, Filling& filling);
absl::Status ReadWriteIops(const std::string& value, Filling& filling);
absl::Status ReadWeightDevice(const std::string& value, Filling& filling);
absl::Status ReadAlias(const std::string& value, Filling& filling);
absl::Status ReadIp(const std::string& value, Filling& filling);
absl::Status ReadIp6(const std::string& value, Filling& filling);
absl::Status ReadHealthCommand(const std::string& value, Filling& filling);
absl::Status ReadHealthInterval(const std::string& value, Filling& filling);
absl::Status ReadHealthTimeout(const std::string& value, Filling& filling);
absl::Status ReadHealthStart(const std::string& value, Filling& filling);
absl::Status ReadHealthRetries(const std::string& value, Filling& filling);
absl::Status ReadNoHealthcheck(const std::string& value, Filling& filling);

}  // namespace fairlead::resources
