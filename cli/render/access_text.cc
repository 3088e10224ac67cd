#include "cli/render/access_text.h"

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "base/proto_time.h"

namespace fairlead::cli {
namespace {

constexpr absl::string_view kPackage = "fairlead.v1.";

absl::string_view OutcomeText(v1::AuditOutcome outcome) {
  switch (outcome) {
    case v1::AUDIT_OUTCOME_DONE:
      return "done";
    case v1::AUDIT_OUTCOME_REFUSED:
      return "refused";
    case v1::AUDIT_OUTCOME_FAILED:
      return "failed";
    default:
      return "-";
  }
}

Cell OutcomeCell(v1::AuditOutcome outcome) {
  const std::string text(OutcomeText(outcome));
  if (outcome == v1::AUDIT_OUTCOME_REFUSED) return {text, Color::kRed};
  return {text, outcome == v1::AUDIT_OUTCOME_FAILED ? Color::kYellow : Color::kNone};
}

template <typename List>
std::string Joined(const List& list, absl::string_view none) {
  return list.empty() ? std::string(none) : Printable(absl::StrJoin(list, ", "));
}

std::string CsvField(absl::string_view text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

}  // namespace

std::string RenderWhoAmI(const v1::WhoAmIResponse& response, const TextOptions& options) {
  Table table;
  table.AddRow({{"caller"}, {Printable(response.caller())}});
  table.AddRow({{"from"}, {Printable(response.address())}});
  table.AddRow({{"admin"}, {response.admin() ? "yes" : "no"}});
  table.AddRow({{"groups"}, {Joined(response.groups(), "none")}});
  if (response.has_expires()) {
    table.AddRow({{"until"}, {FormatMoment(base::FromProto(response.expires()), options)}});
  }
  return table.Render(options.painter);
}

std::string RenderUsers(const v1::ListUsersResponse& response, const TextOptions& options) {
  if (response.users().empty()) return "no users; make one with: fairlead user add NAME\n";
  Table table;
  table.AddRow({{"NAME"}, {"ADMIN"}, {"STATE"}, {"GROUPS"}, {"ADDED"}, {"BY"}});
  for (const v1::UserView& user : response.users()) {
    table.AddRow({{Printable(user.name())},
                  {user.admin() ? "yes" : "no"},
                  user.disabled() ? Cell{"disabled", Color::kRed} : Cell{"active"},
                  {Joined(user.groups(), "-")},
                  {FormatMoment(base::FromProto(user.created()), options)},
                  {user.declared_by().empty()
                       ? Printable(user.created_by())
                       : absl::StrCat("declared by ", Printable(user.declared_by()))}});
  }
  return table.Render(options.painter);
}

std::string RenderKeys(const v1::ListKeysResponse& response, const TextOptions& options) {
  if (response.keys().empty()) return "no keys; make one with: fairlead key create NAME\n";
  Table table;
  table.AddRow({{"NAME"}, {"KEY"}, {"USER"}, {"PERMISSIONS"}, {"FROM"}, {"EXPIRES"}, {"STATE"}});
  for (const v1::KeyView& key : response.keys()) {
    const bool has_expired = key.has_expires() && base::FromProto(key.expires()) <= options.now;
    const Cell state = key.revoked() ? Cell{"revoked", Color::kRed}
                       : has_expired ? Cell{"expired", Color::kYellow}
                                     : Cell{"active"};
    table.AddRow(
        {{Printable(key.name())},
         {absl::StrCat(Printable(key.prefix()), "_...")},
         {key.user().empty() ? "-" : Printable(key.user())},
         {Joined(key.permissions(), "all of the user")},
         {Joined(key.cidrs(), "anywhere")},
         {key.has_expires() ? FormatMoment(base::FromProto(key.expires()), options) : "never"},
         state});
  }
  return table.Render(options.painter);
}

std::string RenderAudit(const v1::ListAuditResponse& response, const TextOptions& options) {
  if (response.records().empty()) return "nothing was changed or refused\n";
  Table table;
  table.AddRow({{"WHEN"}, {"WHO"}, {"FROM"}, {"WHAT"}, {"RESOURCE"}, {"OUTCOME"}, {"WHY"}});
  for (const v1::AuditRecord& record : response.records()) {
    table.AddRow({{FormatMoment(base::FromProto(record.at()), options)},
                  {Printable(record.caller())},
                  {Printable(record.address())},
                  {Printable(absl::StripPrefix(record.method(), kPackage))},
                  {record.resource().empty() ? "-" : Printable(record.resource())},
                  OutcomeCell(record.outcome()),
                  {Printable(record.reason())}});
  }
  const std::vector<std::string> rows = table.RenderRows(options.painter);
  std::string text = absl::StrCat(rows.front(), "\n");
  for (int i = 0; i < response.records_size(); ++i) {
    absl::StrAppend(&text, rows[static_cast<std::size_t>(i) + 1], "\n");
    for (const absl::string_view line :
         absl::StrSplit(response.records(i).diff(), '\n', absl::SkipEmpty())) {
      const Color color = line.front() == '+' ? Color::kGreen : Color::kRed;
      absl::StrAppend(&text, "    ", options.painter.Paint(color, Printable(line)), "\n");
    }
  }
  return text;
}

std::string AuditCsvHead() {
  return "id,at,caller,address,method,resource,outcome,reason,revision,diff,before,after,"
         "previous_hash,hash\r\n";
}

std::string AuditCsvRow(const v1::AuditRecord& record) {
  return absl::StrCat(
      record.id(), ",",
      absl::FormatTime(absl::RFC3339_full, base::FromProto(record.at()), absl::UTCTimeZone()), ",",
      absl::StrJoin(
          {CsvField(record.caller()), CsvField(record.address()), CsvField(record.method()),
           CsvField(record.resource()), CsvField(OutcomeText(record.outcome())),
           CsvField(record.reason()), CsvField(record.revision()), CsvField(record.diff()),
           CsvField(record.before()), CsvField(record.after()),
           absl::BytesToHexString(record.previous_hash()), absl::BytesToHexString(record.hash())},
          ","),
      "\r\n");
}

}  // namespace fairlead::cli
