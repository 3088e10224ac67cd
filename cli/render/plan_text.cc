#include "cli/render/plan_text.h"

#include <algorithm>
#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/proto_time.h"
#include "cli/render/names.h"

namespace fairlead::cli {
namespace {

constexpr std::size_t kLongestValue = 60;

std::string RenderHead(const v1::Plan& plan, const TextOptions& options) {
  std::string text;
  for (const v1::PlanSync& sync : plan.syncs()) {
    std::string head = Printable(sync.name());
    if (!sync.revision().empty()) absl::StrAppend(&head, " @ ", ShortRevision(sync.revision()));
    if (!sync.subject().empty()) absl::StrAppend(&head, " \"", Printable(sync.subject()), "\"");
    absl::StrAppend(&text, options.painter.Paint(Color::kBold, head), "   ",
                    Count(sync.files(), "file", "files"), ", ",
                    Count(sync.resources(), "resource", "resources"));
    if (plan.syncs_size() == 1) {
      absl::StrAppend(&text, ", ", Count(plan.servers(), "server", "servers"));
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string ReasonOf(const v1::Step& step) {
  std::string reason = step.heal() ? "drift: " : "";
  const bool waits = step.gate().kind() != v1::Gate::KIND_OPEN;
  absl::StrAppend(&reason,
                  waits && !step.gate().reason().empty() ? step.gate().reason() : step.reason());
  return Printable(reason);
}

std::string ValueText(const std::string& value) {
  return value.empty() ? "(none)" : Truncate(Printable(value), kLongestValue);
}

std::string RenderChanges(const v1::Step& step, const Painter& painter) {
  Table table("      ", 3);
  for (const v1::FieldChange& change : step.changes()) {
    table.AddRow({{Printable(change.path())},
                  {absl::StrCat(ValueText(change.before()), " -> ", ValueText(change.after()))}});
  }
  return table.Render(painter);
}

std::string RenderSteps(const v1::Plan& plan, const TextOptions& options) {
  Table table("  ", 3);
  for (const v1::Step& step : plan.steps()) {
    const Color color = ActionColor(step.action());
    // Mark and name are one cell, so that only one space parts them.
    table.AddRow({{absl::StrCat(ActionMark(step.action()), " ", Printable(step.resource())), color},
                  {step.server().empty() ? "" : absl::StrCat("on ", Printable(step.server()))},
                  {ActionName(step.action()), color},
                  {ReasonOf(step)}});
  }
  const std::vector<std::string> rows = table.RenderRows(options.painter);
  std::string text;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const v1::Step& step = plan.steps(static_cast<int>(i));
    absl::StrAppend(&text, rows[i], "\n", RenderChanges(step, options.painter));
    if (!step.impact().sentence().empty()) {
      absl::StrAppend(&text, "      ", Printable(step.impact().sentence()), "\n");
    }
  }
  return text;
}

// Problems under the resource or file they are of, errors and warnings alike.
std::string RenderProblems(const v1::Plan& plan, const TextOptions& options) {
  std::map<std::string, std::vector<const v1::Problem*>> by_subject;
  for (const v1::PlanSync& sync : plan.syncs()) {
    for (const v1::Problem& problem : sync.problems()) {
      if (problem.severity() == v1::SEVERITY_NOTICE) continue;
      by_subject[problem.resource().empty() ? problem.file() : problem.resource()].push_back(
          &problem);
    }
  }
  std::string text;
  for (const auto& [subject, problems] : by_subject) {
    const bool error = std::any_of(problems.begin(), problems.end(), [](const v1::Problem* p) {
      return p->severity() == v1::SEVERITY_ERROR;
    });
    const std::string head = absl::StrCat("! ", Printable(subject));
    absl::StrAppend(&text, "  ", options.painter.Paint(error ? Color::kRed : Color::kYellow, head),
                    error ? "   invalid: its last good spec stays" : "   warning", "\n");
    for (const v1::Problem* problem : problems) {
      const std::string place = PlaceOf(*problem);
      absl::StrAppend(&text, "      ", place, place.empty() ? "" : "  ", MessageOf(*problem), "\n");
    }
  }
  return text;
}

std::string RenderCounts(const v1::Plan& plan) {
  std::vector<std::string> counts;
  std::map<int, int> by_action;
  std::vector<int> order;
  for (const v1::Step& step : plan.steps()) {
    if (by_action[step.action()]++ == 0) order.push_back(step.action());
  }
  std::sort(order.begin(), order.end());
  for (const int number : order) {
    const auto action = static_cast<v1::StepAction>(number);
    const int count = by_action[number];
    if (action == v1::STEP_ACTION_BLOCKED) {
      counts.push_back(absl::StrCat(count, " blocked"));
    } else if (action == v1::STEP_ACTION_WAIT || action == v1::STEP_ACTION_NONE) {
      counts.push_back(absl::StrCat(count, " waiting"));
    } else {
      counts.push_back(absl::StrCat(count, " to ", ActionName(action)));
    }
  }
  if (plan.invalid() > 0) counts.push_back(absl::StrCat(plan.invalid(), " invalid"));
  counts.push_back(absl::StrCat(plan.unchanged(), " unchanged"));
  return absl::StrCat(plan.steps().empty() ? "Nothing to do: " : "", absl::StrJoin(counts, ", "),
                      ".");
}

}  // namespace

bool HasChanges(const v1::Plan& plan) {
  return std::any_of(plan.steps().begin(), plan.steps().end(),
                     [](const v1::Step& step) { return IsChange(step.action()); });
}

bool HasErrors(const v1::Plan& plan) {
  return std::any_of(plan.syncs().begin(), plan.syncs().end(), [](const v1::PlanSync& sync) {
    return std::any_of(sync.problems().begin(), sync.problems().end(),
                       [](const v1::Problem& p) { return p.severity() == v1::SEVERITY_ERROR; });
  });
}

std::string RenderPlan(const v1::Plan& plan, const PlanTextOptions& plan_options,
                       const TextOptions& options) {
  std::string text = RenderHead(plan, options);
  const std::string body = absl::StrCat(RenderSteps(plan, options), RenderProblems(plan, options));
  if (!body.empty()) absl::StrAppend(&text, "\n", body);
  absl::StrAppend(&text, "\n", RenderCounts(plan));
  if (!plan.id().empty()) absl::StrAppend(&text, "     plan ", Printable(plan.id()));
  if (plan.has_took()) {
    absl::StrAppend(&text, "   planned in ", FormatSpan(base::FromProto(plan.took())));
  }
  absl::StrAppend(&text, "\n");
  const auto waiting = std::count_if(plan.steps().begin(), plan.steps().end(), [](const auto& s) {
    return s.gate().kind() == v1::Gate::KIND_APPROVAL;
  });
  if (plan_options.runnable && waiting > 0 && !plan.id().empty()) {
    absl::StrAppend(&text, waiting, waiting == 1 ? " step waits" : " steps wait",
                    " for approval: fairlead approve ", Printable(plan.id()), "\n");
  } else if (plan_options.runnable && HasChanges(plan) && !plan.id().empty()) {
    const std::string name =
        plan.syncs_size() == 1 ? absl::StrCat(Printable(plan.syncs(0).name()), " ") : "";
    absl::StrAppend(&text, "Run it exactly as shown: fairlead sync ", name, "--plan ",
                    Printable(plan.id()), "\n");
  }
  return text;
}

}  // namespace fairlead::cli
