// Between the engine's JSON and the messages of the model.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include <boost/json/fwd.hpp>
#include "absl/strings/string_view.h"

#include "fairlead/v1/action.pb.h"
#include "fairlead/v1/live.pb.h"

namespace fairlead::agent {

inline constexpr char kInstallationLabel[] = "dev.fairlead.installation";
inline constexpr char kResourceLabel[] = "dev.fairlead.resource";
inline constexpr char kSpecHashLabel[] = "dev.fairlead.spec-hash";
inline constexpr char kActionLabel[] = "dev.fairlead.action";
inline constexpr char kProbeLabel[] = "dev.fairlead.probe";
inline constexpr char kComposeProjectLabel[] = "com.docker.compose.project";
inline constexpr char kComposeServiceLabel[] = "com.docker.compose.service";
inline constexpr char kComposeOneoffLabel[] = "com.docker.compose.oneoff";
inline constexpr char kComposeHashLabel[] = "com.docker.compose.config-hash";

using JsonPath = std::initializer_list<absl::string_view>;

// The value below nested objects; empty, 0, false or null when it is not there or of another
// type.
const boost::json::value* ValueAt(const boost::json::object& object, JsonPath path);
std::string TextAt(const boost::json::object& object, JsonPath path);
int64_t NumberAt(const boost::json::object& object, JsonPath path);
bool FlagAt(const boost::json::object& object, JsonPath path);
const boost::json::object* ObjectAt(const boost::json::object& object, JsonPath path);
const boost::json::array* ArrayAt(const boost::json::object& object, JsonPath path);
std::vector<std::string> TextsAt(const boost::json::object& object, JsonPath path);

// From GET /version.
v1::EngineVersion ToEngineVersion(const boost::json::object& version);

// From inspect: everything but section_hash, killed, adopted and log_tail.
v1::Container ToContainer(const boost::json::object& inspect);

// From an element of the list: what is reported of foreign containers.
v1::Container ToBriefContainer(const boost::json::object& listed);

// Where a container can be reached from its host; empty when it has no address of its own.
std::string AddressOf(const boost::json::object& inspect);

// The labels dev.fairlead.* of one container, but for that of its probe.
std::map<std::string, std::string> OwnLabels(const std::string& installation,
                                             const std::string& resource,
                                             const std::string& spec_hash,
                                             const std::string& action);

// The body of a create, with the spec's engine options laid over it. `own_labels` and the probe's
// go beside those of the spec.
boost::json::object ToCreateBody(const v1::ContainerSpec& spec,
                                 const std::map<std::string, std::string>& own_labels);

// What an adopted container must have; one text for each difference, empty when it matches.
// Values of environment and labels do not appear. A probe is nothing of the container.
std::vector<std::string> ComputeDifferences(const v1::ContainerSpec& spec,
                                            const boost::json::object& inspect);

}  // namespace fairlead::agent
