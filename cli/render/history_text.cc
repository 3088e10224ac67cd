#include "cli/render/history_text.h"

#include "absl/strings/str_cat.h"

#include "base/proto_time.h"

namespace fairlead::cli {
namespace {

Cell OutcomeCell(v1::SpecRecord::Outcome outcome) {
  switch (outcome) {
    case v1::SpecRecord::OUTCOME_APPLIED:
      return {"applied", Color::kYellow};
    case v1::SpecRecord::OUTCOME_HEALTHY:
      return {"healthy", Color::kGreen};
    case v1::SpecRecord::OUTCOME_FAILED:
      return {"failed", Color::kRed};
    case v1::SpecRecord::OUTCOME_PUT_ASIDE:
      return {"put aside", Color::kYellow};
    default:
      return {"-"};
  }
}

std::string PlaceOf(const v1::SpecRecord& record, const v1::ListHistoryResponse& response) {
  const bool declared = record.spec_hash() == response.wanted_hash();
  const bool runs = record.spec_hash() == response.live_hash();
  if (declared && runs) return "declared, runs";
  return declared ? "declared" : runs ? "runs" : "";
}

}  // namespace

std::string RenderHistory(const v1::ListHistoryResponse& response, const TextOptions& options) {
  if (response.records().empty()) return "nothing was applied yet\n";
  Table table;
  table.AddRow({{"WHEN"}, {"REVISION"}, {"SPEC"}, {"OUTCOME"}, {"NOW"}, {"WHY"}});
  for (const v1::SpecRecord& record : response.records()) {
    table.AddRow({{FormatMoment(base::FromProto(record.at()), options)},
                  {record.revision().empty() ? "-" : ShortRevision(record.revision())},
                  {Printable(record.spec_hash())},
                  OutcomeCell(record.outcome()),
                  {PlaceOf(record, response)},
                  {Printable(record.reason())}});
  }
  return table.Render(options.painter);
}

}  // namespace fairlead::cli
