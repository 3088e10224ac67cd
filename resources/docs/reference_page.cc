#include "resources/docs/reference_page.h"

#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "base/file.h"
#include "base/status.h"
#include "fairlead/v1/options.pb.h"
#include "resources/docs/field_row.h"
#include "resources/field_defaults.h"
#include "resources/field_table.h"
#include "resources/field_text.h"
#include "resources/kind_table.h"
#include "resources/problem_text.h"
#include "resources/toml_reader.h"

namespace fairlead::resources {
namespace {

using google::protobuf::Message;

constexpr char kIntroduction[] = R"(# Resource files

<!-- Made by `make docs` from api/protos/fairlead/v1/*.proto and testdata/manifests/valid/. Change those, not this. -->

A resource file is TOML. It declares resources as arrays of tables, one array for each kind, under the singular or the
plural name: `[[stack]]` and `[[stacks]]` say the same. A file without any of these tables belongs to somebody else and is
ignored. `fairlead validate` checks files; [editors.md](editors.md) says how an editor does it while you type.

A sync reads its files in one of two dialects. `toml` is the default: an unknown key is an error. `komodo` reads the files
of Komodo with their meaning: its defaults where they differ (given below as "komodo:"), an unknown key is a warning, and
between three quotes `"""` backslashes stand for themselves. A `+` marks a key that Komodo does not have.

)";

constexpr char kForms[] = R"(## Forms

Some fields may be written in more than one way.

| form | how it is written |
|---|---|
| list | An array of texts; or one text, split at line ends and commas, in which `#` starts a comment. |
| lines | One text with a pair on each line, `KEY = value` or `key: value`; empty lines and `#` comments do not count, a `-` before the key neither. Or an array of tables with the two keys that are named. |
| file | A text; white space at its end is replaced by one line end. |
| duration | `"90s"`, `"1h30m"`, or a whole number of seconds. |
| version | `"1.2.3"`, of which the last parts may be missing, or `{ major = 1, minor = 2, patch = 3 }`. |
| {type, params} | A table that chooses by `type` what may stand in `params`. |

`[[NAME]]` within a text stands for the variable of that name, where the field says so.

)";

// The table heads of fields; a cell for the effect of a change only where there can be one.
std::string FieldTableText(const std::vector<FieldRow>& rows, bool with_change) {
  std::string out = absl::StrCat("| key | type | default |", with_change ? " change |" : "",
                                 " meaning |\n|---|---|---|", with_change ? "---|" : "", "---|\n");
  for (const FieldRow& row : rows) {
    absl::StrAppend(&out, "| ", row.keys, " | ", row.type, " | ", row.default_value, " | ");
    if (with_change) absl::StrAppend(&out, row.change, " | ");
    absl::StrAppend(&out, row.meaning, " |\n");
  }
  return out;
}

std::vector<FieldRow> RowsOf(const FieldTable& table) {
  const Message& toml = DefaultsOf(table.message, v1::DIALECT_TOML);
  const Message& komodo = DefaultsOf(table.message, v1::DIALECT_KOMODO);
  std::vector<FieldRow> rows;
  for (const Field& field : table.fields) rows.push_back(RowOf(field, toml, komodo));
  return rows;
}

// Of a tagged message: what `type` may say.
std::string TypeTableText(const FieldTable& members) {
  std::string out = "| type | params | meaning |\n|---|---|---|\n";
  for (const Field& member : members.fields) {
    const std::string params = member.message->fields.empty() ? "none" : TableLink(*member.message);
    absl::StrAppend(&out, "| `", member.rule->type(), "` | ", params, " | ", MeaningOf(member),
                    " |\n");
  }
  return out;
}

std::string TaggedText(const FieldTable& members) {
  std::string out = "A table `{ type = \"...\", params = { ... } }`";
  if (const Field* text = ShortFieldOf(members)) {
    absl::StrAppend(&out, "; a plain text is short for `", text->key, "` of `",
                    members.fields.front().rule->type(), "`");
  }
  return absl::StrCat(out, ".\n\n", TypeTableText(members));
}

std::string Heading(const std::string& text) { return absl::StrCat("## ", text, "\n\n"); }

// Fields beside `name`, which are the same for all kinds that have them.
std::string EntryText() {
  std::string out =
      absl::StrCat(Heading("Beside the name"),
                   "These stand in the entry itself. All other fields of a kind stand in its table "
                   "`config`, but for variables, "
                   "user groups and users, which have none.\n\n"
                   "| key | type | default | kinds | meaning |\n|---|---|---|---|---|\n");
  for (const Field& field : FieldsOf(v1::Resource::descriptor()).fields) {
    // Of any kind that has it: the defaults do not depend on the kind.
    const Kind* kind =
        FindKind(field.only_kinds.empty() ? Kinds().front().name : field.only_kinds.front());
    const FieldRow row = RowOf(field, DefaultResource(*kind, v1::DIALECT_TOML),
                               DefaultResource(*kind, v1::DIALECT_KOMODO));
    absl::StrAppend(&out, "| ", row.keys, " | ", row.type, " | ", row.default_value, " | ",
                    field.only_kinds.empty() ? "all" : absl::StrJoin(field.only_kinds, ", "), " | ",
                    row.meaning, " |\n");
  }
  return absl::StrCat(out, "\n");
}

std::string KindText(const Kind& kind, const std::string& example) {
  const FieldTable& fields = FieldsOf(kind.message);
  const v1::KindRule& rule = kind.message->options().GetExtension(v1::kind);
  std::string out = absl::StrCat(Heading(kind.name), Prose(rule.doc()));
  if (!kind.not_acted_on.empty()) {
    absl::StrAppend(&out, " **Read and checked, but not acted on yet:** ", kind.not_acted_on, ".");
  }
  return absl::StrCat(
      out, "\n\n```toml\n", absl::StripAsciiWhitespace(example), "\n```\n\n",
      kind.tagged ? TypeTableText(fields) : FieldTableText(RowsOf(fields), kind.deploys), "\n");
}

// Tables within the config of kinds, each once, in the order in which they are met.
class Tables {
 public:
  void Visit(const FieldTable& table) {
    for (const Field& field : table.fields) {
      if (field.message == nullptr || !seen_.insert(field.message).second) continue;
      if (field.rule->form() == v1::FORM_TAGGED) {
        Append(*field.message, TaggedText(*field.message));
      } else if (field.rule->form() != v1::FORM_VERSION && !field.message->fields.empty()) {
        Append(*field.message, FieldTableText(RowsOf(*field.message), false));
      }
      Visit(*field.message);
    }
  }

  const std::string& text() const { return text_; }

 private:
  void Append(const FieldTable& table, const std::string& text) {
    absl::StrAppend(&text_, "### ", TableName(table), "\n\n", text, "\n");
  }

  std::set<const FieldTable*> seen_;
  std::string text_;
};

absl::Status CheckExample(const Kind& kind, const std::string& text) {
  const ParsedFile file = ReadToml(absl::StrCat(kind.name, ".toml"), text, v1::DIALECT_TOML);
  std::vector<v1::Problem> problems = file.problems;
  bool found = false;
  for (const Declaration& declaration : file.declarations) {
    found = found || declaration.id.kind == kind.name;
    problems.insert(problems.end(), declaration.problems.begin(), declaration.problems.end());
  }
  for (const v1::Problem& problem : problems) {
    if (problem.severity() == v1::SEVERITY_ERROR) {
      return absl::InvalidArgumentError(FormatProblem(problem));
    }
  }
  if (found) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the example of ", kind.name, " declares no resource of that kind"));
}

std::string Contents() {
  std::vector<std::string> links;
  for (const Kind& kind : Kinds()) {
    links.push_back(absl::StrCat("[", kind.name, "](#", kind.name, ")"));
  }
  return absl::StrCat("Kinds: ", absl::StrJoin(links, ", "), ".\n\n");
}

}  // namespace

absl::StatusOr<std::string> ReferencePage(const std::map<std::string, std::string>& examples) {
  std::string out = absl::StrCat(kIntroduction, Contents(), kForms, EntryText());
  Tables tables;
  for (const Kind& kind : Kinds()) {
    const auto example = examples.find(kind.name);
    if (example == examples.end()) {
      return absl::NotFoundError(absl::StrCat("there is no example of ", kind.name));
    }
    RETURN_IF_ERROR(CheckExample(kind, example->second));
    absl::StrAppend(&out, KindText(kind, example->second));
    tables.Visit(FieldsOf(kind.message));
  }
  absl::StrAppend(&out, Heading("Tables"), "What stands within the fields above.\n\n",
                  tables.text());
  out.pop_back();
  return out;
}

absl::StatusOr<std::map<std::string, std::string>> ReadExamples(const std::string& folder) {
  std::map<std::string, std::string> examples;
  for (const Kind& kind : Kinds()) {
    const std::string path = absl::StrCat(folder, "/", kind.name, ".toml");
    ASSIGN_OR_RETURN(examples[kind.name], base::ReadFile(path));
  }
  return examples;
}

}  // namespace fairlead::resources
