#include "controller/store/sql_session.h"

#include <optional>

#include "base/status.h"

namespace fairlead::store {

absl::StatusOr<std::string> SqlSession::QueryText(const std::string& sql) {
  std::optional<std::string> first;
  RETURN_IF_ERROR(Query(sql, {}, [&first](const SqlRow& row) {
    if (!first.has_value()) first = row.Bytes(0);
    return absl::OkStatus();
  }));
  return first.value_or("");
}

absl::StatusOr<int64_t> SqlSession::QueryInteger(const std::string& sql) {
  std::optional<int64_t> first;
  RETURN_IF_ERROR(Query(sql, {}, [&first](const SqlRow& row) {
    if (!first.has_value()) first = row.Integer(0);
    return absl::OkStatus();
  }));
  return first.value_or(0);
}

}  // namespace fairlead::store
