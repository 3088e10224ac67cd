#include "controller/store/postgres_address.h"

#include <libpq-fe.h>

#include <cstdlib>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "base/file.h"
#include "base/status.h"

namespace fairlead::store {
namespace {

constexpr absl::string_view kForm =
    "postgresql://USER@HOST:PORT/DATABASE?sslmode=verify-full&sslrootcert=FILE";

std::string ValueOf(const std::map<std::string, std::string>& values, const std::string& key) {
  const auto found = values.find(key);
  return found == values.end() ? "" : found->second;
}

}  // namespace

std::string PostgresAddress::Name() const {
  std::string host = ValueOf(parameters, "host");
  if (host.empty()) host = ValueOf(parameters, "hostaddr");
  if (host.empty()) host = "the local socket";
  const std::string port = ValueOf(parameters, "port");
  std::string database = ValueOf(parameters, "dbname");
  if (database.empty()) database = ValueOf(parameters, "user");
  return absl::StrCat("database \"", database, "\" at ", host, port.empty() ? "" : ":", port);
}

std::string PostgresAddress::ConnectionString() const {
  std::string text;
  for (const auto& [key, value] : parameters) {
    absl::StrAppend(&text, key, "='", absl::StrReplaceAll(value, {{"\\", "\\\\"}, {"'", "\\'"}}),
                    "' ");
  }
  return text;
}

void PostgresAddress::PutNextHostFirst() {
  for (const char* const key : {"host", "hostaddr", "port"}) {
    const auto found = parameters.find(key);
    if (found == parameters.end()) continue;
    const std::size_t comma = found->second.find(',');
    if (comma == std::string::npos) continue;
    found->second =
        absl::StrCat(found->second.substr(comma + 1), ",", found->second.substr(0, comma));
  }
}

absl::StatusOr<PostgresAddress> ParsePostgresAddress(const std::string& url,
                                                     const std::string& password_file) {
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(url.c_str(), &error), &PQconninfoFree);
  // libpq's text repeats the address, which may hold the password.
  if (error != nullptr) PQfreemem(error);
  if (options == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("the address of the PostgreSQL database cannot be read; it has the form ",
                     kForm, ", with % and hexadecimal digits for special characters"));
  }
  PostgresAddress address;
  for (const PQconninfoOption* each = options.get(); each->keyword != nullptr; ++each) {
    if (each->val != nullptr) address.parameters[each->keyword] = each->val;
  }
  if (!password_file.empty()) {
    ASSIGN_OR_RETURN(const std::string password, base::ReadPrivateFile(password_file),
                     "the password of the database");
    address.parameters["password"] = std::string(absl::StripTrailingAsciiWhitespace(password));
  }
  return address;
}

}  // namespace fairlead::store
