#include "cli/render/resource_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

#include "base/proto_time.h"
#include "cli/render/names.h"

namespace fairlead::cli {
namespace {

constexpr int kHistoryLines = 10;
// Column of the values of a description.
constexpr std::size_t kLabelWidth = 10;
constexpr absl::string_view kContinuation = "              ";

std::string RevisionOf(const v1::ResourceStatus& status) {
  return status.revision().empty() ? "-" : ShortRevision(status.revision());
}

// "  wanted    TEXT\n"; nothing for an empty text.
std::string Row(absl::string_view label, const std::string& text) {
  if (text.empty()) return "";
  return absl::StrCat("  ", label, std::string(kLabelWidth - label.size(), ' '), text, "\n");
}

std::string WantedText(const v1::ResourceStatus& status) {
  std::string text = Printable(status.wanted());
  if (!status.revision().empty()) {
    absl::StrAppend(&text, text.empty() ? "" : "   ", "revision ",
                    ShortRevision(status.revision()));
  }
  if (!status.wanted_hash().empty()) {
    absl::StrAppend(&text, text.empty() ? "" : "   ", "spec ", Printable(status.wanted_hash()));
  }
  return text;
}

std::string RunningText(const v1::GetResourceResponse& response) {
  const v1::ResourceStatus& status = response.resource().status();
  std::string text = Printable(status.running());
  const v1::InventoryEntry& entry = response.inventory();
  const bool other = !status.live_hash().empty() && status.live_hash() != status.wanted_hash();
  if (!entry.applied_revision().empty() && !text.empty()) {
    absl::StrAppend(&text, "   revision ", ShortRevision(entry.applied_revision()));
  }
  if (other && !text.empty()) absl::StrAppend(&text, "   spec ", Printable(status.live_hash()));
  if (status.unverified()) absl::StrAppend(&text, "   (unverified)");
  if (entry.adopted()) absl::StrAppend(&text, "   (adopted)");
  return text;
}

std::string ContainerText(const v1::Container& container) {
  const auto word = [](const std::string& name, absl::string_view prefix) {
    return absl::AsciiStrToLower(absl::StripPrefix(name, prefix));
  };
  std::string text =
      absl::StrCat(Printable(container.name()), " ",
                   word(v1::ContainerState_Name(container.state()), "CONTAINER_STATE_"));
  if (container.state() == v1::CONTAINER_STATE_EXITED) {
    absl::StrAppend(&text, " with ", container.exit_code());
  } else if (container.health() != v1::CONTAINER_HEALTH_NONE) {
    absl::StrAppend(&text, ", ",
                    word(v1::ContainerHealth_Name(container.health()), "CONTAINER_HEALTH_"));
  }
  return text;
}

std::string WhyText(const v1::ResourceStatus& status) {
  std::string text = PrintableLines(status.reason(), kContinuation.substr(0, 12));
  for (const v1::Problem& problem : status.problems()) {
    absl::StrAppend(&text, text.empty() ? "" : "\n            ", PlaceOf(problem), " ",
                    MessageOf(problem));
  }
  if (!status.log_tail().empty()) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", "last lines:\n", kContinuation,
                    PrintableLines(status.log_tail(), kContinuation));
  }
  return text;
}

// Of what is made here the newest: "1.2.3, api:1.2.3 of 4f2a91c".
std::string WantedOf(const v1::ResourceView& view) {
  if (view.has_build()) {
    const v1::Version& version = view.build().version();
    const bool versioned = version.major() + version.minor() + version.patch() > 0;
    return absl::StrCat(
        versioned ? absl::StrCat(version.major(), ".", version.minor(), ".", version.patch(), ", ")
                  : "",
        view.build().image(), view.build().commit().empty() ? "" : " of ",
        ShortRevision(view.build().commit()));
  }
  if (view.has_repo()) {
    return absl::StrCat(ShortRevision(view.repo().commit()), " in ", view.repo().directory());
  }
  return view.status().wanted();
}

std::string BuildText(const v1::BuildRecord& build, const TextOptions& options) {
  std::string text = FormatMoment(base::FromProto(build.built_at()), options);
  absl::StrAppend(&text, " on ", Printable(build.server()), " in ",
                  FormatSpan(base::FromProto(build.took())));
  if (!build.subject().empty()) {
    absl::StrAppend(&text, ", of ", ShortRevision(build.commit()), " \"",
                    Printable(build.subject()), "\"");
  }
  return absl::StrCat(text, ", by run/", Printable(build.run_id()),
                      build.pushed() ? "" : "; pushed nowhere");
}

std::string HoldText(const v1::Hold& hold, const TextOptions& options) {
  std::string text =
      absl::StrCat(hold.kind() == v1::Hold::KIND_PAUSE ? "paused by " : "stopped by ",
                   Printable(hold.who()), " ", FormatMoment(base::FromProto(hold.at()), options));
  if (!hold.why().empty()) absl::StrAppend(&text, ": ", Printable(hold.why()));
  if (hold.has_expires_at()) {
    absl::StrAppend(&text, "; until ", FormatMoment(base::FromProto(hold.expires_at()), options));
  }
  return text;
}

// Newest first, one line each.
std::string RenderHistory(const v1::GetResourceResponse& response, const TextOptions& options) {
  Table table("", 2);
  int lines = 0;
  for (auto it = response.history().rbegin();
       it != response.history().rend() && lines < kHistoryLines; ++it, ++lines) {
    table.AddRow({{FormatMoment(base::FromProto(it->at()), options)},
                  {Printable(it->type()), it->warning() ? Color::kYellow : Color::kNone},
                  {Printable(it->message())}});
  }
  return absl::StrJoin(table.RenderRows(options.painter), "\n            ");
}

std::string SyncText(const v1::SyncStatus& sync, const TextOptions& options) {
  std::string text = Printable(sync.state());
  if (!sync.revision().empty()) absl::StrAppend(&text, " at ", ShortRevision(sync.revision()));
  if (!sync.subject().empty()) absl::StrAppend(&text, " \"", Printable(sync.subject()), "\"");
  return absl::StrCat(text, ", fetched ",
                      FormatAge(base::FromProto(sync.last_fetch()), options.now));
}

std::string ServerText(const v1::ServerStatus& server, const TextOptions& options) {
  std::string text = Printable(server.state());
  if (!server.engine().version().empty()) {
    absl::StrAppend(&text, ", ", Printable(server.engine().name()), " ",
                    Printable(server.engine().version()));
  }
  if (!server.agent_version().empty()) {
    absl::StrAppend(&text, ", agent ", Printable(server.agent_version()));
  }
  return absl::StrCat(text, ", seen ", FormatAge(base::FromProto(server.last_seen()), options.now));
}

}  // namespace

std::string RenderResources(const v1::ListResourcesResponse& list, const TextOptions& options) {
  if (list.resources().empty()) return "No such resources.\n";
  Table table;
  table.AddRow({{"RESOURCE"}, {"STATE"}, {"SERVER"}, {"REVISION"}, {"SINCE"}, {"WANTED"}});
  for (const v1::ResourceView& view : list.resources()) {
    const v1::ResourceStatus& status = view.status();
    table.AddRow(
        {{Printable(status.resource())},
         {ConditionName(status.condition()), ConditionColor(status.condition())},
         {status.server().empty() ? "-" : Printable(status.server())},
         {RevisionOf(status)},
         {status.has_since() ? FormatAge(base::FromProto(status.since()), options.now) : "-"},
         {Printable(WantedOf(view))}});
  }
  return table.Render(options.painter);
}

std::string RenderDescription(const v1::GetResourceResponse& response, const TextOptions& options) {
  const v1::ResourceView& view = response.resource();
  const v1::ResourceStatus& status = view.status();
  std::string head = Printable(status.resource());
  if (!status.server().empty()) absl::StrAppend(&head, " on ", Printable(status.server()));
  std::string state = ConditionName(status.condition());
  const std::string since =
      status.has_since()
          ? absl::StrCat(" since ", FormatMoment(base::FromProto(status.since()), options))
          : "";
  const std::size_t gap = head.size() < 58 ? 60 - head.size() : 2;
  std::string text =
      absl::StrCat(options.painter.Paint(Color::kBold, head), std::string(gap, ' '),
                   options.painter.Paint(ConditionColor(status.condition()), state), since, "\n");

  absl::StrAppend(&text, Row("wanted", WantedText(status)), Row("running", RunningText(response)),
                  Row("why", WhyText(status)));
  if (status.has_hold()) absl::StrAppend(&text, Row("hold", HoldText(status.hold(), options)));
  absl::StrAppend(&text, Row("next", Printable(status.next())));
  if (view.has_build()) absl::StrAppend(&text, Row("built", BuildText(view.build(), options)));
  if (view.has_build()) {
    absl::StrAppend(&text, Row("images", absl::StrJoin(view.build().references(), ", ",
                                                       [](std::string* out, const auto& image) {
                                                         out->append(Printable(image));
                                                       })));
  }
  if (view.has_sync()) absl::StrAppend(&text, Row("sync", SyncText(view.sync(), options)));
  if (view.has_server()) absl::StrAppend(&text, Row("server", ServerText(view.server(), options)));
  if (!status.file().empty()) {
    absl::StrAppend(&text,
                    Row("declared", absl::StrCat(Printable(status.file()), ":", status.line(), " (",
                                                 Printable(status.origin()), ")")));
  }
  std::vector<std::string> containers;
  for (const v1::Container& container : response.containers()) {
    containers.push_back(ContainerText(container));
  }
  absl::StrAppend(&text, Row("container", absl::StrJoin(containers, "; ")),
                  Row("history", RenderHistory(response, options)));
  return text;
}

std::string RenderEvent(const v1::Event& event, const TextOptions& options) {
  const std::string subject = event.resource().empty() ? event.server() : event.resource();
  std::string text = absl::StrCat(FormatMoment(base::FromProto(event.at()), options), "  ",
                                  Printable(subject), subject.empty() ? "" : "  ");
  absl::StrAppend(&text, options.painter.Paint(event.warning() ? Color::kYellow : Color::kNone,
                                               Printable(event.type())));
  if (!event.message().empty()) absl::StrAppend(&text, "  ", Printable(event.message()));
  return text;
}

}  // namespace fairlead::cli
