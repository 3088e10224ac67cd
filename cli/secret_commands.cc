#include "cli/secret_commands.h"

#include <istream>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/proto_time.h"
#include "base/status.h"

namespace fairlead::cli {
namespace {

// "a, b" or "nothing".
template <typename Names>
std::string UsersText(const Names& names) {
  if (names.empty()) return "nothing";
  return absl::StrJoin(names, ", ", [](std::string* out, const std::string& name) {
    absl::StrAppend(out, Printable(name));
  });
}

}  // namespace

absl::StatusOr<int> RunSecretSet(Session& session, const SecretOptions& options) {
  std::istream& in = session.environment().in;
  std::string value((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (absl::EndsWith(value, "\n")) value.pop_back();
  if (absl::EndsWith(value, "\r")) value.pop_back();
  if (value.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("standard input is empty; give the value there: fairlead secret set ",
                     options.name, " < FILE"));
  }
  v1::SetSecretRequest request;
  request.set_name(options.name);
  request.set_value(std::move(value));
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::SetSecretResponse response, controller->SetSecret(request));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
  } else {
    session.Print(absl::StrCat(Printable(options.name), " is set, version ", response.version(),
                               "; it goes into ", UsersText(response.used_by()), "\n"));
  }
  return kExitOk;
}

absl::StatusOr<int> RunSecretList(Session& session, const SecretOptions& options) {
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::ListSecretsResponse response,
                   controller->ListSecrets(v1::ListSecretsRequest()));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
    return kExitOk;
  }
  const TextOptions text = session.text_options();
  const std::string problem =
      response.key_problem().empty()
          ? ""
          : text.painter.Paint(Color::kRed, Printable(response.key_problem())) + "\n";
  if (response.secrets().empty()) {
    session.Print(problem.empty() ? "no secret is set; fairlead secret set NAME < FILE\n"
                                  : "no secret is set\n" + problem);
    return kExitOk;
  }
  Table table;
  table.AddRow({{"NAME"}, {"FROM"}, {"SET"}, {"BY"}, {"VERSION"}, {"GOES INTO"}, {"PROBLEM"}});
  for (const v1::ListSecretsResponse::Secret& secret : response.secrets()) {
    const bool is_here = secret.from().empty();
    table.AddRow({{Printable(secret.name())},
                  {is_here ? "the controller" : Printable(secret.from())},
                  {is_here ? FormatMoment(base::FromProto(secret.set_at()), text) : "-"},
                  {is_here ? Printable(secret.set_by()) : "-"},
                  {is_here ? absl::StrCat(secret.version()) : "-"},
                  {UsersText(secret.used_by())},
                  {Printable(secret.problem()), Color::kRed}});
  }
  session.Print(table.Render(text.painter) + problem);
  return kExitOk;
}

absl::StatusOr<int> RunSecretRemove(Session& session, const SecretOptions& options) {
  v1::RemoveSecretRequest request;
  request.set_name(options.name);
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::RemoveSecretResponse response, controller->RemoveSecret(request));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
  } else {
    session.Print(absl::StrCat(Printable(options.name), " is removed; it went into ",
                               UsersText(response.used_by()), "\n"));
  }
  return kExitOk;
}

absl::StatusOr<int> RunSecretRotate(Session& session, const SecretOptions& options) {
  ASSIGN_OR_RETURN(ControllerClient* const controller, session.Controller());
  ASSIGN_OR_RETURN(const v1::RotateSecretKeyResponse response,
                   controller->RotateSecretKey(v1::RotateSecretKeyRequest()));
  if (options.output == OutputFormat::kJson) {
    RETURN_IF_ERROR(session.PrintJson(response));
  } else {
    session.Print(absl::StrCat(response.secrets(), " secrets are encrypted with the new key ",
                               Printable(response.key_id()), "\n"));
  }
  return kExitOk;
}

}  // namespace fairlead::cli
