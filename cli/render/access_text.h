// Users, keys and the audit log for people and spreadsheets.
#pragma once

#include <string>

#include "cli/render/text.h"
#include "fairlead/v1/access_service.pb.h"

namespace fairlead::cli {

std::string RenderWhoAmI(const v1::WhoAmIResponse& response, const TextOptions& options);
std::string RenderUsers(const v1::ListUsersResponse& response, const TextOptions& options);
std::string RenderKeys(const v1::ListKeysResponse& response, const TextOptions& options);
// One line for each record, and its difference below.
std::string RenderAudit(const v1::ListAuditResponse& response, const TextOptions& options);

// RFC 4180, times in UTC.
std::string AuditCsvHead();
std::string AuditCsvRow(const v1::AuditRecord& record);

}  // namespace fairlead::cli
