#include "resources/reference.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "resources/field_table.h"
#include "resources/kind_table.h"

namespace fairlead::resources {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// A wildcard, a regex between backslashes, or a tag: it names whatever matches.
bool IsPattern(absl::string_view text) {
  return text.find_first_of("*?") != absl::string_view::npos || absl::StartsWith(text, "tag:") ||
         (text.size() > 1 && text.front() == '\\' && text.back() == '\\');
}

// The kinds that a field of this message may name.
std::vector<std::string> KindsOf(const Message& message, const Field& field) {
  if (field.rule->reference_by().empty()) return field.references;
  const Field* type = FieldsOf(message.GetDescriptor()).Find(field.rule->reference_by());
  const EnumText* value =
      type->ValueOf(message.GetReflection()->GetEnumValue(message, type->descriptor));
  if (value == nullptr || value->rule->kind().empty()) return {};
  return {value->rule->kind()};
}

void Collect(const Message& message, const std::string& prefix, std::vector<Reference>* out) {
  const Reflection* reflection = message.GetReflection();
  for (const Field& field : FieldsOf(message.GetDescriptor()).fields) {
    const FieldDescriptor* descriptor = field.descriptor;
    const bool repeated = descriptor->is_repeated();
    if (!repeated && !reflection->HasField(message, descriptor)) continue;
    const int count = repeated ? reflection->FieldSize(message, descriptor) : 1;
    for (int i = 0; i < count; ++i) {
      if (field.message != nullptr) {
        // The member of a tagged value is not a key of its own.
        const bool member = descriptor->containing_oneof() != nullptr;
        Collect(repeated ? reflection->GetRepeatedMessage(message, descriptor, i)
                         : reflection->GetMessage(message, descriptor),
                member ? prefix : absl::StrCat(prefix, field.display, "."), out);
      } else if (std::vector<std::string> kinds = KindsOf(message, field); !kinds.empty()) {
        const std::string text = repeated ? reflection->GetRepeatedString(message, descriptor, i)
                                          : reflection->GetString(message, descriptor);
        if (text.empty() || IsPattern(text)) continue;
        out->push_back(Reference{absl::StrCat(prefix, field.display), std::move(kinds), text});
      }
    }
  }
}

// The graph with numbers for names, in order of name; edges sorted, each once.
struct NumberedGraph {
  std::vector<const ResourceId*> names;
  std::vector<std::vector<std::size_t>> edges;
};

NumberedGraph Number(const AfterGraph& graph) {
  NumberedGraph numbered;
  std::map<ResourceId, std::size_t> number;
  for (const auto& [id, unused] : graph) {
    number.emplace(id, numbered.names.size());
    numbered.names.push_back(&id);
  }
  for (const auto& [unused, targets] : graph) {
    std::set<std::size_t> out;
    for (const ResourceId& target : targets) {
      const auto found = number.find(target);
      if (found != number.end()) out.insert(found->second);
    }
    numbered.edges.emplace_back(out.begin(), out.end());
  }
  return numbered;
}

// Tarjan's strongly connected components, with a stack of its own: chains may be long.
class ComponentFinder {
 public:
  explicit ComponentFinder(const NumberedGraph& graph)
      : graph_(graph),
        order_(graph.names.size(), kUnseen),
        low_(order_.size()),
        component_(order_.size(), kUnseen) {}

  // The number of the component of each node.
  std::vector<std::size_t> Find() {
    for (std::size_t node = 0; node < order_.size(); ++node) {
      if (order_[node] == kUnseen) Visit(node);
    }
    return std::move(component_);
  }

 private:
  static constexpr std::size_t kUnseen = static_cast<std::size_t>(-1);
  struct Frame {
    std::size_t node;
    std::size_t next_edge = 0;
  };

  void Enter(std::size_t node) {
    order_[node] = low_[node] = count_++;
    open_.push_back(node);
    frames_.push_back(Frame{node});
  }

  void Visit(std::size_t root) {
    Enter(root);
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      const std::size_t node = frame.node;
      if (frame.next_edge < graph_.edges[node].size()) {
        const std::size_t target = graph_.edges[node][frame.next_edge++];
        if (order_[target] == kUnseen) {
          Enter(target);
        } else if (component_[target] == kUnseen) {
          low_[node] = std::min(low_[node], order_[target]);
        }
        continue;
      }
      frames_.pop_back();
      if (!frames_.empty()) {
        low_[frames_.back().node] = std::min(low_[frames_.back().node], low_[node]);
      }
      if (low_[node] == order_[node]) Close(node);
    }
  }

  void Close(std::size_t node) {
    std::size_t member = kUnseen;
    do {
      member = open_.back();
      open_.pop_back();
      component_[member] = components_;
    } while (member != node);
    ++components_;
  }

  const NumberedGraph& graph_;
  std::vector<std::size_t> order_;
  std::vector<std::size_t> low_;
  std::vector<std::size_t> component_;
  std::vector<std::size_t> open_;
  std::vector<Frame> frames_;
  std::size_t count_ = 0;
  std::size_t components_ = 0;
};

// The shortest cycle through `start` within its component, without the repeated end; empty when
// there is none.
std::vector<std::size_t> ShortestCycle(const NumberedGraph& graph,
                                       const std::vector<std::size_t>& component,
                                       std::size_t start) {
  std::map<std::size_t, std::size_t> came_from;
  std::deque<std::size_t> queue = {start};
  while (!queue.empty()) {
    const std::size_t node = queue.front();
    queue.pop_front();
    for (const std::size_t target : graph.edges[node]) {
      if (target == start) {
        std::vector<std::size_t> path = {node};
        while (path.back() != start) path.push_back(came_from[path.back()]);
        std::reverse(path.begin(), path.end());
        return path;
      }
      if (component[target] == component[start] && came_from.emplace(target, node).second) {
        queue.push_back(target);
      }
    }
  }
  return {};
}

}  // namespace

std::vector<Reference> ReferencesOf(const v1::Resource& resource) {
  std::vector<Reference> references;
  Collect(resource, "", &references);
  if (const Kind* kind = KindOf(resource)) {
    Collect(SpecOf(resource), kind->flat ? "" : "config.", &references);
  }
  return references;
}

std::optional<ResourceId> Resolve(const Reference& reference,
                                  const std::function<bool(const ResourceId&)>& exists) {
  const std::size_t slash = reference.text.find('/');
  if (reference.kinds.size() > 1 && slash != std::string::npos) {
    const ResourceId id{reference.text.substr(0, slash), reference.text.substr(slash + 1)};
    const bool known =
        std::find(reference.kinds.begin(), reference.kinds.end(), id.kind) != reference.kinds.end();
    if (known && exists(id)) return id;
  }
  for (const std::string& kind : reference.kinds) {
    ResourceId id{kind, reference.text};
    if (exists(id)) return id;
  }
  return std::nullopt;
}

std::vector<std::vector<ResourceId>> FindCycles(const AfterGraph& graph) {
  const NumberedGraph numbered = Number(graph);
  const std::vector<std::size_t> component = ComponentFinder(numbered).Find();
  std::set<std::vector<std::size_t>> cycles;
  // Listing every simple cycle could take for ever; one through each member names them all.
  std::vector<bool> covered(numbered.names.size(), false);
  for (std::size_t node = 0; node < numbered.names.size(); ++node) {
    if (covered[node]) continue;
    std::vector<std::size_t> cycle = ShortestCycle(numbered, component, node);
    if (cycle.empty()) continue;
    for (const std::size_t member : cycle) covered[member] = true;
    std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
    cycles.insert(std::move(cycle));
  }
  std::vector<std::vector<ResourceId>> out;
  for (const std::vector<std::size_t>& cycle : cycles) {
    std::vector<ResourceId>& path = out.emplace_back();
    for (const std::size_t member : cycle) path.push_back(*numbered.names[member]);
    path.push_back(path.front());
  }
  return out;
}

}  // namespace fairlead::resources
