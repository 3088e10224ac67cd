// What a container takes of its host, in the short forms of `docker run`: ports and mounts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "fairlead/v1/action.pb.h"

namespace fairlead::resources {

// As many as a protocol has; what publishes more is refused.
inline constexpr std::size_t kMostPorts = 65536;

// The engine's rule for containers and volumes: two characters at least of letters, digits, '_',
// '.' and '-', a letter or digit first.
bool IsDockerName(absl::string_view name);

struct PortRange {
  uint32_t first = 0;
  uint32_t last = 0;
};
// "80" or "80-90", none below `smallest`. InvalidArgument quoting the text.
absl::StatusOr<PortRange> ParsePortRange(absl::string_view text, uint32_t smallest);

// "[ip:]host:container[/protocol]", both sides also as ranges of equal length; host 0, or none
// behind an address, lets the engine choose. InvalidArgument saying what is wrong.
absl::Status AddPorts(absl::string_view text, std::vector<v1::ContainerSpec::Port>* ports);

// Sorted, each once. InvalidArgument for more than kMostPorts.
absl::Status SetPorts(std::vector<v1::ContainerSpec::Port> ports, v1::ContainerSpec* spec);

// `rest` is what follows the first colon of `docker run -v`. InvalidArgument for a source that is
// neither an absolute path nor the name of a volume, and for a target that is not absolute.
absl::Status AddMount(const std::string& source, const std::string& rest, v1::ContainerSpec* spec);

}  // namespace fairlead::resources
