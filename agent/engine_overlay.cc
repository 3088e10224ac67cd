#include "agent/engine_overlay.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <utility>

#include <boost/json.hpp>
#include "absl/strings/str_cat.h"

#include "agent/engine_json.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;
using google::protobuf::Struct;
using google::protobuf::Value;

// Beyond it a double does not hold every whole number.
constexpr double kWholeLimit = 9007199254740992.0;

json::value ToJsonValue(const Value& value) {
  switch (value.kind_case()) {
    case Value::kNumberValue: {
      const double number = value.number_value();
      if (std::trunc(number) == number && std::abs(number) <= kWholeLimit) {
        return static_cast<int64_t>(number);
      }
      return number;
    }
    case Value::kStringValue:
      return json::value(value.string_value());
    case Value::kBoolValue:
      return value.bool_value();
    case Value::kStructValue:
      return ToJson(value.struct_value());
    case Value::kListValue: {
      json::array list;
      for (const Value& element : value.list_value().values()) {
        list.push_back(ToJsonValue(element));
      }
      return list;
    }
    case Value::kNullValue:
    case Value::KIND_NOT_SET:
      break;
  }
  return nullptr;
}

// Whether `found` has all that `wanted` says.
bool Covers(const json::value* found, const json::value& wanted) {
  if (const json::object* members = wanted.if_object(); members != nullptr) {
    if (found == nullptr || !found->is_object()) return members->empty();
    return std::all_of(members->begin(), members->end(), [&](const auto& member) {
      return Covers(found->get_object().if_contains(member.key()), member.value());
    });
  }
  if (const json::array* elements = wanted.if_array(); elements != nullptr) {
    if (found == nullptr || !found->is_array()) return elements->empty();
    const json::array& there = found->get_array();
    return std::all_of(elements->begin(), elements->end(), [&](const json::value& element) {
      return std::any_of(there.begin(), there.end(),
                         [&](const json::value& one) { return Covers(&one, element); });
    });
  }
  if (wanted.is_null()) return true;
  if (found == nullptr) return wanted == json::value(false) || wanted == json::value(0);
  return *found == wanted;
}

bool IsComparedElsewhere(json::string_view key) {
  return key == "Binds" || key == "Mounts" || key == "PortBindings";
}

}  // namespace

json::object ToJson(const Struct& overlay) {
  // In order of names: the same overlay is the same text.
  const std::map<std::string, Value> members(overlay.fields().begin(), overlay.fields().end());
  json::object object;
  for (const auto& [name, value] : members) object[name] = ToJsonValue(value);
  return object;
}

void LayOver(const json::object& overlay, json::object& body) {
  for (const auto& member : overlay) {
    if (member.value().is_null()) continue;
    json::value* present = body.if_contains(member.key());
    if (present != nullptr && present->is_object() && member.value().is_object()) {
      LayOver(member.value().get_object(), present->get_object());
    } else if (present != nullptr && present->is_array() && member.value().is_array()) {
      for (const json::value& element : member.value().get_array()) {
        present->get_array().push_back(element);
      }
    } else {
      body[member.key()] = member.value();
    }
  }
}

std::vector<std::string> OverlayDifferences(const json::object& overlay,
                                            const json::object& inspect) {
  std::vector<std::string> differences;
  for (const auto& member : overlay) {
    const std::string name(member.key().data(), member.key().size());
    if (name == "HostConfig" && member.value().is_object()) {
      for (const auto& option : member.value().get_object()) {
        const std::string key(option.key().data(), option.key().size());
        if (IsComparedElsewhere(option.key())) continue;
        if (!Covers(ValueAt(inspect, {"HostConfig", key}), option.value())) {
          differences.push_back(absl::StrCat(name, ".", key));
        }
      }
    } else if (name == "NetworkingConfig") {
      const json::object* wanted = member.value().is_object()
                                       ? ObjectAt(member.value().get_object(), {"EndpointsConfig"})
                                       : nullptr;
      if (wanted != nullptr &&
          !Covers(ValueAt(inspect, {"NetworkSettings", "Networks"}), json::value(*wanted))) {
        differences.push_back(name);
      }
    } else if (name != "ExposedPorts" &&
               !Covers(ValueAt(inspect, {"Config", name}), member.value())) {
      differences.push_back(name);
    }
  }
  return differences;
}

}  // namespace fairlead::agent
