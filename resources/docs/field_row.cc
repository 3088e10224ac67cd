#include "resources/docs/field_row.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

#include "resources/field_text.h"
#include "resources/line_form.h"
#include "resources/toml_text.h"

namespace fairlead::resources {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string Cell(const std::string& text) { return absl::StrReplaceAll(text, {{"|", "\\|"}}); }

std::string Code(const std::string& text) { return absl::StrCat("`", text, "`"); }

std::string EnumType(const Field& field) {
  std::vector<std::string> texts;
  for (const EnumText& value : field.values) {
    std::string text = Code(value.text.empty() ? "\"\"" : value.text);
    for (const std::string& alias : value.aliases) absl::StrAppend(&text, " (", Code(alias), ")");
    if (!value.rule->not_yet().empty()) absl::StrAppend(&text, " (not acted on yet)");
    texts.push_back(std::move(text));
  }
  return absl::StrJoin(texts, ", ");
}

std::string ScalarType(const Field& field) {
  switch (field.descriptor->cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return "boolean";
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumType(field);
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return "number";
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return "integer";
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "integer from 0";
    default:
      return "text";
  }
}

std::string PlainType(const Field& field) {
  const std::string reference = ReferenceTextOf(field);
  const std::string type = field.message != nullptr ? TableLink(*field.message)
                           : reference.empty()      ? ScalarType(field)
                                                    : reference;
  if (!field.descriptor->is_repeated()) return type;
  return absl::StrCat("array of ", field.message != nullptr ? type : "texts",
                      reference.empty() ? "" : ", each the ", reference);
}

std::string LinesType(const LineForm& form) {
  return absl::StrCat("[lines](#forms) ",
                      Code(absl::StrCat(form.first, form.separator, form.second)));
}

std::string TypeOf(const Field& field);

std::string MapType(const Field& field) {
  const std::vector<Field>& fields = field.message->fields;
  std::string type =
      absl::StrCat("table of ", Code(absl::StrCat(fields[0].key, " = ", fields[1].key)));
  if (fields.size() > 2) absl::StrAppend(&type, ", or of ", TableLink(*field.message));
  return type;
}

std::string TypeOf(const Field& field) {
  const std::string reference = ReferenceTextOf(field);
  if (const LineForm* lines = FindLineForm(field.rule->form())) return LinesType(*lines);
  switch (field.rule->form()) {
    case v1::FORM_STRING_LIST:
      return absl::StrCat("[list](#forms)", reference.empty() ? "" : ", each the ", reference);
    case v1::FORM_FILE_CONTENTS:
      return "[file](#forms)";
    case v1::FORM_VERSION:
      return "[version](#forms)";
    case v1::FORM_DURATION:
      return "[duration](#forms)";
    case v1::FORM_TAGGED:
      return TableLink(*field.message);
    case v1::FORM_STRING_OR_TABLE_LIST:
      return absl::StrCat("array of ", TableLink(*field.message), ", or of its ",
                          Code(field.message->fields.front().key), " alone");
    case v1::FORM_TABLE_OR_LIST:
      return absl::StrCat(TableLink(*field.message), ", or an array of them");
    case v1::FORM_MAP:
      return MapType(field);
    case v1::FORM_ANY_TABLE:
      return "table of any values";
    default:
      return PlainType(field);
  }
}

std::string KeysOf(const Field& field) {
  std::vector<std::string> keys = {Code(field.display)};
  if (field.key != field.display) keys.push_back(Code(field.key));
  for (const std::string& alias : field.rule->alias()) {
    if (alias != field.display) keys.push_back(Code(alias));
  }
  return absl::StrJoin(keys, ", ");
}

std::string DefaultOf(const Field& field, const Message& toml, const Message& komodo) {
  if (field.rule->required()) return "required";
  const std::string text = DefaultTextOf(field, toml, v1::DIALECT_TOML);
  const std::string own = text.empty() ? "" : Code(text);
  if (FieldsEqual(toml, komodo, field)) return own;
  return absl::StrCat(own, "; komodo: ", Code(DefaultTextOf(field, komodo, v1::DIALECT_KOMODO)));
}

std::string ChangeOf(const Field& field) {
  switch (field.rule->effect()) {
    case v1::EFFECT_RECREATE:
      return "recreates";
    case v1::EFFECT_LIVE:
      return "in place";
    default:
      return "";
  }
}

}  // namespace

std::string Prose(const std::string& text) {
  return absl::StrReplaceAll(text, {{"`[[NAME]]`", "`[[NAME]]`"}, {"[[NAME]]", "`[[NAME]]`"}});
}

std::string TableName(const FieldTable& table) {
  return std::string(absl::StripPrefix(table.message->full_name(), "fairlead.v1."));
}

std::string TableLink(const FieldTable& table) {
  const std::string name = TableName(table);
  return absl::StrCat("[", name, "](#",
                      absl::AsciiStrToLower(absl::StrReplaceAll(name, {{".", ""}})), ")");
}

FieldRow RowOf(const Field& field, const Message& toml_defaults, const Message& komodo_defaults) {
  FieldRow row;
  row.keys = Cell(absl::StrCat(KeysOf(field), field.rule->addition() ? " +" : ""));
  row.type = Cell(TypeOf(field));
  row.default_value = Cell(DefaultOf(field, toml_defaults, komodo_defaults));
  row.change = ChangeOf(field);
  row.meaning = Cell(Prose(MeaningOf(field)));
  return row;
}

}  // namespace fairlead::resources
