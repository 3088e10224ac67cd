#include "resources/dialect_guess.h"

#include "resources/field_table.h"
#include "resources/kind_table.h"

namespace fairlead::resources {
namespace {

// What is seen in a file.
struct Marks {
  // [[stacks]].
  bool plural = false;
  // What the toml dialect assumes anyway.
  bool explicit_deploy = false;
  bool unknown = false;
  // {type, params} where the toml dialect has a short form, and that form.
  bool long_form = false;
  bool short_form = false;
  // A field that the komodo format does not have.
  bool addition = false;
};

// Of a field with a short form: is it used, or written out where it could have been?
void LookAtTagged(const Field& field, const TomlValue& value, Marks* marks) {
  const Field& first = field.message->fields.front();
  if (first.message->fields.size() != 1) return;
  marks->short_form = marks->short_form || value.type == TomlValue::Type::kString;
  for (const TomlEntry& entry : value.entries) {
    if (entry.key != "type") continue;
    marks->long_form = marks->long_form || entry.value.text == first.rule->type();
  }
}

void LookAt(const Field* field, const TomlEntry& entry, Marks* marks) {
  if (field == nullptr) {
    marks->unknown = true;
    return;
  }
  marks->addition = marks->addition || field->rule->addition();
  if (field->rule->form() == v1::FORM_TAGGED) LookAtTagged(*field, entry.value, marks);
}

void LookAtEntry(const Kind& kind, const TomlValue& table, Marks* marks) {
  const FieldTable& of_entry = FieldsOf(v1::Resource::descriptor());
  const FieldTable& of_kind = FieldsOf(kind.message);
  for (const TomlEntry& entry : table.entries) {
    if (entry.key == "config" && !kind.flat) {
      if (kind.tagged) continue;
      for (const TomlEntry& inner : entry.value.entries) {
        LookAt(of_kind.Find(inner.key), inner, marks);
      }
      continue;
    }
    const Field* field = of_entry.Find(entry.key);
    if (field == nullptr && kind.flat) field = of_kind.Find(entry.key);
    LookAt(field, entry, marks);
    const bool deploys = entry.key == "deploy" && entry.value.boolean;
    marks->explicit_deploy = marks->explicit_deploy || deploys;
  }
}

}  // namespace

bool LooksLikeOtherDialect(const TomlValue& root, v1::Dialect dialect) {
  Marks marks;
  for (const TomlEntry& entry : root.entries) {
    const Kind* kind = FindKind(entry.key);
    if (kind == nullptr) {
      marks.unknown = true;
      continue;
    }
    marks.plural = marks.plural || entry.key == kind->plural;
    for (const TomlValue& table : entry.value.items) LookAtEntry(*kind, table, &marks);
  }
  if (dialect == v1::DIALECT_KOMODO) {
    return marks.short_form && !marks.long_form && !marks.explicit_deploy;
  }
  if (marks.addition || marks.short_form) return false;
  // An unknown key alone may be a slip.
  return marks.long_form || (marks.unknown && (marks.plural || marks.explicit_deploy));
}

}  // namespace fairlead::resources
