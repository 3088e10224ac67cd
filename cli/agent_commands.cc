// fairlead agent token, list, revoke and rotate.
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/proto_time.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/render/text.h"

namespace fairlead::cli {
namespace {

Color ColorOf(const std::string& state) {
  if (state == "online") return Color::kGreen;
  return state == "offline" ? Color::kYellow : Color::kRed;
}

std::string RenderAgents(const v1::ListAgentsResponse& list, const TextOptions& options) {
  if (list.agents().empty()) {
    return "no agents; \"fairlead agent token\" lets the first one join\n";
  }
  Table table;
  table.AddRow({{"SERVER"}, {"STATE"}, {"VERSION"}, {"CERTIFICATE"}, {"UNTIL"}, {"FROM"}, {""}});
  for (const v1::AgentView& agent : list.agents()) {
    const bool own = !agent.serial().empty();
    table.AddRow({{Printable(agent.server())},
                  {Printable(agent.state()), ColorOf(agent.state())},
                  {agent.version().empty() ? "-" : Printable(agent.version())},
                  {own ? Printable(agent.serial().substr(0, 12)) : "-"},
                  {own ? FormatMoment(base::FromProto(agent.not_after()), options) : "-"},
                  {agent.address().empty() ? "-" : Printable(agent.address())},
                  {agent.rotating() ? "to be renewed" : Printable(agent.reason())}});
  }
  return table.Render(options.painter);
}

}  // namespace

absl::StatusOr<int> RunAgentToken(Session& session, const AgentTokenOptions& options) {
  if (!options.server.empty() && !options.tag.empty()) {
    return absl::InvalidArgumentError("--server and --tag exclude each other");
  }
  v1::CreateTokenRequest request;
  request.set_server(options.server);
  request.set_tag(options.tag);
  request.set_multi_use(options.multi_use);
  ASSIGN_OR_RETURN(const absl::Duration span, ParseSpan("--expires", options.expires));
  *request.mutable_expires_in() = base::ToProto(span);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::CreateTokenResponse response, controller->CreateToken(request));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
    return kExitOk;
  }
  // The token alone goes to standard output: a script takes it from there.
  session.Print(absl::StrCat(Printable(response.token()), "\n"));
  session.environment().err
      << "Good for " << (options.multi_use ? "any number of agents" : "one agent")
      << (options.server.empty() ? "" : absl::StrCat(" as ", options.server))
      << (options.tag.empty() ? "" : absl::StrCat(" of servers with the tag ", options.tag))
      << " until " << FormatMoment(base::FromProto(response.expires()), session.text_options())
      << ". It is not shown again. On the host:\n  fairlead-agent --controller HOST:PORT --join "
         "TOKEN"
      << (options.server.empty() ? " --name SERVER" : absl::StrCat(" --name ", options.server))
      << "\n";
  return kExitOk;
}

absl::StatusOr<int> RunAgentList(Session& session, const AgentListOptions& options) {
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::ListAgentsResponse response,
                   controller->ListAgents(v1::ListAgentsRequest()));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
  } else {
    session.Print(RenderAgents(response, session.text_options()));
  }
  return kExitOk;
}

absl::StatusOr<int> RunAgentRevoke(Session& session, const AgentRevokeOptions& options) {
  v1::RevokeAgentRequest request;
  request.set_server(options.server);
  request.set_why(options.why);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::RevokeAgentResponse response, controller->RevokeAgent(request));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
    return kExitOk;
  }
  session.Print(absl::StrCat(
      "revoked ",
      Count(static_cast<uint64_t>(response.revoked_size()), "certificate", "certificates"), " of ",
      Printable(options.server), "; its agent is refused until it joins again\n"));
  return kExitOk;
}

absl::StatusOr<int> RunAgentRotate(Session& session, const AgentRotateOptions& options) {
  if (options.server.empty() != options.all) {
    return absl::InvalidArgumentError("name a server, or give --all");
  }
  v1::RotateAgentsRequest request;
  request.set_server(options.server);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::RotateAgentsResponse response, controller->RotateAgents(request));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
    return kExitOk;
  }
  session.Print(absl::StrCat(
      Count(static_cast<uint64_t>(response.servers_size()), "agent is", "agents are"),
      " asked for a new key: ", Printable(absl::StrJoin(response.servers(), ", ")), "\n"));
  return kExitOk;
}

}  // namespace fairlead::cli
