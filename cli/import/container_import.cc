#include "cli/import/container_import.h"

#include <algorithm>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

#include "cli/import/inspect_json.h"
#include "cli/import/uncarried.h"
#include "resources/container_spec.h"
#include "resources/field_defaults.h"
#include "resources/field_table.h"
#include "resources/interpolation.h"
#include "resources/key_values.h"
#include "resources/kind_table.h"
#include "resources/shell_words.h"

namespace fairlead::cli {
namespace {

namespace json = boost::json;

// A line of `key`, `separator` and `value` is read back as these two.
bool Survives(const std::string& key, absl::string_view separator, const std::string& value) {
  const auto pairs = resources::ParseKeyValues(absl::StrCat(key, separator, value));
  return pairs.ok() && pairs->size() == 1 && pairs->front() == std::make_pair(key, value);
}

std::string ShellWord(const std::string& word) {
  const bool plain = !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("-_./:=,@%+").find(c) != absl::string_view::npos;
  });
  return plain ? word : absl::StrCat("'", absl::StrReplaceAll(word, {{"'", "'\\''"}}), "'");
}

std::string ShellText(const std::vector<std::string>& words) {
  return absl::StrJoin(words, " ", [](std::string* out, const std::string& word) {
    absl::StrAppend(out, ShellWord(word));
  });
}

// Sets an enum field by the text that TOML has for it. False when there is no such value.
bool SetEnumByText(v1::Deployment* deployment, const char* key, const std::string& text) {
  const resources::Field* field = resources::FieldsOf(v1::Deployment::descriptor()).Find(key);
  for (const resources::EnumText& value : field->values) {
    if (value.text != text) continue;
    deployment->GetReflection()->SetEnumValue(deployment, field->descriptor, value.number);
    return true;
  }
  return false;
}

// "SIGINT" of "INT", "2" or "SIGINT".
std::string SignalName(std::string signal) {
  static const std::pair<absl::string_view, absl::string_view> kNumbers[] = {
      {"1", "HUP"}, {"2", "INT"}, {"3", "QUIT"}, {"15", "TERM"}};
  for (const auto& [number, name] : kNumbers) {
    if (signal == number) signal = std::string(name);
  }
  return absl::StartsWith(signal, "SIG") ? signal : absl::StrCat("SIG", signal);
}

class ContainerImport {
 public:
  ContainerImport(const json::value& container, const json::value& image,
                  const DockerImportOptions& options)
      : container_(container),
        image_(image),
        options_(options),
        name_(absl::StripPrefix(TextAt(container, "/Name"), "/")) {}

  ImportedContainer Run() && {
    result_.deployment =
        resources::DefaultResource(*resources::FindKind("deployment"), v1::DIALECT_TOML);
    result_.deployment.set_name(name_);
    deployment_ = result_.deployment.mutable_deployment();
    result_.uncarried = FindUncarried(container_, image_);
    SetBasics();
    SetCommand();
    SetEnvironment();
    SetLabels();
    SetPorts();
    SetVolumes();
    Check();
    return std::move(result_);
  }

 private:
  void SetBasics() {
    if (resources::DockerNameOf(result_.deployment) != name_) deployment_->set_custom_name(name_);
    deployment_->set_server_id(options_.server);
    deployment_->mutable_image()->mutable_image()->set_image(TextAt(container_, "/Config/Image"));
    const std::string mode = TextAt(container_, "/HostConfig/NetworkMode");
    // Another container's network is told of by FindUncarried.
    const bool is_own = !mode.empty() && mode != "default" && !absl::StartsWith(mode, "container:");
    if (is_own) deployment_->set_network(mode);
    const std::string policy = TextAt(container_, "/HostConfig/RestartPolicy/Name");
    if (!SetEnumByText(deployment_, "restart", policy.empty() ? "no" : policy)) {
      result_.uncarried.push_back("HostConfig.RestartPolicy");
    }
    const std::string signal = TextAt(container_, "/Config/StopSignal");
    if (!signal.empty() && !SetEnumByText(deployment_, "termination_signal", SignalName(signal))) {
      result_.uncarried.push_back("Config.StopSignal");
    }
    const json::value* timeout = At(container_, "/Config/StopTimeout");
    if (timeout != nullptr && timeout->is_int64() && timeout->get_int64() > 0) {
      deployment_->set_termination_timeout(static_cast<int32_t>(timeout->get_int64()));
    }
  }

  void SetCommand() {
    const std::vector<std::string> command = TextsAt(container_, "/Config/Cmd");
    if (command == TextsAt(image_, "/Config/Cmd")) return;
    const std::string text = ShellText(command);
    const auto again = resources::SplitShellWords(text);
    if (command.empty() || !again.ok() || *again != command || !IsTakenAsIs(text)) {
      result_.uncarried.push_back("Config.Cmd");
      return;
    }
    deployment_->set_command(text);
  }

  void SetEnvironment() {
    const std::vector<std::string> of_image = TextsAt(image_, "/Config/Env");
    std::string text;
    for (const std::string& entry : TextsAt(container_, "/Config/Env")) {
      if (std::find(of_image.begin(), of_image.end(), entry) != of_image.end()) continue;
      const std::pair<std::string, std::string> pair =
          absl::StrSplit(entry, absl::MaxSplits('=', 1));
      const std::string value = pair.second.empty() || !LooksSecret(pair.first)
                                    ? pair.second
                                    : SecretValue(pair.first, pair.second);
      const bool is_filled_in = value != pair.second;
      if (!Survives(pair.first, "=", pair.second) || (!is_filled_in && !IsTakenAsIs(value))) {
        result_.uncarried.push_back(absl::StrCat("Config.Env ", pair.first));
        continue;
      }
      absl::StrAppend(&text, pair.first, "=", value, "\n");
    }
    deployment_->set_environment(text);
  }

  // The value itself, or a placeholder for it.
  std::string SecretValue(const std::string& key, const std::string& value) {
    if (!options_.secrets_as_variables) {
      result_.secrets.push_back(key);
      return value;
    }
    v1::Resource& variable = result_.variables.emplace_back(
        resources::DefaultResource(*resources::FindKind("variable"), v1::DIALECT_TOML));
    variable.set_name(absl::StrCat(name_, ".", key));
    variable.set_description(absl::StrCat(key, " of deployment/", name_, "."));
    variable.mutable_variable()->set_is_secret(true);
    variable.mutable_variable()->set_value(value);
    return absl::StrCat("[[", variable.name(), "]]");
  }

  // Nothing in it would be taken for a variable. Without variables of our own no text of the
  // deployment is filled in, so that any text will do.
  bool IsTakenAsIs(const std::string& text) {
    v1::Resource probe = result_.deployment;
    probe.mutable_deployment()->set_skip_secret_interp(false);
    probe.mutable_deployment()->set_command(text);
    if (resources::PlaceholdersOf(probe).empty()) return true;
    if (!options_.secrets_as_variables) deployment_->set_skip_secret_interp(true);
    return !options_.secrets_as_variables;
  }

  void SetLabels() {
    const json::object of_image = ObjectAt(image_, "/Config/Labels");
    std::string text;
    for (const auto& [key, value] : ObjectAt(container_, "/Config/Labels")) {
      const json::value* same = of_image.if_contains(key);
      if (!value.is_string() || (same != nullptr && *same == value)) continue;
      const std::string name(key);
      const std::string label(value.get_string().c_str());
      if (!Survives(name, ": ", label) || !IsTakenAsIs(label)) {
        result_.uncarried.push_back(absl::StrCat("Config.Labels ", name));
        continue;
      }
      absl::StrAppend(&text, name, ": ", label, "\n");
    }
    deployment_->set_labels(text);
  }

  void SetPorts() {
    std::vector<std::string> lines;
    for (const auto& [key, bindings] : ObjectAt(container_, "/HostConfig/PortBindings")) {
      const std::string container_port(absl::StripSuffix(std::string(key), "/tcp"));
      for (const json::value& binding : ArrayAt(bindings, "")) {
        const std::string address = TextAt(binding, "/HostIp");
        const std::string port = TextAt(binding, "/HostPort");
        const bool is_ipv6 = absl::StrContains(address, ":");
        const std::string shown = is_ipv6 ? absl::StrCat("[", address, "]") : address;
        lines.push_back(absl::StrCat(shown.empty() ? "" : absl::StrCat(shown, ":"),
                                     port.empty() ? "0" : port, ": ", container_port, "\n"));
      }
    }
    deployment_->set_ports(absl::StrJoin(lines, ""));
  }

  void SetVolumes() {
    std::string text;
    const auto add = [&](const std::string& source, const std::string& rest) {
      if (Survives(source, ": ", rest) && IsTakenAsIs(source) && IsTakenAsIs(rest)) {
        absl::StrAppend(&text, source, ": ", rest, "\n");
      } else {
        result_.uncarried.push_back(absl::StrCat("HostConfig.Binds ", source));
      }
    };
    for (const std::string& bind : TextsAt(container_, "/HostConfig/Binds")) {
      const std::pair<std::string, std::string> parts =
          absl::StrSplit(bind, absl::MaxSplits(':', 1));
      add(parts.first, parts.second);
    }
    for (const json::value& mount : ArrayAt(container_, "/HostConfig/Mounts")) {
      const std::string source = TextAt(mount, "/Source");
      const std::string type = TextAt(mount, "/Type");
      if (source.empty() || (type != "bind" && type != "volume")) continue;
      add(source,
          absl::StrCat(TextAt(mount, "/Target"), IsNothing(At(mount, "/ReadOnly")) ? "" : ":ro"));
    }
    deployment_->set_volumes(text);
    for (const auto& [path, unused] : ObjectAt(image_, "/Config/Volumes")) {
      const std::string target(path);
      if (MountsAt(target)) continue;
      result_.cares.push_back(
          absl::StrCat(target, " is a volume without a name: a recreate starts with an empty one"));
    }
  }

  // By a bind or a named volume.
  bool MountsAt(const std::string& target) {
    const auto spec = resources::ContainerSpecOf(result_.deployment);
    return spec.ok() && std::any_of(spec->mounts().begin(), spec->mounts().end(),
                                    [&](const auto& mount) { return mount.target() == target; });
  }

  void Check() {
    const auto spec = resources::ContainerSpecOf(result_.deployment);
    if (!spec.ok()) result_.uncarried.emplace_back(spec.status().message());
    std::sort(result_.uncarried.begin(), result_.uncarried.end());
    result_.deployment.set_adopt(result_.uncarried.empty());
  }

  const json::value& container_;
  const json::value& image_;
  const DockerImportOptions& options_;
  const std::string name_;
  ImportedContainer result_;
  v1::Deployment* deployment_ = nullptr;
};

}  // namespace

ImportedContainer ImportContainer(const json::value& container, const json::value& image,
                                  const DockerImportOptions& options) {
  return ContainerImport(container, image, options).Run();
}

bool LooksSecret(absl::string_view name) {
  const std::string upper = absl::AsciiStrToUpper(name);
  // The value of NAME_FILE is a path.
  if (absl::EndsWith(upper, "_FILE")) return false;
  const std::vector<std::string> words = absl::StrSplit(upper, absl::ByAnyChar("_.-"));
  for (const char* word : {"KEY", "PASS", "PASSPHRASE", "CREDENTIALS"}) {
    if (std::find(words.begin(), words.end(), word) != words.end()) return true;
  }
  for (const char* part : {"PASSWORD", "PASSWD", "TOKEN", "SECRET", "APIKEY"}) {
    if (absl::StrContains(upper, part)) return true;
  }
  return false;
}

}  // namespace fairlead::cli
