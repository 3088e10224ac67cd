#include "cli/import/inspect_json.h"

#include <system_error>

namespace fairlead::cli {

namespace json = boost::json;

const json::value* At(const json::value& root, absl::string_view pointer) {
  std::error_code ignored;
  return root.find_pointer(json::string_view(pointer.data(), pointer.size()), ignored);
}

std::string TextAt(const json::value& root, absl::string_view pointer) {
  const json::value* value = At(root, pointer);
  return value != nullptr && value->is_string() ? std::string(value->get_string().c_str()) : "";
}

std::vector<std::string> TextsAt(const json::value& root, absl::string_view pointer) {
  std::vector<std::string> texts;
  for (const json::value& value : ArrayAt(root, pointer)) {
    if (value.is_string()) texts.emplace_back(value.get_string().c_str());
  }
  return texts;
}

json::object ObjectAt(const json::value& root, absl::string_view pointer) {
  const json::value* value = At(root, pointer);
  return value != nullptr && value->is_object() ? value->get_object() : json::object();
}

json::array ArrayAt(const json::value& root, absl::string_view pointer) {
  const json::value* value = At(root, pointer);
  return value != nullptr && value->is_array() ? value->get_array() : json::array();
}

bool IsNothing(const json::value* value) {
  if (value == nullptr) return true;
  switch (value->kind()) {
    case json::kind::null:
      return true;
    case json::kind::bool_:
      return !value->get_bool();
    case json::kind::int64:
      return value->get_int64() == 0;
    case json::kind::uint64:
      return value->get_uint64() == 0;
    case json::kind::double_:
      return value->get_double() == 0;
    case json::kind::string:
      return value->get_string().empty();
    case json::kind::array:
      return value->get_array().empty();
    case json::kind::object:
      return value->get_object().empty();
  }
  return true;
}

bool MeansTheSame(const json::value* a, const json::value* b) {
  if (IsNothing(a) || IsNothing(b)) return IsNothing(a) && IsNothing(b);
  return *a == *b;
}

}  // namespace fairlead::cli
