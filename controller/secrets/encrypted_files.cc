#include "controller/secrets/encrypted_files.h"

#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/file.h"
#include "base/status.h"
#include "base/subprocess.h"
#include "resources/encrypted_name.h"
#include "resources/problem_codes.h"

namespace fairlead::secrets {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(20);
constexpr std::size_t kLargestKeyFile = 64u << 10;
constexpr std::size_t kLargestFile = 1u << 20;
constexpr std::size_t kMostRecipients = 64;
constexpr std::size_t kLargestValue = 64u << 10;

v1::Problem MakeProblem(const std::string& path, const std::string& message,
                        const std::string& suggestion) {
  v1::Problem problem;
  problem.set_file(path);
  // The rest of the source stands: only what needs a value of it is invalid.
  problem.set_severity(v1::SEVERITY_WARNING);
  problem.set_code(resources::kEncryptedFileCode);
  problem.set_message(message);
  problem.set_suggestion(suggestion);
  return problem;
}

}  // namespace

absl::Status EncryptedFiles::CheckKey() const {
  if (key_file_.empty()) {
    return absl::FailedPreconditionError(
        "the controller has no key for it; give it one with --age-key FILE");
  }
  const absl::StatusOr<std::string> key = base::ReadPrivateFile(key_file_, kLargestKeyFile);
  RETURN_IF_ERROR(key.status(), "--age-key");
  if (!absl::StrContains(*key, "AGE-SECRET-KEY-1")) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--age-key ", key_file_, " holds no age identity (a line AGE-SECRET-KEY-1...)"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> EncryptedFiles::DecryptWithAge(absl::string_view content) const {
  // `age` quotes what it finds instead, which would be secrets in clear.
  const absl::string_view begin = absl::StripLeadingAsciiWhitespace(content);
  if (!absl::StartsWith(begin, "age-encryption.org/") &&
      !absl::StartsWith(begin, "-----BEGIN AGE ENCRYPTED FILE-----")) {
    return absl::InvalidArgumentError(
        "it is not encrypted by age: replace the values that stand there in clear, and encrypt it "
        "with: age --encrypt -r RECIPIENT");
  }
  base::SubprocessOptions options;
  options.argv = {"age", "--decrypt", "--identity", key_file_};
  options.input = std::string(content);
  options.timeout = kTimeout;
  absl::StatusOr<base::SubprocessResult> run = base::RunSubprocess(options);
  if (absl::IsNotFound(run.status())) {
    return absl::FailedPreconditionError(
        "the program `age` is not there; install it (Debian: apt-get install age)");
  }
  RETURN_IF_ERROR(run.status(), "age");
  if (run->exit_code == 0) return std::move(run->out);
  const std::vector<std::string> lines = absl::StrSplit(run->err, '\n');
  return absl::FailedPreconditionError(
      absl::StrCat(lines.front(), " (exit code ", run->exit_code, ")"));
}

absl::StatusOr<std::string> EncryptedFiles::FindDataKey(
    const std::vector<std::string>& encrypted) const {
  if (encrypted.size() > kMostRecipients) {
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", encrypted.size(), " recipients; at most ", kMostRecipients));
  }
  absl::Status status;
  for (const std::string& each : encrypted) {
    absl::StatusOr<std::string> key = DecryptWithAge(each);
    if (key.ok()) return key;
    status = key.status();
  }
  return status;
}

absl::StatusOr<NamedValues> EncryptedFiles::Decrypt(absl::string_view path,
                                                    absl::string_view content,
                                                    std::vector<std::string>* names) const {
  if (content.size() > kLargestFile) {
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", content.size(), " bytes; at most ", kLargestFile, " are read"));
  }
  const bool is_json = absl::EndsWith(path, ".json") || absl::EndsWith(path, ".json.age");
  if (absl::EndsWith(path, ".age")) {
    // All of it, names too.
    RETURN_IF_ERROR(CheckKey());
    ASSIGN_OR_RETURN(const std::string plain, DecryptWithAge(content));
    return is_json ? ParseJsonValues(plain) : ParseDotenvValues(plain);
  }
  ASSIGN_OR_RETURN(const SopsFile file,
                   is_json ? ParseSopsJson(content) : ParseSopsDotenv(content));
  for (const SopsValue& value : file.values) {
    if (!value.is_comment) names->push_back(value.name);
  }
  RETURN_IF_ERROR(CheckKey());
  ASSIGN_OR_RETURN(const std::string data_key, FindDataKey(file.data_keys));
  return DecryptSops(file, data_key);
}

resources::ParsedFile EncryptedFiles::Read(const std::string& path,
                                           absl::string_view content) const {
  resources::ParsedFile file;
  file.path = path;
  std::vector<std::string> names;
  const absl::StatusOr<NamedValues> values = Decrypt(path, content, &names);
  if (!values.ok()) {
    const std::string why = absl::StrCat(path, " cannot be decrypted: ", values.status().message());
    for (const std::string& name : names) {
      if (IsVariableName(name)) file.variables[name] = {"", true, why};
    }
    if (names.empty()) file.sealed = why;
    file.problems.push_back(
        MakeProblem(path, absl::StrCat("cannot be decrypted: ", values.status().message()),
                    "what needs a value of it waits; it is tried again at each poll of the sync"));
    return file;
  }
  for (const auto& [name, value] : *values) {
    if (!IsVariableName(name)) {
      // A file of age hides its names too.
      const std::string key =
          absl::EndsWith(path, ".age") ? "a key" : absl::StrCat("key \"", name, "\"");
      file.problems.push_back(MakeProblem(path,
                                          absl::StrCat(key, " cannot be the name of a variable"),
                                          "[[NAME]] has letters, digits, _, . and -"));
    } else if (value.size() > kLargestValue) {
      file.variables[name] = {"", true,
                              absl::StrCat(path, ": the value has ", value.size(),
                                           " bytes; at most ", kLargestValue, " are taken")};
    } else if (value.empty()) {
      file.variables[name] = {"", true, absl::StrCat(path, ": the value is empty")};
    } else {
      file.variables[name] = {value, true, ""};
    }
  }
  return file;
}

}  // namespace fairlead::secrets
