#!/usr/bin/env python3
"""Compares `fairlead schema` with `fairlead validate` by an independent validator.

Usage: schema_test.py FAIRLEAD ROOT    FAIRLEAD is the program, ROOT the source tree.

The schema itself is checked against its metaschema. Then both are asked about the same files:
the fixtures of testdata/manifests, and files made at random from the schema, some of them broken
in one place. What the schema accepts and the reader refuses, or the reverse, is a failure, unless
it is listed below as something that a schema cannot say.
"""

import datetime
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import tomllib

import jsonschema

SEED = 7
FILES_PER_KIND = 40

# Fixtures of testdata/manifests/invalid that a schema cannot refuse, and why.
NOT_IN_A_SCHEMA = {
    "bad_schedule.toml": "the grammar of schedules",
    "bad_value_lines.komodo.toml": "the grammar of lines within a text",
    "unknown_time_zone.toml": "the time zones that a machine knows",
}
# Fixtures that the reader takes for somebody else's file and ignores. An editor asks the schema
# about resource files only.
FOREIGN = {"foreign.toml", "foreign_near_miss.toml"}
# Errors about more than one value, and about what an engine makes of values: the files made here
# may hold them by chance.
BEYOND_ONE_VALUE = {"bad-name", "cycle", "duplicate", "invalid-value", "name-conflict", "no-server",
                    "port-conflict"}

failures = []


def fail(text):
    failures.append(text)
    print(f"FAILED {text}")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def schema_of(fairlead, dialect):
    result = run(fairlead, "schema", "--dialect", dialect)
    assert result.returncode == 0, result.stderr
    schema = json.loads(result.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def errors_of(fairlead, dialect, folder):
    """What the reader refuses, by name of the file."""
    result = run(fairlead, "validate", "-o", "json", "--dialect", dialect, str(folder))
    assert result.returncode in (0, 1) and result.stdout, result.stderr
    errors = {}
    for problem in json.loads(result.stdout)["problems"]:
        if problem["severity"] == "SEVERITY_ERROR" and problem["code"] not in BEYOND_ONE_VALUE:
            name = pathlib.Path(problem["file"]).name
            errors.setdefault(name, f"{problem['message']} [{problem['code']}]")
    return errors


def load(path, dialect):
    """The values of a file; raises ValueError when it is no TOML 1.0 in UTF-8."""
    text = path.read_bytes().decode("utf-8-sig")
    if dialect == "komodo":
        # In this dialect backslashes within three quotes stand for themselves.
        parts = text.split('"""')
        parts[1::2] = [part.replace("\\", "\\\\") for part in parts[1::2]]
        text = '"""'.join(parts)
    return tomllib.loads(text)


def first_error(validator, value):
    error = jsonschema.exceptions.best_match(validator.iter_errors(value))
    if error is None:
        return None
    place = "".join(f"[{step!r}]" for step in error.absolute_path)
    return f"{place or 'file'}: {error.message[:200]}"


def dialect_of(path):
    return "komodo" if path.name.endswith(".komodo.toml") else "toml"


def check_fixtures(fairlead, root, validators):
    """Both must say of each fixture what its folder says."""
    counts = {"valid": 0, "invalid": 0, "skipped": 0}
    manifests = root / "testdata" / "manifests"
    for path in sorted([*manifests.glob("valid/*.toml"), *manifests.glob("invalid/*.toml")]):
        dialect = dialect_of(path)
        valid = path.parent.name == "valid"
        reader = errors_of(fairlead, dialect, path)
        try:
            value = load(path, dialect)
        except (ValueError, RecursionError) as error:
            if valid:
                counts["skipped"] += 1
                print(f"skipped {path.name}: needs more than TOML 1.0 ({error})")
            elif not reader:
                fail(f"{path.name}: no TOML ({error}), but the reader says well")
            continue
        if path.name in FOREIGN:
            continue
        schema = first_error(validators[dialect], value)
        counts[path.parent.name] += 1
        if valid and reader:
            fail(f"{path.name}: the reader refuses it: {reader}")
        if valid and schema:
            fail(f"{path.name}: the schema refuses it: {schema}")
        if not valid and bool(reader) != bool(schema) and path.name not in NOT_IN_A_SCHEMA:
            fail(f"{path.name}: the reader says {reader or 'well'}, the schema {schema or 'well'}")
        if not valid and schema and path.name in NOT_IN_A_SCHEMA:
            fail(f"{path.name}: listed as beyond a schema, but the schema says {schema}")
    assert counts["valid"] >= 4 and counts["invalid"] >= 15, counts
    print(f"fixtures: {counts}")


class Maker:
    """Makes values that a schema accepts."""

    TEXTS = ("", "a", "web 1", "caf\u00e9", "x/y.z", "[[A]]", "two\nlines")
    LINES = ("", "A = b", "  # comment\nA: b\n", "- 'A=b'\nB=c")
    # Texts that match a pattern of the schema; a new pattern needs a line here.
    MATCHES = {
        "ns|us|ms|s|m|h": ("90s", "1h30m", "0", ".5s", "+1m2.5s"),
        "^[0-9]+(": ("1", "1.2", "1.2.3", "0.0.0.7"),
    }

    def __init__(self, schema, seed):
        self.schema = schema
        self.random = random.Random(seed)
        self.names = 0

    def resolve(self, schema):
        while "$ref" in schema:
            schema = self.schema["$defs"][schema["$ref"].removeprefix("#/$defs/")]
        return schema

    def entry(self, kind):
        value = self.value(self.schema["$defs"][kind], 0)
        self.names += 1
        value["name"] = f"r{self.names}"
        return value

    def value(self, schema, depth):
        schema = self.resolve(schema)
        for choice in ("oneOf", "anyOf"):
            if choice in schema:
                return self.value(self.random.choice(schema[choice]), depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        return getattr(self, schema.get("type", "anything"))(schema, depth)

    def object(self, schema, depth):
        excluded = [rule["required"] for rule in schema.get("not", {}).get("anyOf", ())
                    if "required" in rule]
        value = {}
        keys = list(schema["properties"])
        self.random.shuffle(keys)
        for key in keys:
            needed = key in schema.get("required", ())
            taken = any(key in keys and set(keys) & set(value) for keys in excluded)
            if needed or (not taken and self.random.random() < (0.5 if depth < 3 else 0.2)):
                value[key] = self.value(schema["properties"][key], depth + 1)
        # Its example is the phrase; no schema can say what a phrase may be.
        if "schedule" in value:
            value.pop("schedule_format", None)
        if isinstance(schema.get("additionalProperties"), dict) and self.random.random() < 0.5:
            value["any key"] = self.value(schema["additionalProperties"], depth + 1)
        return value

    def array(self, schema, depth):
        return [self.value(schema["items"], depth + 1) for _ in range(self.random.randrange(3))]

    def string(self, schema, _):
        if "examples" in schema:
            return schema["examples"][0]
        if "pattern" in schema:
            for part, texts in self.MATCHES.items():
                if part in schema["pattern"]:
                    return self.random.choice(texts)
            raise AssertionError(f"no text for the pattern {schema['pattern']}")
        if schema.get("title", "").startswith("Lines of"):
            return self.random.choice(self.LINES)
        return self.random.choice(self.TEXTS[:-1] if "not" in schema else self.TEXTS)

    def integer(self, schema, _):
        ends = [schema.get("minimum", -5), schema.get("maximum", 100000)]
        return self.random.choice(ends + [max(ends[0], 0), max(ends[0], 7)])

    def number(self, _schema, _depth):
        return self.random.choice((0, 1.5, 90, 0.25))

    def boolean(self, _schema, _depth):
        return self.random.random() < 0.5

    def anything(self, _schema, _depth):
        return self.random.choice(("a", 3, True, [1], {"a": {"b": "c"}}))


def containers(value):
    """All tables and arrays within a value, itself included."""
    found = [value]
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, (dict, list)):
            found += containers(item)
    return found


def broken(entry, rand):
    """The entry with one place changed to something else; often, not always, wrong."""
    entry = json.loads(json.dumps(entry))
    place = rand.choice(containers(entry))
    others = ("text", 3, 1.5, True, [], [7], ["a"], {}, {"a": 1}, {"type": "None"},
              datetime.date(2024, 12, 24))
    if isinstance(place, list):
        place.append(rand.choice(others))
        return entry
    kind_of_change = rand.randrange(3)
    if kind_of_change == 0 or not place:
        place[rand.choice(("no_such_key", "name", "type", "config", "deploy", "server"))] = (
            rand.choice(others))
    elif kind_of_change == 1:
        del place[rand.choice(list(place))]
    else:
        key = rand.choice(list(place))
        place[key] = rand.choice(others)
        # No schema can say what a phrase or the name of a zone may be.
        if key in ("schedule", "schedule_timezone", "timezone") and place[key] == "text":
            place[key] = 3
    return entry


def toml(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    return repr(value)


def check_made_files(fairlead, dialect, schema, validator):
    """Both must say the same of files made from the schema, whole ones and broken ones."""
    maker = Maker(schema, SEED)
    kinds = [name for name in schema["properties"] if name in schema["$defs"]]
    values = {}
    with tempfile.TemporaryDirectory(prefix="fairlead-schema-") as folder:
        for kind in kinds:
            for number in range(FILES_PER_KIND):
                whole = maker.entry(kind)
                entries = {"whole": whole, "broken": broken(whole, maker.random)}
                for what, entry in entries.items():
                    name = f"{kind}-{number}-{what}.toml"
                    values[name] = {kind: [entry]}
                    lines = [f"{json.dumps(k)} = {toml(v)}\n" for k, v in entry.items()]
                    pathlib.Path(folder, name).write_text(
                        f"[[{kind}]]\n{''.join(lines)}", encoding="utf-8")
        reader = errors_of(fairlead, dialect, folder)
    refused = 0
    for name, value in values.items():
        schema_says = first_error(validator, value)
        refused += schema_says is not None
        reader_says = reader.get(name)
        if name.endswith("-whole.toml") and (schema_says or reader_says):
            fail(f"{dialect} {name}: made to be well, but the reader says {reader_says}, the "
                 f"schema {schema_says}: {value}")
        elif bool(schema_says) != bool(reader_says):
            fail(f"{dialect} {name}: the reader says {reader_says or 'well'}, the schema "
                 f"{schema_says or 'well'}: {value}")
    assert refused > len(values) / 10, (refused, len(values))
    print(f"made files, {dialect}: {len(values)} of {len(kinds)} kinds, {refused} refused by both")


def main(argv):
    fairlead, root = argv[1], pathlib.Path(argv[2])
    schemas = {dialect: schema_of(fairlead, dialect) for dialect in ("toml", "komodo")}
    validators = {d: jsonschema.Draft202012Validator(schema) for d, schema in schemas.items()}
    check_fixtures(fairlead, root, validators)
    for dialect, schema in schemas.items():
        check_made_files(fairlead, dialect, schema, validators[dialect])
    if failures:
        print(f"{len(failures)} failures")
        return 1
    print("schema and reader agree")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
