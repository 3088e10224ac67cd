#include "resources/run_flags.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "base/status.h"
#include "resources/run_flag_readers.h"
#include "resources/run_values.h"
#include "resources/shell_words.h"
#include "resources/spelling.h"

namespace fairlead::resources {
namespace {

using Reader = absl::Status (*)(const std::string& value, Filling& filling);

enum class Form {
  // --flag, --flag=false.
  kSwitch,
  // Taken as it is; the last one counts.
  kText,
  kNumber,
  kBytes,
  // -1 is no limit.
  kBytesOrNone,
  // Each is one more element.
  kList,
  // KEY=VALUE; each is one more.
  kPairs,
  // By a function of its own, with a value.
  kOwn,
  // A switch by a function of its own.
  kOwnSwitch,
  // Says what holds anyway.
  kAlways,
  // Not taken, as a value or a switch; `target` says why and what to do.
  kRefused,
  kRefusedSwitch,
};

struct RunFlag {
  absl::string_view name;
  // 0: none.
  char letter;
  Form form;
  // Of the create request, separated by dots.
  absl::string_view target;
  Reader read = nullptr;
};

// ---- the table ----

constexpr absl::string_view kNoShell = "there is no terminal: Fairlead starts it in the background";
constexpr absl::string_view kClientFile =
    "docker's command line reads that file where it runs; put the lines into the deployment";

// By name.
constexpr RunFlag kFlags[] = {
    {"add-host", 0, Form::kOwn, "", ReadHost},
    {"annotation", 0, Form::kPairs, "HostConfig.Annotations"},
    {"attach", 'a', Form::kRefused, kNoShell},
    {"blkio-weight", 0, Form::kNumber, "HostConfig.BlkioWeight"},
    {"blkio-weight-device", 0, Form::kOwn, "", ReadWeightDevice},
    {"cap-add", 0, Form::kList, "HostConfig.CapAdd"},
    {"cap-drop", 0, Form::kList, "HostConfig.CapDrop"},
    {"cgroup-parent", 0, Form::kText, "HostConfig.CgroupParent"},
    {"cgroupns", 0, Form::kText, "HostConfig.CgroupnsMode"},
    {"cidfile", 0, Form::kRefused, "the id is shown by: fairlead describe"},
    {"cpu-period", 0, Form::kNumber, "HostConfig.CpuPeriod"},
    {"cpu-quota", 0, Form::kNumber, "HostConfig.CpuQuota"},
    {"cpu-rt-period", 0, Form::kNumber, "HostConfig.CpuRealtimePeriod"},
    {"cpu-rt-runtime", 0, Form::kNumber, "HostConfig.CpuRealtimeRuntime"},
    {"cpu-shares", 'c', Form::kNumber, "HostConfig.CpuShares"},
    {"cpus", 0, Form::kOwn, "", ReadCpus},
    {"cpuset-cpus", 0, Form::kText, "HostConfig.CpusetCpus"},
    {"cpuset-mems", 0, Form::kText, "HostConfig.CpusetMems"},
    {"detach", 'd', Form::kAlways, ""},
    {"detach-keys", 0, Form::kRefused, kNoShell},
    {"device", 0, Form::kOwn, "", ReadDeviceFlag},
    {"device-cgroup-rule", 0, Form::kList, "HostConfig.DeviceCgroupRules"},
    {"device-read-bps", 0, Form::kOwn, "", ReadReadBps},
    {"device-read-iops", 0, Form::kOwn, "", ReadReadIops},
    {"device-write-bps", 0, Form::kOwn, "", ReadWriteBps},
    {"device-write-iops", 0, Form::kOwn, "", ReadWriteIops},
    {"disable-content-trust", 0, Form::kAlways, ""},
    {"dns", 0, Form::kList, "HostConfig.Dns"},
    {"dns-opt", 0, Form::kList, "HostConfig.DnsOptions"},
    {"dns-option", 0, Form::kList, "HostConfig.DnsOptions"},
    {"dns-search", 0, Form::kList, "HostConfig.DnsSearch"},
    {"domainname", 0, Form::kText, "Domainname"},
    {"entrypoint", 0, Form::kOwn, "", ReadEntrypoint},
    {"env", 'e', Form::kOwn, "", ReadEnv},
    {"env-file", 0, Form::kRefused, kClientFile},
    {"expose", 0, Form::kOwn, "", ReadExpose},
    {"gpus", 0, Form::kOwn, "", ReadGpusFlag},
    {"group-add", 0, Form::kList, "HostConfig.GroupAdd"},
    {"health-cmd", 0, Form::kOwn, "", ReadHealthCommand},
    {"health-interval", 0, Form::kOwn, "", ReadHealthInterval},
    {"health-retries", 0, Form::kOwn, "", ReadHealthRetries},
    {"health-start-interval", 0, Form::kRefused,
     "engines before 25 do not know it; use --health-interval"},
    {"health-start-period", 0, Form::kOwn, "", ReadHealthStart},
    {"health-timeout", 0, Form::kOwn, "", ReadHealthTimeout},
    {"help", 0, Form::kRefusedSwitch, "nothing is run here"},
    {"hostname", 'h', Form::kText, "Hostname"},
    {"init", 0, Form::kSwitch, "HostConfig.Init"},
    {"interactive", 'i', Form::kSwitch, "OpenStdin"},
    {"ip", 0, Form::kOwn, "", ReadIp},
    {"ip6", 0, Form::kOwn, "", ReadIp6},
    {"ipc", 0, Form::kText, "HostConfig.IpcMode"},
    {"isolation", 0, Form::kText, "HostConfig.Isolation"},
    {"kernel-memory", 0, Form::kBytes, "HostConfig.KernelMemory"},
    {"label", 'l', Form::kOwn, "", ReadLabel},
    {"label-file", 0, Form::kRefused, kClientFile},
    {"link", 0, Form::kList, "HostConfig.Links"},
    {"log-driver", 0, Form::kText, "HostConfig.LogConfig.Type"},
    {"log-opt", 0, Form::kPairs, "HostConfig.LogConfig.Config"},
    {"mac-address", 0, Form::kText, "MacAddress"},
    {"memory", 'm', Form::kBytes, "HostConfig.Memory"},
    {"memory-reservation", 0, Form::kBytes, "HostConfig.MemoryReservation"},
    {"memory-swap", 0, Form::kBytesOrNone, "HostConfig.MemorySwap"},
    {"memory-swappiness", 0, Form::kNumber, "HostConfig.MemorySwappiness"},
    {"mount", 0, Form::kOwn, "", ReadMountFlag},
    {"name", 0, Form::kRefused, "use custom_name"},
    {"net", 0, Form::kRefused, "use network"},
    {"net-alias", 0, Form::kOwn, "", ReadAlias},
    {"network", 0, Form::kRefused, "use network"},
    {"network-alias", 0, Form::kOwn, "", ReadAlias},
    {"no-healthcheck", 0, Form::kOwnSwitch, "", ReadNoHealthcheck},
    {"oom-kill-disable", 0, Form::kSwitch, "HostConfig.OomKillDisable"},
    {"oom-score-adj", 0, Form::kNumber, "HostConfig.OomScoreAdj"},
    {"pid", 0, Form::kText, "HostConfig.PidMode"},
    {"pids-limit", 0, Form::kNumber, "HostConfig.PidsLimit"},
    {"platform", 0, Form::kRefused, "the image is taken for the platform of the host"},
    {"privileged", 0, Form::kSwitch, "HostConfig.Privileged"},
    {"publish", 'p', Form::kOwn, "", ReadPublish},
    {"publish-all", 'P', Form::kSwitch, "HostConfig.PublishAllPorts"},
    {"pull", 0, Form::kRefused, "use pull"},
    {"quiet", 'q', Form::kAlways, ""},
    {"read-only", 0, Form::kSwitch, "HostConfig.ReadonlyRootfs"},
    {"restart", 0, Form::kRefused, "use restart"},
    {"rm", 0, Form::kRefusedSwitch,
     "a container that removes itself would be made again; use restart = \"no\", and what has "
     "ended with 0 is left alone"},
    {"runtime", 0, Form::kText, "HostConfig.Runtime"},
    {"security-opt", 0, Form::kOwn, "", ReadSecurity},
    {"shm-size", 0, Form::kBytes, "HostConfig.ShmSize"},
    {"sig-proxy", 0, Form::kRefusedSwitch, kNoShell},
    {"stop-signal", 0, Form::kRefused, "use termination_signal"},
    {"stop-timeout", 0, Form::kRefused, "use termination_timeout"},
    {"storage-opt", 0, Form::kPairs, "HostConfig.StorageOpt"},
    {"sysctl", 0, Form::kPairs, "HostConfig.Sysctls"},
    {"tmpfs", 0, Form::kOwn, "", ReadTmpfs},
    {"tty", 't', Form::kSwitch, "Tty"},
    {"ulimit", 0, Form::kOwn, "", ReadUlimitFlag},
    {"user", 'u', Form::kText, "User"},
    {"userns", 0, Form::kText, "HostConfig.UsernsMode"},
    {"uts", 0, Form::kText, "HostConfig.UTSMode"},
    {"volume", 'v', Form::kOwn, "", ReadVolume},
    {"volume-driver", 0, Form::kText, "HostConfig.VolumeDriver"},
    {"volumes-from", 0, Form::kList, "HostConfig.VolumesFrom"},
    {"workdir", 'w', Form::kText, "WorkingDir"},
};

// ---- reading a command line ----

bool IsSwitch(const RunFlag& flag) {
  return flag.form == Form::kSwitch || flag.form == Form::kOwnSwitch ||
         flag.form == Form::kAlways || flag.form == Form::kRefusedSwitch;
}

const RunFlag* FindByName(absl::string_view name) {
  const auto* found = std::find_if(std::begin(kFlags), std::end(kFlags),
                                   [&](const RunFlag& flag) { return flag.name == name; });
  return found == std::end(kFlags) ? nullptr : found;
}

const RunFlag* FindByLetter(char letter) {
  const auto* found = std::find_if(std::begin(kFlags), std::end(kFlags), [&](const RunFlag& flag) {
    return flag.letter == letter && letter != 0;
  });
  return found == std::end(kFlags) ? nullptr : found;
}

absl::Status Unknown(absl::string_view word) {
  std::vector<std::string> known;
  for (const RunFlag& flag : kFlags) known.push_back(absl::StrCat("--", flag.name));
  const std::string hint = DidYouMean(word, known);
  return absl::InvalidArgumentError(absl::StrCat("\"", word,
                                                 "\" is no flag of docker run that Fairlead knows",
                                                 hint.empty() ? "" : "; ", hint));
}

absl::Status Set(const RunFlag& flag, const std::string& value, Filling& filling) {
  switch (flag.form) {
    case Form::kAlways:
      return absl::OkStatus();
    case Form::kRefused:
    case Form::kRefusedSwitch:
      return absl::InvalidArgumentError(flag.target);
    case Form::kOwn:
    case Form::kOwnSwitch:
      return flag.read(value, filling);
    case Form::kSwitch: {
      ASSIGN_OR_RETURN(const bool on, ParseSwitch(value));
      PlaceIn(filling.spec, flag.target) = SwitchValue(on);
      return absl::OkStatus();
    }
    case Form::kNumber: {
      ASSIGN_OR_RETURN(const int64_t number, ParseInteger(value));
      PlaceIn(filling.spec, flag.target) = NumberValue(number);
      return absl::OkStatus();
    }
    case Form::kBytes:
    case Form::kBytesOrNone: {
      int64_t bytes = -1;
      if (flag.form == Form::kBytes || value != "-1") {
        ASSIGN_OR_RETURN(bytes, ParseBytes(value));
      }
      PlaceIn(filling.spec, flag.target) = NumberValue(bytes);
      return absl::OkStatus();
    }
    case Form::kList:
      if (value.empty()) return absl::InvalidArgumentError("needs a value");
      AddTo(filling.spec, flag.target, TextValue(value));
      return absl::OkStatus();
    case Form::kPairs: {
      const std::size_t equals = value.find('=');
      if (equals == std::string::npos || equals == 0) {
        return absl::InvalidArgumentError(absl::StrCat("\"", value, "\" is not KEY=VALUE"));
      }
      (*PlaceIn(filling.spec, flag.target).mutable_struct_value()->mutable_fields())[value.substr(
          0, equals)] = TextValue(value.substr(equals + 1));
      return absl::OkStatus();
    }
    case Form::kText:
      PlaceIn(filling.spec, flag.target) = TextValue(value);
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

// Words in order, one flag after the other.
class CommandLine {
 public:
  CommandLine(std::vector<std::string> words, Filling& filling)
      : words_(std::move(words)), filling_(filling) {}

  absl::Status Apply() {
    while (at_ < words_.size()) {
      const std::string word = words_[at_++];
      if (absl::StartsWith(word, "--") && word.size() > 2) {
        RETURN_IF_ERROR(ApplyLong(word));
      } else if (absl::StartsWith(word, "-") && word.size() > 1 && word != "--") {
        RETURN_IF_ERROR(ApplyShort(word));
      } else {
        return absl::InvalidArgumentError(absl::StrCat(
            "\"", word,
            "\" belongs to no flag; the image goes to image, its arguments to command"));
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ApplyLong(const std::string& word) {
    const std::size_t equals = word.find('=');
    const std::string shown = word.substr(0, equals);
    const RunFlag* flag = FindByName(absl::string_view(shown).substr(2));
    if (flag == nullptr) return Unknown(shown);
    std::optional<std::string> value;
    if (equals != std::string::npos) value = word.substr(equals + 1);
    return ApplyFlag(*flag, shown, std::move(value));
  }

  // "-p", "-p80:80", "-p=80:80", and switches together: "-it".
  absl::Status ApplyShort(const std::string& word) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      const std::string shown = {'-', word[i]};
      const RunFlag* flag = FindByLetter(word[i]);
      if (flag == nullptr) return Unknown(shown);
      std::string rest = word.substr(i + 1);
      const bool assigned = absl::StartsWith(rest, "=");
      if (IsSwitch(*flag) && !assigned) {
        RETURN_IF_ERROR(ApplyFlag(*flag, shown, std::nullopt));
        continue;
      }
      std::optional<std::string> value;
      if (!rest.empty()) value = assigned ? rest.substr(1) : rest;
      return ApplyFlag(*flag, shown, std::move(value));
    }
    return absl::OkStatus();
  }

  absl::Status ApplyFlag(const RunFlag& flag, const std::string& shown,
                         std::optional<std::string> value) {
    if (!value && IsSwitch(flag)) value = "true";
    if (!value && flag.form != Form::kRefused) {
      if (at_ == words_.size() || IsFlag(words_[at_])) {
        return absl::InvalidArgumentError(absl::StrCat(shown, ": needs a value"));
      }
      value = words_[at_++];
    }
    return base::Annotate(Set(flag, value.value_or(""), filling_), shown);
  }

  static bool IsFlag(const std::string& word) {
    return absl::StartsWith(word, "--") &&
           FindByName(absl::string_view(word).substr(2, word.find('=') - 2)) != nullptr;
  }

  const std::vector<std::string> words_;
  std::size_t at_ = 0;
  Filling& filling_;
};

}  // namespace

absl::Status ApplyRunFlags(const google::protobuf::RepeatedPtrField<std::string>& args,
                           v1::ContainerSpec* spec) {
  std::vector<std::string> words;
  for (const std::string& arg : args) {
    ASSIGN_OR_RETURN(std::vector<std::string> more, SplitShellWords(arg),
                     absl::StrCat("\"", arg, "\""));
    words.insert(words.end(), more.begin(), more.end());
  }
  Filling filling{*spec, spec->has_healthcheck()};
  return CommandLine(std::move(words), filling).Apply();
}

}  // namespace fairlead::resources
