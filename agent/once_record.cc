#include "agent/once_record.h"

#include <unistd.h>

#include <utility>

#include <boost/json.hpp>
#include "absl/strings/str_cat.h"

#include "agent/engine_json.h"
#include "agent/file_name.h"
#include "base/file.h"
#include "base/status.h"

namespace fairlead::agent {
namespace {

namespace json = boost::json;

constexpr std::size_t kLongestMessage = 4096;

// {"pre_build": {"state": "failed", "message": "..."}}
absl::StatusOr<json::object> ReadNotes(const std::string& path) {
  const absl::StatusOr<std::string> text = base::ReadFile(path);
  if (absl::IsNotFound(text.status())) return json::object();
  RETURN_IF_ERROR(text.status());
  boost::system::error_code error;
  json::value value = json::parse(*text, error);
  if (error || !value.is_object()) {
    return absl::DataLossError(absl::StrCat(path, " does not say what was begun"));
  }
  return std::move(value.as_object());
}

absl::Status WriteNotes(const std::string& path, const json::object& notes) {
  return base::WriteFileAtomically(path, std::string(json::serialize(notes)));
}

}  // namespace

OnceRecord::OnceRecord(std::string folder) : folder_(std::move(folder)) {}

std::string OnceRecord::PathOf(const std::string& action_id) const {
  return absl::StrCat(folder_, "/", FileNameOf(action_id));
}

absl::StatusOr<OnceStanding> OnceRecord::Begin(const std::string& action_id,
                                               const std::string& what) const {
  const std::string path = PathOf(action_id);
  ASSIGN_OR_RETURN(json::object notes, ReadNotes(path));
  if (const json::object* note = ObjectAt(notes, {what}); note != nullptr) {
    const std::string state = TextAt(*note, {"state"});
    if (state == "succeeded") return OnceStanding{.state = OnceState::kSucceeded};
    if (state == "failed") {
      return OnceStanding{.state = OnceState::kFailed, .message = TextAt(*note, {"message"})};
    }
    return OnceStanding{.state = OnceState::kInterrupted};
  }
  notes[what] = {{"state", "begun"}};
  RETURN_IF_ERROR(base::MakeDirectories(folder_));
  RETURN_IF_ERROR(WriteNotes(path, notes), absl::StrCat("note that ", what, " begins"));
  return OnceStanding{};
}

absl::Status OnceRecord::End(const std::string& action_id, const std::string& what,
                             const absl::Status& result) const {
  const std::string path = PathOf(action_id);
  ASSIGN_OR_RETURN(json::object notes, ReadNotes(path));
  if (result.ok()) {
    notes[what] = {{"state", "succeeded"}};
  } else {
    const std::string message(result.message().substr(0, kLongestMessage));
    notes[what] = {{"state", "failed"}, {"message", message}};
  }
  return base::Annotate(WriteNotes(path, notes), absl::StrCat("note that ", what, " ended"));
}

void OnceRecord::Forget(const std::string& action_id) const {
  // One that stays behind is never asked for: ids are unique for ever.
  ::unlink(PathOf(action_id).c_str());
}

}  // namespace fairlead::agent
