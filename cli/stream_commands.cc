// fairlead logs and events.
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/render/resource_text.h"
#include "cli/resource_lookup.h"
#include "cli/run_commands.h"

namespace fairlead::cli {
namespace {

// The text itself goes out as the program wrote it, colours included.
std::string LogText(const v1::LogLines::Line& line, bool with_source, bool with_time,
                    const TextOptions& options) {
  std::string text;
  if (with_source) {
    absl::StrAppend(&text, options.painter.Paint(Color::kDim, Printable(line.source())), " | ");
  }
  if (with_time) {
    absl::StrAppend(
        &text,
        absl::FormatTime("%Y-%m-%dT%H:%M:%E3S%Ez", base::FromProto(line.time()), options.zone),
        " ");
  }
  absl::StrAppend(&text, absl::StripSuffix(line.text(), "\n"), "\n");
  return text;
}

absl::Status PrintEvent(Session& session, const v1::Event& event, OutputFormat output) {
  if (output == OutputFormat::kJson) return session.PrintJson(event, JsonStyle::kLine);
  session.Print(absl::StrCat(RenderEvent(event, session.text_options()), "\n"));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int> RunLogs(Session& session, const LogsOptions& options) {
  if (const auto run = RunIdOf(options.resource)) return PrintRunLog(session, *run, options);
  ASSIGN_OR_RETURN(const resources::ResourceId id, FindResource(session, options.resource));
  v1::LogsRequest request;
  request.set_resource(id.ToString());
  request.set_follow(options.follow);
  request.set_tail(options.tail);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  // A deployment is one container: its name on every line would say nothing.
  const bool with_source = id.kind != "deployment";
  RETURN_IF_ERROR(controller->Logs(request, [&](const v1::LogsResponse& response) {
    std::string text;
    for (const v1::LogLines::Line& line : response.lines()) {
      text += LogText(line, with_source, options.timestamps, session.text_options());
    }
    session.Print(text);
  }));
  return kExitOk;
}

absl::StatusOr<int> RunEvents(Session& session, const EventsOptions& options) {
  v1::WatchRequest request;
  if (!options.resource.first.empty()) {
    ASSIGN_OR_RETURN(const resources::ResourceId id, FindResource(session, options.resource));
    request.set_resource(id.ToString());
  }
  request.set_watch(options.watch);
  request.set_tail(options.tail);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  const std::unique_ptr<EventStream> events = controller->Watch(request);
  while (true) {
    v1::WatchResponse item;
    const EventStream::Outcome outcome = events->Next(absl::Hours(1), item);
    if (outcome == EventStream::Outcome::kEnd) break;
    if (outcome == EventStream::Outcome::kItem && item.has_event()) {
      RETURN_IF_ERROR(PrintEvent(session, item.event(), options.output));
    }
  }
  RETURN_IF_ERROR(events->status());
  return kExitOk;
}

}  // namespace fairlead::cli
