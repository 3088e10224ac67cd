// Files of SOPS as JSON or dotenv: https://getsops.io/docs/. Pure: who has the data key is asked
// elsewhere.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fairlead::secrets {

// What a document gives names to: "db.password" of {"db": {"password": ...}}, "hosts.0" of a list.
using NamedValues = std::map<std::string, std::string>;

// One value of a file of SOPS, encrypted or not.
struct SopsValue {
  std::string name;
  // What the cipher binds the value to: the keys above it, each with ":".
  std::string bound_to;
  // As the file has it; a number or boolean as SOPS writes it for the MAC.
  std::string text;
  // A comment of a dotenv file: nothing names it, and the MAC does not cover it.
  bool is_comment = false;
  // Not encrypted, and a boolean.
  bool is_boolean = false;
};

struct SopsFile {
  // In the order of the file, which the MAC covers.
  std::vector<SopsValue> values;
  // The data key, encrypted by age once for each recipient.
  std::vector<std::string> data_keys;
  std::string mac;
  // As in the file; the MAC is bound to it.
  std::string last_modified;
  bool mac_only_encrypted = false;
};

// Whether [[NAME]] can stand for it.
bool IsVariableName(absl::string_view name);

// InvalidArgument says what the file lacks: above all the metadata, without which nothing in it is
// encrypted; or that a name stands for two values, of which the MAC might cover the other one. No
// message holds a value.
absl::StatusOr<SopsFile> ParseSopsJson(absl::string_view content);
absl::StatusOr<SopsFile> ParseSopsDotenv(absl::string_view content);

// The values in clear. `data_key` has 32 bytes. DataLoss when a value or the MAC does not fit: the
// file was changed without SOPS. InvalidArgument for what SOPS does not write.
absl::StatusOr<NamedValues> DecryptSops(const SopsFile& file, const std::string& data_key);

// Documents in clear, as `age` gives them back. Names may be secrets too: no message holds one, and
// a line of dotenv whose key cannot be the name of a variable is InvalidArgument.
absl::StatusOr<NamedValues> ParseJsonValues(absl::string_view content);
absl::StatusOr<NamedValues> ParseDotenvValues(absl::string_view content);

}  // namespace fairlead::secrets
