#include "resources/toml_reader.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>
#include <variant>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "resources/dialect_guess.h"
#include "resources/field_defaults.h"
#include "resources/field_reader.h"
#include "resources/field_table.h"
#include "resources/kind_table.h"
#include "resources/spelling.h"
#include "resources/toml_document.h"
#include "resources/toml_source.h"

namespace fairlead::resources {
namespace {

constexpr std::size_t kMostResources = 50000;
// Of one file. Beyond them only the first error of each resource is described.
constexpr std::size_t kMostProblems = 1000;
constexpr std::size_t kLongestName = 255;

const FieldTable& EntryFields() { return FieldsOf(v1::Resource::descriptor()); }

bool IsArrayOfTables(const TomlValue& value) {
  return value.type == TomlValue::Type::kArray && !value.items.empty() &&
         std::all_of(value.items.begin(), value.items.end(),
                     [](const TomlValue& item) { return item.type == TomlValue::Type::kTable; });
}

bool IsKnownTable(absl::string_view key) { return FindKind(key) != nullptr; }

bool HasControlCharacter(absl::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_iscntrl(static_cast<unsigned char>(c)) != 0;
  });
}

void SortByPosition(std::vector<v1::Problem>* problems) {
  const auto key = [](const v1::Problem& problem) {
    return std::make_tuple(problem.line(), problem.column(), absl::string_view(problem.message()));
  };
  std::sort(problems->begin(), problems->end(),
            [&](const v1::Problem& a, const v1::Problem& b) { return key(a) < key(b); });
}

// A key of the entry fields, the config fields or both, for a hint about a key one level off.
std::vector<std::string> KeysOf(const FieldTable& table, absl::string_view kind) {
  std::vector<std::string> keys;
  for (const Field& field : table.fields) {
    if (!field.AppliesTo(kind)) continue;
    keys.push_back(field.key);
    keys.insert(keys.end(), field.rule->alias().begin(), field.rule->alias().end());
  }
  return keys;
}

// Where somebody may have meant to put a password, a key or what stands for one.
bool LooksSecret(absl::string_view key) {
  const std::string lower = absl::AsciiStrToLower(key);
  for (const absl::string_view word :
       {"pass", "secret", "token", "key", "hash", "credential", "pwd"}) {
    if (absl::StrContains(lower, word)) return true;
  }
  return false;
}

// Reads one entry of a kind.
class EntryReader {
 public:
  EntryReader(const Kind& kind, const TomlValue& table, FieldReader* reader)
      : kind_(kind), table_(table), reader_(*reader), spec_fields_(FieldsOf(kind.message)) {}

  void Read(v1::Resource* resource) {
    google::protobuf::Message* spec =
        resource->GetReflection()->MutableMessage(resource, kind_.field);
    SeenKeys seen(EntryFields().fields.size());
    SeenKeys seen_flat(spec_fields_.fields.size());
    for (const TomlEntry& entry : table_.entries) {
      const Field* field = EntryFields().Find(entry.key);
      const Field* flat = kind_.flat ? spec_fields_.Find(entry.key) : nullptr;
      if (field != nullptr && field->AppliesTo(kind_.name)) {
        if (reader_.MarkSeen(*field, entry, &seen)) reader_.ReadField(*field, entry, resource);
      } else if (flat != nullptr) {
        if (reader_.MarkSeen(*flat, entry, &seen_flat)) reader_.ReadField(*flat, entry, spec);
      } else if (!kind_.flat && entry.key == "config") {
        ReadConfig(entry, spec);
      } else if (kind_.name == "user" && LooksSecret(entry.key)) {
        reader_.ReportSecret(entry, "[[user]]",
                             "remove it, also from the history; a password is set with `fairlead "
                             "user password`, a key is made with `fairlead key create`");
      } else {
        reader_.ReportUnknownKey(entry, absl::StrCat("[[", kind_.name, "]]"),
                                 reader_.full() ? "" : HintAt(entry.key));
      }
    }
  }

 private:
  void ReadConfig(const TomlEntry& entry, google::protobuf::Message* spec) {
    if (entry.value.type != TomlValue::Type::kTable) {
      reader_.ReportWrongType("config", entry.value, "a table");
      return;
    }
    if (kind_.tagged) {
      spec->Clear();
      reader_.ReadTaggedTable(entry.value, spec_fields_, absl::StrCat(kind_.name, ".config"), spec);
      return;
    }
    reader_.ReadMessage(
        entry.value, spec_fields_, absl::StrCat("[", kind_.name, ".config]"),
        [this](const std::string& key) { return HintInConfig(key); }, spec);
  }

  // About an unknown key beside `name`.
  std::string HintAt(const std::string& key) const {
    if (const Field* field = EntryFields().Find(key)) {
      return absl::StrCat("\"", key, "\" is for ", absl::StrJoin(field->only_kinds, " and "),
                          " only");
    }
    if (!kind_.flat && !kind_.tagged && spec_fields_.Find(key) != nullptr) {
      return absl::StrCat("\"", key, "\" belongs in [", kind_.name, ".config]");
    }
    if (std::string hint = KnownMistake(key); !hint.empty()) return hint;
    std::vector<std::string> keys = KeysOf(EntryFields(), kind_.name);
    if (!kind_.flat) keys.emplace_back("config");
    if (kind_.flat) {
      const std::vector<std::string> flat = KeysOf(spec_fields_, kind_.name);
      keys.insert(keys.end(), flat.begin(), flat.end());
    }
    return DidYouMean(key, keys);
  }

  // About an unknown key in the config table; empty without an idea.
  std::string HintInConfig(const std::string& key) const {
    const Field* field = EntryFields().Find(key);
    if (field == nullptr || !field->AppliesTo(kind_.name)) return KnownMistake(key);
    return absl::StrCat("\"", key, "\" belongs beside \"name\" in [[", kind_.name, "]]");
  }

  const Kind& kind_;
  const TomlValue& table_;
  FieldReader& reader_;
  const FieldTable& spec_fields_;
};

// Reads one file.
class FileReader {
 public:
  FileReader(const TomlSource& source, v1::Dialect dialect, ParsedFile* file)
      : source_(source), dialect_(dialect), file_(*file) {}

  void Read(const TomlValue& root) {
    const bool any = std::any_of(root.entries.begin(), root.entries.end(), [](const auto& entry) {
      return IsKnownTable(entry.key) && IsArrayOfTables(entry.value);
    });
    if (!any) {
      ReportForeign(root);
      return;
    }
    struct Item {
      const Kind* kind;
      const TomlValue* table;
    };
    std::vector<Item> items;
    for (const TomlEntry& entry : root.entries) {
      const Kind* kind = FindKind(entry.key);
      if (kind != nullptr && IsArrayOfTables(entry.value)) {
        if (!kind->not_acted_on.empty()) ReportNotActedOn(*kind, entry);
        for (const TomlValue& table : entry.value.items) items.push_back({kind, &table});
      } else {
        ReadOther(entry);
      }
    }
    if (items.size() > kMostResources) {
      file_.spoilt = true;
      Add(v1::SEVERITY_ERROR, "too-large", SourcePosition{file_.path, 0, 0},
          absl::StrCat("file declares more than ", kMostResources, " resources"),
          "split it into several files");
      return;
    }
    if (LooksLikeOtherDialect(root, dialect_)) ReportDialect();
    std::sort(items.begin(), items.end(),
              [](const Item& a, const Item& b) { return a.table->position < b.table->position; });
    file_.declarations.reserve(items.size());
    for (const Item& item : items) ReadEntry(*item.kind, *item.table);
  }

 private:
  void ReportForeign(const TomlValue& root) {
    file_.foreign = true;
    v1::Problem problem =
        source_.MakeProblem(v1::SEVERITY_NOTICE, "foreign-file", SourcePosition{file_.path, 0, 0},
                            "no resources in this file; it is ignored");
    for (const TomlEntry& entry : root.entries) {
      const std::string table = NearestTable(entry.key);
      if (table.empty()) continue;
      problem.set_suggestion(absl::StrCat("did you mean [[", table, "]] by \"", entry.key,
                                          "\" on line ", entry.position.line, "?"));
      break;
    }
    file_.problems.push_back(std::move(problem));
  }

  void ReportDialect() {
    const absl::string_view other = dialect_ == v1::DIALECT_KOMODO ? "toml" : "komodo";
    Add(v1::SEVERITY_NOTICE, "other-dialect", SourcePosition{file_.path, 0, 0},
        absl::StrCat("looks like dialect ", other),
        absl::StrCat("say so with dialect = \"", other,
                     "\" in its resource_sync, or with --dialect ", other));
  }

  void ReportNotActedOn(const Kind& kind, const TomlEntry& entry) {
    const std::size_t count = entry.value.items.size();
    Add(v1::SEVERITY_NOTICE, "kind-not-acted-on", source_.Map(entry.position),
        absl::StrCat("[[", entry.key, "]] is read and checked, but not acted on yet (", count,
                     count == 1 ? " entry" : " entries", "): ", kind.not_acted_on),
        "");
  }

  // A top-level key that holds no entries of a kind.
  void ReadOther(const TomlEntry& entry) {
    const SourcePosition position = source_.Map(entry.position);
    if (IsKnownTable(entry.key)) {
      // An empty array declares nothing.
      if (entry.value.type == TomlValue::Type::kArray && entry.value.items.empty()) return;
      Add(v1::SEVERITY_ERROR, "wrong-type", position,
          absl::StrCat("\"", entry.key, "\" must be an array of tables, found ",
                       NameOf(entry.value.type)),
          absl::StrCat("write [[", entry.key, "]]"));
      return;
    }
    const bool table = entry.value.type == TomlValue::Type::kTable || IsArrayOfTables(entry.value);
    // Among very many mistakes the near misses of the first are help enough.
    const bool looks_near = file_.problems.size() < kMostProblems;
    file_.has_unknown_table = file_.has_unknown_table || table;
    std::string hint = KnownMistake(entry.key);
    const std::string nearest = hint.empty() && looks_near ? NearestTable(entry.key) : "";
    if (!nearest.empty()) {
      hint = absl::StrCat("did you mean [[", nearest, "]]?");
    }
    Add(dialect_ == v1::DIALECT_KOMODO ? v1::SEVERITY_WARNING : v1::SEVERITY_ERROR,
        table ? "unknown-table" : "unknown-key", position,
        absl::StrCat("unknown top-level ", table ? "table" : "key", " \"", entry.key, "\""),
        hint.empty() ? "remove it, or move it to a file without resources" : hint);
  }

  static std::string NearestTable(absl::string_view key) {
    if (IsKnownTable(key)) return std::string(key);
    std::vector<std::string> names;
    for (const Kind& kind : Kinds()) {
      names.push_back(kind.name);
      names.push_back(kind.plural);
    }
    return NearestWord(key, names);
  }

  void ReadEntry(const Kind& kind, const TomlValue& table) {
    const std::string name = NameOfEntry(table);
    Declaration declaration;
    declaration.id = ResourceId{kind.name, name};
    declaration.position = source_.Map(table.position);
    // Without a usable name there is no resource to blame: the problems are the file's.
    std::vector<v1::Problem>* problems = name.empty() ? &file_.problems : &declaration.problems;
    FieldReader reader(source_, dialect_, name.empty() ? "" : declaration.id.ToString(), problems,
                       kMostProblems - std::min(kMostProblems, described_));
    auto resource = std::make_shared<v1::Resource>(DefaultResource(kind, dialect_));
    const std::size_t before = problems->size();
    EntryReader(kind, table, &reader).Read(resource.get());
    if (name.empty()) ReportName(kind, table, &reader);
    described_ += problems->size() - before;
    file_.hidden_problems += reader.hidden();
    if (name.empty()) return;
    SortByPosition(&declaration.problems);
    if (!reader.failed()) declaration.spec = std::move(resource);
    file_.declarations.push_back(std::move(declaration));
  }

  // Empty when there is none that can be used.
  static std::string NameOfEntry(const TomlValue& table) {
    for (const TomlEntry& entry : table.entries) {
      if (entry.key != "name") continue;
      const std::string& name = entry.value.text;
      const bool usable = entry.value.type == TomlValue::Type::kString &&
                          name.size() <= kLongestName && !HasControlCharacter(name);
      return usable ? name : "";
    }
    return "";
  }

  static void ReportName(const Kind& kind, const TomlValue& table, FieldReader* reader) {
    for (const TomlEntry& entry : table.entries) {
      if (entry.key != "name") continue;
      // A wrong type has been reported with the field.
      if (entry.value.type != TomlValue::Type::kString) return;
      const SourcePosition position = reader->source().Map(entry.value.position);
      const std::string whose = absl::StrCat("name of this [[", kind.name, "]] ");
      if (entry.value.text.empty()) {
        reader->ReportError("missing-name", position, whose + "is empty", "add name = \"...\"");
      } else if (entry.value.text.size() > kLongestName) {
        reader->ReportError("bad-value", position,
                            absl::StrCat(whose, "is longer than ", kLongestName, " bytes"),
                            "choose a shorter one");
      } else {
        reader->ReportError("bad-value", position, whose + "holds a control character",
                            "write it on one line");
      }
      return;
    }
    reader->ReportError("missing-name", reader->source().Map(table.position),
                        absl::StrCat("[[", kind.name, "]] has no \"name\""), "add name = \"...\"");
  }

  void Add(v1::Severity severity, absl::string_view code, const SourcePosition& position,
           const std::string& message, const std::string& suggestion) {
    if (file_.problems.size() >= kMostProblems) {
      ++file_.hidden_problems;
      return;
    }
    v1::Problem problem = source_.MakeProblem(severity, code, position, message);
    problem.set_suggestion(suggestion);
    file_.problems.push_back(std::move(problem));
  }

  const TomlSource& source_;
  const v1::Dialect dialect_;
  ParsedFile& file_;
  // Problems of entries so far.
  std::size_t described_ = 0;
};

void AddSecretKeys(const FieldTable& table, std::set<std::string>* keys) {
  for (const Field& field : table.fields) {
    if (field.rule->secret()) keys->insert(field.key);
    if (field.message != nullptr) AddSecretKeys(*field.message, keys);
  }
}

// A line that cannot be parsed may still hold a secret.
bool MayHoldSecret(absl::string_view line) {
  static const auto& keys = *[] {
    auto* all = new std::set<std::string>{"value", "password"};
    for (const Kind& kind : Kinds()) AddSecretKeys(FieldsOf(kind.message), all);
    return all;
  }();
  return std::any_of(keys.begin(), keys.end(),
                     [&](const std::string& key) { return absl::StrContains(line, key); });
}

// What is meant most often by what the parser says.
std::string SyntaxSuggestion(absl::string_view message) {
  struct Hint {
    absl::string_view message;
    absl::string_view suggestion;
  };
  static constexpr Hint kHints[] = {
      {"could not determine value type", "put texts in quotes"},
      {"cannot redefine existing", "keep one of the two"},
      {"expected '='", "write KEY = VALUE; a key with blanks or dots in it stands in quotes"},
      {"encountered end-of-file", "close the bracket or quote that is open"},
      {"expected comma", "part the values by commas"},
      {"escape", "double the backslash, or take single quotes, in which it stands for itself"},
  };
  for (const Hint& hint : kHints) {
    if (absl::StrContains(message, hint.message)) return std::string(hint.suggestion);
  }
  return "mend the line so that it is TOML (https://toml.io)";
}

v1::Problem SyntaxProblem(const TomlSource& source, const TomlError& error) {
  const SourcePosition position = source.Map(error.position);
  // The parser blames the line end itself for a one-line string that runs into it.
  const bool open_string = absl::StrContains(error.message, "unescaped control characters") &&
                           position.column > source.Line(position.line).size();
  v1::Problem problem =
      source.MakeProblem(v1::SEVERITY_ERROR, "syntax", position,
                         open_string ? "string has no end on this line" : error.message);
  problem.set_suggestion(open_string
                             ? "end it with the quote it began with; texts of several lines "
                               "stand between \"\"\""
                             : SyntaxSuggestion(error.message));
  if (MayHoldSecret(problem.source_line())) problem.clear_source_line();
  return problem;
}

}  // namespace

v1::Problem TooLargeProblem(absl::string_view path) {
  v1::Problem problem;
  problem.set_file(std::string(path));
  problem.set_severity(v1::SEVERITY_ERROR);
  problem.set_code("too-large");
  problem.set_message(absl::StrCat("file is larger than ", kLargestFile >> 20, " MiB"));
  problem.set_suggestion("split it into several files");
  return problem;
}

ParsedFile ReadToml(absl::string_view path, absl::string_view content, v1::Dialect dialect) {
  ParsedFile file;
  file.path = std::string(path);
  const TomlSource source(path, content, dialect);
  if (auto problem = source.Check()) {
    file.problems.push_back(*std::move(problem));
    file.spoilt = true;
    return file;
  }
  const std::variant<TomlValue, TomlError> parsed = ParseToml(source.text());
  if (const auto* error = std::get_if<TomlError>(&parsed)) {
    file.problems.push_back(SyntaxProblem(source, *error));
    file.spoilt = true;
    return file;
  }
  FileReader(source, dialect, &file).Read(std::get<TomlValue>(parsed));
  SortByPosition(&file.problems);
  return file;
}

std::vector<v1::Problem> ReadTomlSettings(absl::string_view path, absl::string_view content,
                                          google::protobuf::Message* settings) {
  const TomlSource source(path, content, v1::DIALECT_TOML);
  if (auto problem = source.Check()) return {*std::move(problem)};
  const std::variant<TomlValue, TomlError> parsed = ParseToml(source.text());
  if (const auto* error = std::get_if<TomlError>(&parsed)) return {SyntaxProblem(source, *error)};
  std::vector<v1::Problem> problems;
  FieldReader reader(source, v1::DIALECT_TOML, "", &problems);
  reader.ReadMessage(
      std::get<TomlValue>(parsed), FieldsOf(settings->GetDescriptor()), "this file",
      [](const std::string&) { return ""; }, settings);
  SortByPosition(&problems);
  return problems;
}

}  // namespace fairlead::resources
