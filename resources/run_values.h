// Values of `docker run` flags as the engine's create request has them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/struct.pb.h"

namespace fairlead::resources {

// All of these: InvalidArgument saying what is wrong with the value, which is quoted.

absl::StatusOr<int64_t> ParseInteger(absl::string_view text);

// "512", "64k", "1.5g", "2 MiB": powers of 1024, in bytes.
absl::StatusOr<int64_t> ParseBytes(absl::string_view text);

// "1.5" CPUs in billionths.
absl::StatusOr<int64_t> ParseNanoCpus(absl::string_view text);

// "true", "1", "false"...
absl::StatusOr<bool> ParseSwitch(absl::string_view text);

// A line of comma separated fields; one that holds commas stands in double quotes.
absl::StatusOr<std::vector<std::string>> SplitFields(absl::string_view text);

// "nofile=1024:2048": an element of HostConfig.Ulimits.
absl::StatusOr<google::protobuf::Value> ReadUlimit(absl::string_view text);

// "/dev/a", "/dev/a:/dev/b:rwm": an element of HostConfig.Devices.
absl::StatusOr<google::protobuf::Value> ReadDevice(absl::string_view text);

// "vendor.com/class=name", as the Container Device Interface names a device.
bool IsCdiDevice(absl::string_view text);

// "all", "2", "device=0", "\"device=0,1\",capabilities=utility": an element of
// HostConfig.DeviceRequests.
absl::StatusOr<google::protobuf::Value> ReadGpus(absl::string_view text);

// "type=bind,source=/a,target=/b,readonly": an element of HostConfig.Mounts.
absl::StatusOr<google::protobuf::Value> ReadMount(absl::string_view text);

// "/dev/sda:RATE", RATE in bytes or operations: an element of HostConfig.BlkioDevice...
absl::StatusOr<google::protobuf::Value> ReadThrottle(absl::string_view text, bool in_bytes);

// "/dev/sda:500": an element of HostConfig.BlkioWeightDevice.
absl::StatusOr<google::protobuf::Value> ReadWeight(absl::string_view text);

// "80", "80/udp", "3000-3010/tcp": keys of ExposedPorts.
absl::StatusOr<std::vector<std::string>> ReadExposed(absl::string_view text);

// For building these.
google::protobuf::Value TextValue(absl::string_view text);
google::protobuf::Value NumberValue(int64_t number);
google::protobuf::Value SwitchValue(bool on);

}  // namespace fairlead::resources
