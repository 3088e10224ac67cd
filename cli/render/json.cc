#include "cli/render/json.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace fairlead::cli {
namespace {

constexpr char kPrefix[] = "type.googleapis.com";

google::protobuf::util::TypeResolver* Resolver() {
  static auto* const resolver = google::protobuf::util::NewTypeResolverForDescriptorPool(
      kPrefix, google::protobuf::DescriptorPool::generated_pool());
  return resolver;
}

// Maps have no order of their own in memory.
std::string SerializeInOrder(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace

absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message, JsonStyle style) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  options.add_whitespace = style == JsonStyle::kPretty;
  std::string json;
  const auto status = google::protobuf::util::BinaryToJsonString(
      Resolver(), absl::StrCat(kPrefix, "/", message.GetDescriptor()->full_name()),
      SerializeInOrder(message), &json, options);
  if (!status.ok()) {
    return absl::InternalError(
        absl::StrCat("write ", message.GetTypeName(), " as JSON: ", std::string(status.message())));
  }
  if (json.empty() || json.back() != '\n') json += '\n';
  return json;
}

}  // namespace fairlead::cli
