#include "resources/toml_format.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "resources/key_order.h"
#include "resources/toml_document.h"
#include "resources/toml_layout.h"
#include "resources/toml_reader.h"
#include "resources/toml_source.h"

namespace fairlead::resources {
namespace {

using Path = std::vector<std::string>;

// Places in ascending order of `keys`; equal ones stay as they are.
template <typename Key>
std::vector<std::size_t> SortedPlaces(const std::vector<Key>& keys) {
  std::vector<std::size_t> places(keys.size());
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
  std::sort(places.begin(), places.end(), [&](std::size_t a, std::size_t b) {
    return keys[a] != keys[b] ? keys[a] < keys[b] : a < b;
  });
  return places;
}

std::vector<std::size_t> PlacesOfPairs(const LayoutTable& table) {
  KeyOrder order;
  std::vector<std::vector<std::size_t>> ranks;
  for (const LayoutPair& pair : table.pairs) {
    Path path = table.path;
    path.insert(path.end(), pair.path.begin(), pair.path.end());
    ranks.push_back(order.RankOf(path));
  }
  return SortedPlaces(ranks);
}

// The tables of one entry. Those within an element of an array stay with it.
std::vector<std::size_t> PlacesOfTables(std::span<const LayoutTable> tables) {
  KeyOrder order;
  // Elements so far of each array of tables.
  std::map<Path, std::size_t> elements;
  std::vector<std::vector<std::pair<std::size_t, std::size_t>>> ranks;
  for (const LayoutTable& table : tables) {
    if (table.is_array) ++elements[table.path];
    const std::vector<std::size_t> parts = order.RankOf(table.path);
    Path prefix;
    auto& rank = ranks.emplace_back();
    for (std::size_t i = 0; i < parts.size(); ++i) {
      prefix.push_back(table.path[i]);
      const auto element = elements.find(prefix);
      rank.emplace_back(parts[i], element == elements.end() ? 0 : element->second);
    }
  }
  return SortedPlaces(ranks);
}

bool StartsBlank(const LayoutLines& lines) { return !lines.empty() && lines.front().empty(); }

bool HasComment(const LayoutLines& lines) {
  return std::any_of(lines.begin(), lines.end(),
                     [](const std::string& line) { return !line.empty(); });
}

// Puts the text of a file together.
class LayoutPrinter {
 public:
  // `tables` are one entry, or the root table alone.
  void PrintEntry(std::span<LayoutTable> tables) {
    const std::vector<std::size_t> places = PlacesOfTables(tables);
    const std::size_t last = places.back();
    // Comments at the end of the entry stay there, whatever table comes last.
    if (last + 1 != tables.size()) MoveEnd(&tables.back().tail, &tables[last].tail);
    for (std::size_t i = 0; i < places.size(); ++i) {
      const LayoutTable& table = tables[places[i]];
      const bool stays = i > 0 && places[i] == places[i - 1] + 1;
      const bool apart =
          i == 0 || HasComment(tables[places[i - 1]].tail) || IsApart(table.lead, stays);
      PrintTable(table, apart);
    }
  }

  std::string TakeText() { return std::move(text_); }

 private:
  // A blank line stands for what it parted: it goes when other things come together, unless it
  // sets off a comment.
  static bool IsApart(const LayoutLines& lead, bool stays) {
    return StartsBlank(lead) && (stays || HasComment(lead));
  }

  // What comes after the first blank line belongs to the entry, not to its last table.
  static void MoveEnd(LayoutLines* from, LayoutLines* to) {
    const auto blank = std::find(from->begin(), from->end(), "");
    to->insert(to->end(), blank, from->end());
    from->erase(blank, from->end());
  }

  void PrintTable(const LayoutTable& table, bool apart) {
    PrintLead(table.lead, apart);
    if (!table.header.empty()) PrintLine(table.header, table.comment);
    PrintLines(table.top);
    const std::vector<std::size_t> places = PlacesOfPairs(table);
    for (std::size_t i = 0; i < places.size(); ++i) {
      const LayoutPair& pair = table.pairs[places[i]];
      const bool stays = i > 0 && places[i] == places[i - 1] + 1;
      PrintLead(pair.lead, i == 0 ? !table.top.empty() : IsApart(pair.lead, stays));
      PrintLine(absl::StrCat(pair.key, " = ", pair.value), pair.comment);
    }
    PrintLines(table.tail);
  }

  void PrintLead(const LayoutLines& lead, bool apart) {
    // Not at the top of the file.
    if (apart && !text_.empty()) text_ += '\n';
    const auto first = lead.begin() + (StartsBlank(lead) ? 1 : 0);
    for (auto line = first; line != lead.end(); ++line) PrintLine(*line, "");
  }

  void PrintLines(const LayoutLines& lines) { PrintLead(lines, StartsBlank(lines)); }

  void PrintLine(absl::string_view line, absl::string_view comment) {
    absl::StrAppend(&text_, line, comment, "\n");
  }

  std::string text_;
};

// An entry ends at a top-level header, and where another one is gone back to.
std::size_t EndOfEntry(const std::vector<LayoutTable>& tables, std::size_t begin) {
  const Path& root = tables[begin].path;
  std::size_t end = begin + 1;
  while (!root.empty() && end < tables.size() && tables[end].path.size() > 1 &&
         tables[end].path.front() == root.front()) {
    ++end;
  }
  return end;
}

std::string Print(std::vector<LayoutTable> tables) {
  LayoutPrinter printer;
  std::size_t end = 0;
  for (std::size_t begin = 0; begin < tables.size(); begin = end) {
    end = EndOfEntry(tables, begin);
    printer.PrintEntry(std::span(tables).subspan(begin, end - begin));
  }
  return printer.TakeText();
}

bool SameValue(const TomlValue& a, const TomlValue& b);

bool SameEntries(const std::vector<TomlEntry>& a, const std::vector<TomlEntry>& b) {
  if (a.size() != b.size()) return false;
  std::map<absl::string_view, const TomlValue*> values;
  for (const TomlEntry& entry : a) values.emplace(entry.key, &entry.value);
  return std::all_of(b.begin(), b.end(), [&](const TomlEntry& entry) {
    const auto found = values.find(entry.key);
    return found != values.end() && SameValue(*found->second, entry.value);
  });
}

bool SameValue(const TomlValue& a, const TomlValue& b) {
  const bool same_number = a.number == b.number || (std::isnan(a.number) && std::isnan(b.number));
  return a.type == b.type && a.text == b.text && a.integer == b.integer && same_number &&
         a.boolean == b.boolean &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), SameValue) &&
         SameEntries(a.entries, b.entries);
}

bool ReadAlike(absl::string_view a, absl::string_view b, v1::Dialect dialect) {
  const auto parse = [&](absl::string_view text) {
    return ParseToml(TomlSource("", text, dialect).text());
  };
  const auto before = parse(a);
  const auto after = parse(b);
  const auto* first = std::get_if<TomlValue>(&before);
  const auto* second = std::get_if<TomlValue>(&after);
  return first != nullptr && second != nullptr && SameValue(*first, *second);
}

v1::Problem InternalProblem(absl::string_view path, absl::string_view why, v1::Dialect dialect) {
  v1::Problem problem;
  problem.set_file(std::string(path));
  problem.set_severity(v1::SEVERITY_ERROR);
  problem.set_code("internal");
  problem.set_message(absl::StrCat("cannot be formatted: ", why, "; it is left as it is"));
  problem.set_suggestion(absl::StrCat(
      dialect == v1::DIALECT_KOMODO
          ? "three quotes in a comment change the backslashes behind it: take them out; else "
          : "",
      "this is a fault of Fairlead: please report it with the file"));
  return problem;
}

}  // namespace

FormattedToml FormatToml(absl::string_view path, absl::string_view content, v1::Dialect dialect) {
  FormattedToml result{.text = std::string(content), .problems = {}};
  ParsedFile parsed = ReadToml(path, content, dialect);
  if (parsed.spoilt || parsed.foreign) {
    result.problems = std::move(parsed.problems);
    return result;
  }
  absl::StatusOr<std::vector<LayoutTable>> layout = ScanLayout(content, dialect);
  if (!layout.ok()) {
    result.problems.push_back(InternalProblem(path, layout.status().message(), dialect));
    return result;
  }
  std::string text = Print(*std::move(layout));
  if (ReadAlike(content, text, dialect)) {
    result.text = std::move(text);
  } else {
    result.problems.push_back(InternalProblem(path, "its values would change", dialect));
  }
  return result;
}

}  // namespace fairlead::resources
