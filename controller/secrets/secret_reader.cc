#include "controller/secrets/secret_reader.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

#include "base/log.h"

namespace fairlead::secrets {
namespace {

constexpr int kWorkers = 2;
constexpr absl::Duration kFirstRetry = absl::Seconds(2);
// A `from` that nobody can answer is looked at again when it is declared otherwise.
constexpr absl::Duration kNever = absl::Hours(24 * 365);

}  // namespace

SecretReader::SecretReader(
    Providers providers, base::Clock& clock, std::function<void(resources::Variables)> on_values,
    std::function<void(const std::string& variable, const std::string& why)> on_problem)
    : providers_(std::move(providers)),
      on_values_(std::move(on_values)),
      on_problem_(std::move(on_problem)),
      queue_(clock, kWorkers, [this](const std::string& from) { Work(from); }) {}

SecretReader::~SecretReader() { Shutdown(); }

void SecretReader::Shutdown() { queue_.Shutdown(); }

void SecretReader::Follow(const std::map<std::string, std::string>& variables) {
  base::MutexLock turn(publishing_);
  std::vector<std::string> begin;
  resources::Variables values;
  {
    base::MutexLock lock(mutex_);
    if (variables == variables_) return;
    variables_ = variables;
    std::set<std::string> wanted;
    for (const auto& [name, from] : variables_) wanted.insert(from);
    std::erase_if(sources_, [&](const auto& at) {
      if (wanted.contains(at.first)) return false;
      queue_.Remove(at.first);
      return true;
    });
    for (const std::string& from : wanted) {
      if (sources_.emplace(from, Source()).second) begin.push_back(from);
    }
    values = ValuesLocked();
  }
  on_values_(std::move(values));
  for (const std::string& from : begin) queue_.Add(from);
}

void SecretReader::Work(const std::string& from) {
  absl::Duration refresh = kNever;
  const absl::StatusOr<std::string> read = Ask(from, &refresh);
  const absl::Duration next = Note(from, read, refresh);
  if (next > absl::ZeroDuration()) queue_.Add(from, next);
}

absl::Duration SecretReader::Note(const std::string& from, const absl::StatusOr<std::string>& read,
                                  absl::Duration refresh) {
  base::MutexLock turn(publishing_);
  std::vector<std::string> concerned;
  std::string error;
  resources::Variables values;
  bool changed = false;
  {
    base::MutexLock lock(mutex_);
    const auto found = sources_.find(from);
    // Nobody wants it any more.
    if (found == sources_.end()) return absl::ZeroDuration();
    Source& source = found->second;
    if (read.ok()) {
      changed = !source.has_value || source.value != *read;
      source = {.has_value = true, .value = *read};
    } else {
      error = std::string(read.status().message());
      const bool is_news = error != source.error;
      changed = is_news && !source.has_value;
      source.error = error;
      // The shift ends where the refresh does.
      refresh = std::min(refresh, kFirstRetry * (1 << std::min(source.failures++, 8)));
      for (const auto& [name, of] : variables_) {
        if (is_news && of == from) concerned.push_back(name);
      }
    }
    values = ValuesLocked();
  }
  for (const std::string& name : concerned) on_problem_(name, absl::StrCat(from, ": ", error));
  if (changed) on_values_(std::move(values));
  return refresh;
}

absl::StatusOr<std::string> SecretReader::Ask(const std::string& from, absl::Duration* refresh) {
  const std::size_t colon = from.find(':');
  const auto known = providers_.find(from.substr(0, colon));
  if (colon == std::string::npos || known == providers_.end()) {
    std::vector<std::string> names;
    for (const auto& [name, provider] : providers_) names.push_back(name);
    return absl::NotFoundError(absl::StrCat(
        "no provider \"", from.substr(0, colon), "\" in the controller's file of --secrets (",
        names.empty() ? "it has none" : absl::StrCat("it has ", absl::StrJoin(names, ", ")), ")"));
  }
  *refresh = known->second.refresh;
  absl::StatusOr<std::string> value = known->second.provider->Read(from.substr(colon + 1));
  if (value.ok() && value->empty()) return absl::NotFoundError("its value is empty");
  return value;
}

resources::Variables SecretReader::ValuesLocked() const {
  resources::Variables values;
  for (const auto& [name, from] : variables_) {
    const Source& source = sources_.at(from);
    if (source.has_value) {
      values[name] = {source.value, true, ""};
    } else {
      values[name] = {"", true,
                      source.error.empty() ? absl::StrCat(from, " was not read yet")
                                           : absl::StrCat(from, ": ", source.error)};
    }
  }
  return values;
}

}  // namespace fairlead::secrets
