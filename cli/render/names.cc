#include "cli/render/names.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace fairlead::cli {
namespace {

std::string WordsOf(const std::string& name, absl::string_view prefix) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(absl::StripPrefix(name, prefix)), {{"_", " "}});
}

}  // namespace

std::string ConditionName(v1::Condition condition) {
  std::string words = WordsOf(v1::Condition_Name(condition), "CONDITION_");
  if (!words.empty()) words[0] = absl::ascii_toupper(static_cast<unsigned char>(words[0]));
  return words;
}

Color ConditionColor(v1::Condition condition) {
  switch (condition) {
    case v1::CONDITION_CONVERGED:
    case v1::CONDITION_COMPLETED:
    case v1::CONDITION_READY:
      return Color::kGreen;
    case v1::CONDITION_INVALID:
    case v1::CONDITION_DEGRADED:
    case v1::CONDITION_CRASH_LOOP:
    case v1::CONDITION_MISSING:
      return Color::kRed;
    case v1::CONDITION_STOPPED:
    case v1::CONDITION_OBSERVED:
    case v1::CONDITION_NOT_ACTED_ON:
      return Color::kNone;
    default:
      return Color::kYellow;
  }
}

std::string ActionName(v1::StepAction action) {
  if (action == v1::STEP_ACTION_ROLLBACK) return "roll back";
  return WordsOf(v1::StepAction_Name(action), "STEP_ACTION_");
}

std::string ActionMark(v1::StepAction action) {
  switch (action) {
    case v1::STEP_ACTION_CREATE:
      return "+";
    case v1::STEP_ACTION_DESTROY:
    case v1::STEP_ACTION_PRUNE:
    case v1::STEP_ACTION_REMOVE_EXTRA:
    case v1::STEP_ACTION_FORGET:
      return "-";
    case v1::STEP_ACTION_ADOPT:
      return "=";
    case v1::STEP_ACTION_WAIT:
    case v1::STEP_ACTION_NONE:
      return ".";
    case v1::STEP_ACTION_BLOCKED:
      return "!";
    default:
      return "~";
  }
}

Color ActionColor(v1::StepAction action) {
  const std::string mark = ActionMark(action);
  if (mark == "+" || mark == "=") return Color::kGreen;
  if (mark == "-") return Color::kRed;
  if (mark == ".") return Color::kDim;
  return Color::kYellow;
}

bool IsChange(v1::StepAction action) {
  return action != v1::STEP_ACTION_NONE && action != v1::STEP_ACTION_WAIT;
}

Color StateColor(absl::string_view state) {
  if (state == "converged" || state == "online") return Color::kGreen;
  if (state == "progressing" || state == "disabled" || state == "never fetched") {
    return Color::kYellow;
  }
  return Color::kRed;
}

std::string PlaceOf(const v1::Problem& problem) {
  std::string place = Printable(problem.file());
  if (problem.line() > 0) absl::StrAppend(&place, ":", problem.line());
  if (problem.line() > 0 && problem.column() > 0) absl::StrAppend(&place, ":", problem.column());
  return place;
}

std::string MessageOf(const v1::Problem& problem) {
  return Printable(problem.suggestion().empty()
                       ? problem.message()
                       : absl::StrCat(problem.message(), "; ", problem.suggestion()));
}

}  // namespace fairlead::cli
