#include "controller/secrets/sops_file.h"

#include <openssl/evp.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <memory>
#include <set>
#include <utility>

#include <boost/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/sha256.h"
#include "base/status.h"
#include "resources/interpolation.h"

namespace fairlead::secrets {
namespace {

namespace json = boost::json;

constexpr absl::string_view kMetadata = "sops";
constexpr absl::string_view kFlatMetadata = "sops_";
constexpr std::size_t kDataKeyBytes = 32;
constexpr int kTagBytes = 16;

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

const unsigned char* Bytes(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// As Go writes a float64 with the fewest digits that give it back.
std::string NumberText(double number) {
  std::array<char, 512> buffer{};
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), number, std::chars_format::fixed);
  return {buffer.data(), end.ptr};
}

std::string BooleanText(bool value) { return value ? "True" : "False"; }

// Goes through a document; each leaf with what names it and what it is bound to, until `visit`
// returns an error.
template <typename Visit>
absl::Status Walk(const json::value& value, const std::string& name, const std::string& bound_to,
                  const Visit& visit) {
  if (const json::object* const object = value.if_object()) {
    for (const auto& [key, member] : *object) {
      const std::string text(key.data(), key.size());
      RETURN_IF_ERROR(Walk(member, name.empty() ? text : absl::StrCat(name, ".", text),
                           absl::StrCat(bound_to, text, ":"), visit));
    }
    return absl::OkStatus();
  }
  if (const json::array* const array = value.if_array()) {
    std::size_t index = 0;
    for (const json::value& item : *array) {
      // A place in a list is part of the name, not of what it is bound to.
      RETURN_IF_ERROR(Walk(item, absl::StrCat(name, ".", index++), bound_to, visit));
    }
    return absl::OkStatus();
  }
  if (value.is_null()) return absl::OkStatus();
  std::string text;
  if (const json::string* const string = value.if_string()) {
    text.assign(string->data(), string->size());
  } else if (value.is_bool()) {
    text = BooleanText(value.get_bool());
  } else {
    text = NumberText(value.to_number<double>());
  }
  return visit(SopsValue{
      .name = name, .bound_to = bound_to, .text = std::move(text), .is_boolean = value.is_bool()});
}

std::size_t CountKeys(const json::value& value) {
  std::size_t count = 0;
  if (const json::object* const object = value.if_object()) {
    for (const auto& [key, member] : *object) count += 1 + CountKeys(member);
  } else if (const json::array* const array = value.if_array()) {
    for (const json::value& item : *array) count += CountKeys(item);
  }
  return count;
}

// Keys as written in valid JSON: each has its colon, outside of strings.
std::size_t CountWrittenKeys(absl::string_view content) {
  std::size_t count = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (content[i] == '"') in_string = !in_string;
    if (in_string && content[i] == '\\') ++i;
    if (!in_string && content[i] == ':') ++count;
  }
  return count;
}

absl::StatusOr<json::object> ParseObject(absl::string_view content) {
  json::error_code failed;
  json::value document = json::parse({content.data(), content.size()}, failed);
  if (failed) return absl::InvalidArgumentError("it is not JSON");
  if (!document.is_object()) return absl::InvalidArgumentError("it is no JSON object");
  // The parser keeps the last of equal keys and says nothing.
  if (CountKeys(document) != CountWrittenKeys(content)) {
    return absl::InvalidArgumentError("a key is named twice in one object; remove one of them");
  }
  return std::move(document.get_object());
}

std::string TextOf(const json::object& object, absl::string_view key) {
  const json::value* const value = object.if_contains({key.data(), key.size()});
  if (value == nullptr || !value->is_string()) return "";
  return {value->get_string().data(), value->get_string().size()};
}

absl::Status CheckMetadata(const SopsFile& file) {
  if (file.data_keys.empty()) {
    return absl::InvalidArgumentError(
        "it is encrypted for no age recipient; encrypt it with: sops --encrypt --age RECIPIENT");
  }
  if (file.mac.empty() || file.last_modified.empty()) {
    return absl::InvalidArgumentError(
        "its metadata has no MAC, so that nobody knows who changed it");
  }
  return absl::OkStatus();
}

absl::Status NotEncrypted() {
  return absl::InvalidArgumentError(
      "it has no metadata of SOPS: nothing in it is encrypted, and its values are known to "
      "everybody who can read the repository; replace them, and encrypt it with: sops --encrypt");
}

absl::Status SeveralGroups() {
  return absl::InvalidArgumentError(
      "its data key is shared among several key groups, which is not supported; use one");
}

struct Plain {
  std::string text;
  std::string type;
};

// Of "ENC[AES256_GCM,data:..,iv:..,tag:..,type:..]". Nothing: it does not look encrypted.
bool LooksEncrypted(absl::string_view text) {
  return absl::StartsWith(text, "ENC[AES256_GCM,") && absl::EndsWith(text, "]");
}

absl::StatusOr<std::string> DecryptGcm(const std::string& key, absl::string_view iv,
                                       absl::string_view data, std::string tag,
                                       absl::string_view bound_to) {
  const std::unique_ptr<EVP_CIPHER_CTX, FreeCipher> context(EVP_CIPHER_CTX_new());
  std::string plain(data.size(), '\0');
  auto* const out = reinterpret_cast<unsigned char*>(plain.data());
  int length = 0;
  const bool good =
      context != nullptr && tag.size() == kTagBytes && !iv.empty() &&
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, nullptr, nullptr) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_IVLEN, static_cast<int>(iv.size()),
                          nullptr) == 1 &&
      EVP_DecryptInit_ex(context.get(), nullptr, nullptr, Bytes(key), Bytes(iv)) == 1 &&
      EVP_DecryptUpdate(context.get(), nullptr, &length, Bytes(bound_to),
                        static_cast<int>(bound_to.size())) == 1 &&
      EVP_DecryptUpdate(context.get(), out, &length, Bytes(data), static_cast<int>(data.size())) ==
          1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(context.get(), out + length, &length) == 1;
  if (!good) return absl::DataLossError("it does not fit the data key or its place in the file");
  return plain;
}

absl::StatusOr<Plain> DecryptValue(absl::string_view text, const std::string& key,
                                   absl::string_view bound_to) {
  absl::ConsumePrefix(&text, "ENC[AES256_GCM,");
  absl::ConsumeSuffix(&text, "]");
  std::map<std::string, std::string> parts;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(part, absl::MaxSplits(':', 1));
    parts.insert(pair);
  }
  std::string data;
  std::string iv;
  std::string tag;
  if (!absl::Base64Unescape(parts["data"], &data) || !absl::Base64Unescape(parts["iv"], &iv) ||
      !absl::Base64Unescape(parts["tag"], &tag)) {
    return absl::InvalidArgumentError("it is no value of SOPS");
  }
  ASSIGN_OR_RETURN(std::string plain, DecryptGcm(key, iv, data, std::move(tag), bound_to));
  return Plain{std::move(plain), parts["type"]};
}

// What the MAC covers of a value.
absl::StatusOr<std::string> MacText(const Plain& plain) {
  if (plain.type == "str" || plain.type == "bytes" || plain.type == "int") return plain.text;
  double number = 0;
  if (plain.type == "float" && absl::SimpleAtod(plain.text, &number)) return NumberText(number);
  bool value = false;
  if (plain.type == "bool" && absl::SimpleAtob(plain.text, &value)) return BooleanText(value);
  return absl::InvalidArgumentError(
      absl::StrCat("values of type \"", plain.type, "\" are not supported"));
}

// Booleans are written in lower case elsewhere.
std::string VariableText(const std::string& text, bool is_bool) {
  return is_bool ? absl::AsciiStrToLower(text) : text;
}

struct DotenvLine {
  int number = 0;
  // A comment has none.
  std::string key;
  std::string text;
};

// Lines KEY=VALUE in order.
absl::StatusOr<std::vector<DotenvLine>> DotenvLines(absl::string_view content) {
  std::vector<DotenvLine> lines;
  std::set<absl::string_view> keys;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(content, '\n')) {
    ++number;
    absl::ConsumeSuffix(&line, "\r");
    if (line.empty()) continue;
    if (absl::ConsumePrefix(&line, "#")) {
      lines.push_back({number, "", std::string(line)});
      continue;
    }
    const std::size_t equals = line.find('=');
    if (equals == absl::string_view::npos || equals == 0) {
      return absl::InvalidArgumentError(absl::StrCat("line ", number, " is not KEY=VALUE"));
    }
    if (!keys.insert(line.substr(0, equals)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("the key of line ", number, " is named twice; remove one of them"));
    }
    lines.push_back(
        {number, std::string(line.substr(0, equals)), std::string(line.substr(equals + 1))});
  }
  return lines;
}

}  // namespace

bool IsVariableName(absl::string_view name) {
  return resources::IsPlaceholder(absl::StrCat("[[", name, "]]"));
}

absl::StatusOr<SopsFile> ParseSopsJson(absl::string_view content) {
  ASSIGN_OR_RETURN(json::object document, ParseObject(content));
  const json::value* const found = document.if_contains({kMetadata.data(), kMetadata.size()});
  if (found == nullptr || !found->is_object()) return NotEncrypted();
  const json::object metadata = found->get_object();
  SopsFile file;
  file.mac = TextOf(metadata, "mac");
  file.last_modified = TextOf(metadata, "lastmodified");
  const json::value* const only = metadata.if_contains("mac_only_encrypted");
  file.mac_only_encrypted = only != nullptr && only->is_bool() && only->get_bool();
  const json::value* const groups = metadata.if_contains("key_groups");
  if (groups != nullptr && groups->is_array() && !groups->get_array().empty()) {
    return SeveralGroups();
  }
  if (const json::value* const age = metadata.if_contains("age");
      age != nullptr && age->is_array()) {
    for (const json::value& recipient : age->get_array()) {
      if (recipient.is_object()) file.data_keys.push_back(TextOf(recipient.get_object(), "enc"));
    }
  }
  RETURN_IF_ERROR(CheckMetadata(file));
  std::set<std::string> names;
  const auto add = [&](SopsValue leaf) {
    if (!names.insert(leaf.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", leaf.name, "\" is named twice; remove one of them"));
    }
    file.values.push_back(std::move(leaf));
    return absl::OkStatus();
  };
  for (const auto& [key, value] : document) {
    if (key == "sops") continue;
    const std::string name(key.data(), key.size());
    RETURN_IF_ERROR(Walk(value, name, absl::StrCat(name, ":"), add));
  }
  return file;
}

absl::StatusOr<SopsFile> ParseSopsDotenv(absl::string_view content) {
  ASSIGN_OR_RETURN(const auto lines, DotenvLines(content));
  SopsFile file;
  bool has_metadata = false;
  for (const auto& [number, key, written] : lines) {
    const std::string text = absl::StrReplaceAll(written, {{"\\n", "\n"}});
    absl::string_view field = key;
    if (!absl::ConsumePrefix(&field, kFlatMetadata)) {
      file.values.push_back({.name = key,
                             .bound_to = absl::StrCat(key, ":"),
                             .text = text,
                             .is_comment = key.empty()});
      continue;
    }
    has_metadata = true;
    if (field == "mac") file.mac = text;
    if (field == "lastmodified") file.last_modified = text;
    if (field == "mac_only_encrypted") {
      file.mac_only_encrypted = absl::EqualsIgnoreCase(text, "true");
    }
    if (absl::StartsWith(field, "key_groups__")) return SeveralGroups();
    if (absl::StartsWith(field, "age__") && absl::EndsWith(field, "__map_enc")) {
      file.data_keys.push_back(text);
    }
  }
  if (!has_metadata) return NotEncrypted();
  RETURN_IF_ERROR(CheckMetadata(file));
  return file;
}

absl::StatusOr<NamedValues> DecryptSops(const SopsFile& file, const std::string& data_key) {
  if (data_key.size() != kDataKeyBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("its data key has ", data_key.size(), " bytes, not ", kDataKeyBytes));
  }
  const std::unique_ptr<EVP_MD_CTX, FreeDigest> digest(EVP_MD_CTX_new());
  EVP_DigestInit_ex(digest.get(), EVP_sha512(), nullptr);
  const auto cover = [&digest](absl::string_view text) {
    EVP_DigestUpdate(digest.get(), text.data(), text.size());
  };
  if (file.mac_only_encrypted) {
    // So that it is never the MAC of all values.
    cover(base::Sha256(kMetadata));
  }
  NamedValues values;
  for (const SopsValue& value : file.values) {
    if (value.is_comment) continue;
    if (!LooksEncrypted(value.text)) {
      if (!file.mac_only_encrypted) cover(value.text);
      values[value.name] = VariableText(value.text, value.is_boolean);
      continue;
    }
    ASSIGN_OR_RETURN(const Plain plain, DecryptValue(value.text, data_key, value.bound_to),
                     absl::StrCat("value \"", value.name, "\""));
    if (plain.type == "comment") continue;
    ASSIGN_OR_RETURN(const std::string text, MacText(plain),
                     absl::StrCat("value \"", value.name, "\""));
    cover(text);
    values[value.name] = VariableText(text, plain.type == "bool");
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
  unsigned size = 0;
  EVP_DigestFinal_ex(digest.get(), sum.data(), &size);
  const std::string computed = absl::AsciiStrToUpper(
      absl::BytesToHexString({reinterpret_cast<const char*>(sum.data()), size}));
  ASSIGN_OR_RETURN(const Plain mac, DecryptValue(file.mac, data_key, file.last_modified),
                   "its MAC");
  if (mac.text != computed) {
    return absl::DataLossError(
        "its MAC does not fit: it was changed without SOPS; take back what was done to it by hand, "
        "or a merge, and edit it with: sops FILE");
  }
  return values;
}

absl::StatusOr<NamedValues> ParseJsonValues(absl::string_view content) {
  ASSIGN_OR_RETURN(const json::object document, ParseObject(content));
  NamedValues values;
  RETURN_IF_ERROR(Walk(document, "", "", [&values](const SopsValue& leaf) {
    return values.emplace(leaf.name, VariableText(leaf.text, leaf.is_boolean)).second
               ? absl::OkStatus()
               : absl::InvalidArgumentError(
                     "a name is named twice, with dots and as nested keys; remove one of them");
  }));
  return values;
}

absl::StatusOr<NamedValues> ParseDotenvValues(absl::string_view content) {
  ASSIGN_OR_RETURN(const auto lines, DotenvLines(content));
  NamedValues values;
  for (const auto& [number, key, text] : lines) {
    if (key.empty()) continue;
    if (!IsVariableName(key)) {
      return absl::InvalidArgumentError(
          absl::StrCat("line ", number,
                       " is not KEY=VALUE: before the first = there is something else than "
                       "letters, digits, _, . and -"));
    }
    values[key] = text;
  }
  return values;
}

}  // namespace fairlead::secrets
