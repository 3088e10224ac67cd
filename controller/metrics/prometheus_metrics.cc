#include "controller/metrics/prometheus_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "base/mutex.h"

namespace fairlead::metrics {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using Buckets = Histogram::BucketBoundaries;

// Seconds. Planning takes milliseconds, fetching up to its timeout, actions up to their deadline.
const Buckets& PlanBuckets() {
  static const auto* const buckets =
      new Buckets{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5};
  return *buckets;
}
const Buckets& FetchBuckets() {
  static const auto* const buckets =
      new Buckets{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60};
  return *buckets;
}
const Buckets& ActionBuckets() {
  static const auto* const buckets =
      new Buckets{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600};
  return *buckets;
}

// "STEP_ACTION_REMOVE_EXTRA" with the prefix "STEP_ACTION_" gives "remove_extra".
std::string LabelOf(const std::string& enum_name, absl::string_view prefix) {
  return absl::AsciiStrToLower(absl::StripPrefix(enum_name, prefix));
}
std::string LabelOf(v1::StepAction action) {
  return LabelOf(v1::StepAction_Name(action), "STEP_ACTION_");
}
std::string LabelOf(v1::ActionStatus status) {
  return LabelOf(v1::ActionStatus_Name(status), "ACTION_STATUS_");
}
std::string LabelOf(v1::Condition condition) {
  return LabelOf(v1::Condition_Name(condition), "CONDITION_");
}

// Values of an enum after its first, which means "none" or "unspecified".
template <typename Enum>
std::vector<Enum> ValuesOf(const google::protobuf::EnumDescriptor& descriptor) {
  std::vector<Enum> values;
  for (int i = 1; i < descriptor.value_count(); ++i) {
    values.push_back(static_cast<Enum>(descriptor.value(i)->number()));
  }
  return values;
}

bool IsSent(v1::StepAction action) {
  return action != v1::STEP_ACTION_NONE && action != v1::STEP_ACTION_WAIT &&
         action != v1::STEP_ACTION_BLOCKED;
}

template <typename Builder>
auto& Make(Builder builder, prometheus::Registry& registry, const char* name, const char* help) {
  return builder.Name(name).Help(help).Register(registry);
}

}  // namespace

struct PrometheusMetrics::Series {
  explicit Series(const std::string& version);
  void SetResources(const std::map<std::pair<std::string, v1::Condition>, uint32_t>& counts)
      ABSL_LOCKS_EXCLUDED(mutex);

  prometheus::Registry registry;
  Family<Histogram>& plan_duration = Make(
      BuildHistogram(), registry, "fairlead_plan_duration_seconds", "Time of a planning pass.");
  Family<Gauge>& open_steps =
      Make(BuildGauge(), registry, "fairlead_open_steps",
           "Steps of the last plan that are not done yet, waiting ones included.");
  Family<Histogram>& fetch_duration =
      Make(BuildHistogram(), registry, "fairlead_fetch_duration_seconds",
           "Time of a fetch of a sync's repository, by outcome.");
  Family<Counter>& actions = Make(BuildCounter(), registry, "fairlead_actions_total",
                                  "Finished actions, by what they did and how they ended.");
  Family<Histogram>& action_duration =
      Make(BuildHistogram(), registry, "fairlead_action_duration_seconds",
           "Time of an action on its host.");
  Family<Gauge>& resources = Make(BuildGauge(), registry, "fairlead_resources",
                                  "Resources by kind and state, as of the last planning pass.");
  Family<Counter>& drift_found =
      Make(BuildCounter(), registry, "fairlead_drift_found_total",
           "Times a resource was found to differ from its declaration without a new revision.");
  Family<Counter>& drift_healed = Make(BuildCounter(), registry, "fairlead_drift_healed_total",
                                       "Times such a difference was put right.");
  Family<Gauge>& queue_depth = Make(BuildGauge(), registry, "fairlead_queue_depth",
                                    "Events that wait for the reconcile loop.");
  Family<Gauge>& agents_connected =
      Make(BuildGauge(), registry, "fairlead_agents_connected", "Agents with an open session.");
  Family<Gauge>& agent_lag =
      Make(BuildGauge(), registry, "fairlead_agent_lag_seconds",
           "Time from a change on a host to its arrival at the controller, last seen.");
  Family<Counter>& webhooks = Make(BuildCounter(), registry, "fairlead_webhooks_total",
                                   "Webhook calls, by provider and outcome.");
  Family<Counter>& events =
      Make(BuildCounter(), registry, "fairlead_events_total", "Events recorded, by type.");
  Family<Gauge>& connections = Make(BuildGauge(), registry, "fairlead_connections",
                                    "Open connections of a port of the controller.");
  Family<Counter>& connections_cut =
      Make(BuildCounter(), registry, "fairlead_connections_cut_total",
           "Connections that were refused or cut, by port and reason.");
  Family<Counter>& calls_limited =
      Make(BuildCounter(), registry, "fairlead_calls_limited_total",
           "Calls that were refused because their caller makes too many.");
  Family<Gauge>& build_info = Make(BuildGauge(), registry, "fairlead_build_info",
                                   "Always 1; the label tells the controller's version.");

  // Without labels, looked up once.
  Histogram& planned = plan_duration.Add({}, PlanBuckets());
  Gauge& open = open_steps.Add({});
  Gauge& queue = queue_depth.Add({});
  Gauge& agents = agents_connected.Add({});
  Counter& limited = calls_limited.Add({});

  base::Mutex mutex;
  // Kinds that have series, each one for every state.
  std::map<std::string, std::map<v1::Condition, Gauge*>> by_kind ABSL_GUARDED_BY(mutex);
};

PrometheusMetrics::Series::Series(const std::string& version) {
  build_info.Add({{"version", version}}).Set(1);
  // From the start, so that the first one is a rise.
  events.Add({{"type", "procedure-failed"}});
  for (const auto action : ValuesOf<v1::StepAction>(*v1::StepAction_descriptor())) {
    if (!IsSent(action)) continue;
    action_duration.Add({{"action", LabelOf(action)}}, ActionBuckets());
    for (const auto status : ValuesOf<v1::ActionStatus>(*v1::ActionStatus_descriptor())) {
      actions.Add({{"action", LabelOf(action)}, {"outcome", LabelOf(status)}});
    }
  }
}

void PrometheusMetrics::Series::SetResources(
    const std::map<std::pair<std::string, v1::Condition>, uint32_t>& counts) {
  static const auto* const conditions =
      new std::vector<v1::Condition>(ValuesOf<v1::Condition>(*v1::Condition_descriptor()));
  std::set<std::string> kinds;
  for (const auto& [key, count] : counts) kinds.insert(key.first);
  base::MutexLock lock(mutex);
  for (auto it = by_kind.begin(); it != by_kind.end();) {
    if (kinds.contains(it->first)) {
      ++it;
      continue;
    }
    for (const auto& [condition, gauge] : it->second) resources.Remove(gauge);
    it = by_kind.erase(it);
  }
  for (const std::string& kind : kinds) {
    std::map<v1::Condition, Gauge*>& gauges = by_kind[kind];
    for (const v1::Condition condition : *conditions) {
      Gauge*& gauge = gauges[condition];
      if (gauge == nullptr) {
        gauge = &resources.Add({{"kind", kind}, {"state", LabelOf(condition)}});
      }
      const auto count = counts.find({kind, condition});
      gauge->Set(count == counts.end() ? 0 : count->second);
    }
  }
}

PrometheusMetrics::PrometheusMetrics(const std::string& version)
    : series_(std::make_unique<Series>(version)) {}

PrometheusMetrics::~PrometheusMetrics() = default;

std::string PrometheusMetrics::Text() const {
  return prometheus::TextSerializer().Serialize(series_->registry.Collect());
}

void PrometheusMetrics::OnPlanned(absl::Duration took, uint32_t open_steps) {
  series_->planned.Observe(absl::ToDoubleSeconds(took));
  series_->open.Set(open_steps);
}

void PrometheusMetrics::OnFetched(const std::string& sync, absl::Duration took,
                                  const absl::Status& outcome) {
  const std::string label = absl::AsciiStrToLower(absl::StatusCodeToString(outcome.code()));
  series_->fetch_duration.Add({{"sync", sync}, {"outcome", label}}, FetchBuckets())
      .Observe(absl::ToDoubleSeconds(took));
}

void PrometheusMetrics::OnActionFinished(v1::StepAction action, v1::ActionStatus outcome,
                                         absl::Duration took) {
  series_->actions.Add({{"action", LabelOf(action)}, {"outcome", LabelOf(outcome)}}).Increment();
  series_->action_duration.Add({{"action", LabelOf(action)}}, ActionBuckets())
      .Observe(absl::ToDoubleSeconds(took));
}

void PrometheusMetrics::OnDriftFound(const std::string& kind) {
  series_->drift_found.Add({{"kind", kind}}).Increment();
  // Its counterpart exists from here on, so that the two can be subtracted.
  series_->drift_healed.Add({{"kind", kind}});
}

void PrometheusMetrics::OnDriftHealed(const std::string& kind) {
  series_->drift_healed.Add({{"kind", kind}}).Increment();
}

void PrometheusMetrics::OnResources(
    const std::map<std::pair<std::string, v1::Condition>, uint32_t>& counts) {
  series_->SetResources(counts);
}

void PrometheusMetrics::OnQueueDepth(uint32_t events) { series_->queue.Set(events); }

void PrometheusMetrics::OnAgents(uint32_t connected) { series_->agents.Set(connected); }

void PrometheusMetrics::OnAgentLag(const std::string& server, absl::Duration lag) {
  series_->agent_lag.Add({{"server", server}}).Set(absl::ToDoubleSeconds(lag));
}

void PrometheusMetrics::OnWebhook(absl::string_view provider, absl::string_view outcome) {
  series_->webhooks.Add({{"provider", std::string(provider)}, {"outcome", std::string(outcome)}})
      .Increment();
}

void PrometheusMetrics::OnEvent(const v1::Event& event) {
  series_->events.Add({{"type", event.type()}}).Increment();
}

void PrometheusMetrics::OnConnections(absl::string_view port, std::size_t open) {
  series_->connections.Add({{"port", std::string(port)}}).Set(static_cast<double>(open));
}

void PrometheusMetrics::OnConnectionCut(absl::string_view port, absl::string_view why) {
  series_->connections_cut.Add({{"port", std::string(port)}, {"reason", std::string(why)}})
      .Increment();
}

void PrometheusMetrics::OnCallLimited() { series_->limited.Increment(); }

}  // namespace fairlead::metrics
