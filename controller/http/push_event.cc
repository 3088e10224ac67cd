#include "controller/http/push_event.h"

#include <algorithm>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace fairlead::http {
namespace {

namespace json = boost::json;

// Forges list about so many commits at most; with more, files may be missing.
constexpr std::size_t kMaxListedCommits = 20;

std::string StringAt(const json::object& object, json::string_view key) {
  const json::value* value = object.if_contains(key);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? "" : std::string(text->data(), text->size());
}

bool IsTrueAt(const json::object& object, json::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

bool IsZero(absl::string_view hash) {
  return std::all_of(hash.begin(), hash.end(), [](char c) { return c == '0'; });
}

bool IsCommit(absl::string_view hash) {
  return hash.size() == 40 && !IsZero(hash) &&
         std::all_of(hash.begin(), hash.end(),
                     [](unsigned char c) { return absl::ascii_isxdigit(c); });
}

// False when the commit lists no files at all.
bool AppendFiles(const json::object& commit, std::vector<std::string>& files) {
  bool listed = false;
  for (const char* key : {"added", "modified", "removed"}) {
    const json::value* value = commit.if_contains(key);
    const json::array* list = value == nullptr ? nullptr : value->if_array();
    if (list == nullptr) continue;
    listed = true;
    for (const json::value& file : *list) {
      if (const json::string* name = file.if_string()) files.emplace_back(name->c_str());
    }
  }
  return listed;
}

std::optional<std::vector<std::string>> ChangedFiles(const json::object& body) {
  const json::value* value = body.if_contains("commits");
  const json::array* commits = value == nullptr ? nullptr : value->if_array();
  if (commits == nullptr || commits->empty() || commits->size() > kMaxListedCommits) {
    return std::nullopt;
  }
  // A new branch or a force push differs by more than the commits it lists.
  if (IsTrueAt(body, "forced") || IsTrueAt(body, "created") || IsZero(StringAt(body, "before"))) {
    return std::nullopt;
  }
  for (const char* key : {"total_commits_count", "total_commits"}) {
    const json::value* total = body.if_contains(key);
    if (total != nullptr && total->is_int64() &&
        total->get_int64() > static_cast<int64_t>(commits->size())) {
      return std::nullopt;
    }
  }
  std::vector<std::string> files;
  for (const json::value& commit : *commits) {
    const json::object* object = commit.if_object();
    if (object == nullptr || !AppendFiles(*object, files)) return std::nullopt;
  }
  return files;
}

}  // namespace

absl::StatusOr<PushEvent> ParsePushEvent(absl::string_view text) {
  boost::system::error_code error;
  const json::value parsed = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return absl::InvalidArgumentError(absl::StrCat("body is not JSON: ", error.message()));
  const json::object* body = parsed.if_object();
  if (body == nullptr) return absl::InvalidArgumentError("body is not a JSON object");
  PushEvent event{.ref = StringAt(*body, "ref"), .changed = ChangedFiles(*body)};
  for (const char* key : {"after", "checkout_sha"}) {
    const std::string hash = StringAt(*body, key);
    if (event.commit.empty() && IsCommit(hash)) event.commit = hash;
  }
  return event;
}

}  // namespace fairlead::http
