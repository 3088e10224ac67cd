#include "cli/render/resource_toml.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"

#include "resources/kind_table.h"
#include "resources/toml_writer.h"

namespace fairlead::cli {
namespace {

// In order of kind and name; only those with a spec.
std::vector<const v1::ResourceView*> Sorted(const std::vector<v1::ResourceView>& views) {
  std::vector<const v1::ResourceView*> sorted;
  for (const v1::ResourceView& view : views) {
    if (resources::KindOf(view.spec()) != nullptr) sorted.push_back(&view);
  }
  // The kind table is one array: its order is that of the addresses.
  const auto key = [](const v1::ResourceView* view) {
    return std::make_tuple(resources::KindOf(view->spec()) - resources::Kinds().data(),
                           view->spec().name());
  };
  std::sort(sorted.begin(), sorted.end(),
            [&key](const auto* a, const auto* b) { return key(a) < key(b); });
  return sorted;
}

// What a reader must know before the text is taken for the declaration; empty: nothing.
absl::string_view RemarkOn(v1::Condition condition) {
  if (condition == v1::CONDITION_INVALID) {
    return "# Its declaration cannot be read: this is what was last applied.\n";
  }
  if (condition == v1::CONDITION_ORPHANED) {
    return "# Declared nowhere any more: this is what was last applied.\n";
  }
  return "";
}

void AppendToml(const v1::ResourceView& view, v1::Dialect dialect, std::string& out) {
  absl::StrAppend(&out, out.empty() ? "" : "\n", RemarkOn(view.status().condition()),
                  resources::WriteTomlWithoutSecrets(view.spec(), dialect));
}

}  // namespace

std::string RenderToml(const std::vector<v1::ResourceView>& views, v1::Dialect dialect) {
  std::string out;
  for (const v1::ResourceView* view : Sorted(views)) AppendToml(*view, dialect, out);
  return out;
}

std::map<std::string, std::string> RenderTomlByKind(const std::vector<v1::ResourceView>& views,
                                                    v1::Dialect dialect) {
  std::map<std::string, std::string> texts;
  for (const v1::ResourceView* view : Sorted(views)) {
    AppendToml(*view, dialect, texts[resources::KindOf(view->spec())->plural]);
  }
  return texts;
}

}  // namespace fairlead::cli
