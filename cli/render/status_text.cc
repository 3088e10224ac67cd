#include "cli/render/status_text.h"

#include <map>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

#include "base/proto_time.h"
#include "cli/render/names.h"

namespace fairlead::cli {
namespace {

// "converged" of a condition's text in any spelling of the API.
std::string ConditionWord(const std::string& name) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(absl::StripPrefix(name, "CONDITION_")),
                             {{"_", " "}, {"-", " "}});
}

bool IsOkWord(const std::string& word) {
  return word == "converged" || word == "completed" || word == "ready" || word == "stopped" ||
         word == "observed";
}

// "22 ok, 1 invalid".
std::string ResourceCounts(const v1::SyncStatus& sync) {
  uint64_t ok = 0;
  std::map<std::string, uint64_t> others;
  for (const auto& [name, count] : sync.conditions()) {
    const std::string word = ConditionWord(name);
    if (IsOkWord(word)) {
      ok += count;
    } else if (count > 0) {
      others[word] += count;
    }
  }
  std::vector<std::string> parts = {absl::StrCat(ok, " ok")};
  for (const auto& [word, count] : others) parts.push_back(absl::StrCat(count, " ", word));
  return absl::StrJoin(parts, ", ");
}

std::string RevisionText(const v1::SyncStatus& sync) {
  if (sync.revision().empty()) return "-";
  std::string text = ShortRevision(sync.revision());
  if (!sync.fetched_revision().empty() && sync.fetched_revision() != sync.revision()) {
    absl::StrAppend(&text, " (fetched ", ShortRevision(sync.fetched_revision()), ")");
  }
  return text;
}

std::string ContainerCounts(const v1::ServerStatus& server) {
  std::string text = absl::StrCat(server.containers_ok(), " ok");
  if (server.containers_bad() > 0) absl::StrAppend(&text, ", ", server.containers_bad(), " not");
  return text;
}

std::string RenderSyncs(const v1::GetStatusResponse& status, const TextOptions& options) {
  if (status.syncs().empty()) return "";
  Table table;
  table.AddRow({{"SYNC"}, {"REVISION"}, {"STATE"}, {"RESOURCES"}, {"LAST CHANGE"}});
  for (const v1::SyncStatus& sync : status.syncs()) {
    table.AddRow({{Printable(sync.name())},
                  {RevisionText(sync)},
                  {Printable(sync.state()), StateColor(sync.state())},
                  {ResourceCounts(sync)},
                  {FormatAge(base::FromProto(sync.last_change()), options.now)}});
  }
  std::string text = table.Render(options.painter);
  for (const v1::SyncStatus& sync : status.syncs()) {
    if (sync.reason().empty() || sync.state() == "converged") continue;
    absl::StrAppend(&text, "  ", Printable(sync.name()), ": ", Printable(sync.reason()), "\n");
  }
  return text;
}

std::string RenderServers(const v1::GetStatusResponse& status, const TextOptions& options) {
  if (status.servers().empty()) return "";
  Table table;
  table.AddRow({{"SERVER"}, {"STATE"}, {"CONTAINERS"}, {"AGENT"}, {"LAG"}});
  for (const v1::ServerStatus& server : status.servers()) {
    const bool online = server.state() == "online";
    table.AddRow({{Printable(server.name())},
                  {Printable(server.state()), StateColor(server.state())},
                  {ContainerCounts(server)},
                  {server.agent_version().empty() ? "-" : Printable(server.agent_version())},
                  {online ? FormatSpan(base::FromProto(server.lag()))
                          : absl::StrCat("seen ", FormatAge(base::FromProto(server.last_seen()),
                                                            options.now))}});
  }
  std::string text = table.Render(options.painter);
  for (const v1::ServerStatus& server : status.servers()) {
    if (server.reason().empty()) continue;
    absl::StrAppend(&text, "  ", Printable(server.name()), ": ", Printable(server.reason()), "\n");
  }
  return text;
}

// The first problem says where; the reason of the status often only that there is one.
std::string WhyOf(const v1::ResourceStatus& resource) {
  for (const v1::Problem& problem : resource.problems()) {
    if (problem.severity() != v1::SEVERITY_ERROR) continue;
    const std::string place = PlaceOf(problem);
    return absl::StrCat(place, place.empty() ? "" : " ", MessageOf(problem));
  }
  return Printable(resource.reason());
}

}  // namespace

std::string RenderNotOk(const v1::GetStatusResponse& status, const TextOptions& options) {
  if (status.not_ok().empty()) return "";
  Table table;
  for (const v1::ResourceStatus& resource : status.not_ok()) {
    table.AddRow({{Printable(resource.resource())},
                  {ConditionName(resource.condition()), ConditionColor(resource.condition())},
                  {WhyOf(resource)}});
  }
  return absl::StrCat("NOT OK\n", table.Render(options.painter));
}

std::string RenderStatus(const v1::GetStatusResponse& status, const TextOptions& options) {
  std::string text = absl::StrCat(RenderSyncs(status, options), RenderServers(status, options),
                                  RenderNotOk(status, options));
  if (text.empty()) {
    return "No sync and no server is declared yet. Declare them with: fairlead apply -f FILE\n";
  }
  if (!status.active_controller().empty()) {
    absl::StrAppend(&text, "active controller: ", Printable(status.active_controller()), "\n");
  }
  return text;
}

std::string RenderSyncHead(const v1::SyncStatus& sync, const TextOptions& options) {
  std::string head = Printable(sync.name());
  if (!sync.revision().empty()) absl::StrAppend(&head, " @ ", ShortRevision(sync.revision()));
  if (!sync.subject().empty()) absl::StrAppend(&head, " \"", Printable(sync.subject()), "\"");
  return options.painter.Paint(Color::kBold, head);
}

}  // namespace fairlead::cli
