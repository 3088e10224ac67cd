#!/usr/bin/env python3
"""Checks what the compiler cannot: include layers, banned calls, sizes, names.

Usage: check_layers.py [ROOT]    ROOT is the tree; default: the one this script lies in.
Prints `path:line: message` per breach and exits 1 when there is one.
"""

import pathlib
import re
import sys

FOLDERS = ("base", "resources", "sync", "controller", "agent", "cli", "integration")

# Folder -> folders of this tree it may include. The deepest match of a path wins; a folder may
# always include itself. API messages ("fairlead/v1/") are free for all but base.
LAYERS = {
    "base": (),
    "resources": ("base",),
    "sync": ("base", "resources"),
    "sync/git": ("base", "resources", "sync"),
    "controller/accounts": ("base", "resources"),
    "controller/loop": ("base", "resources", "sync", "sync/git", "controller/accounts",
                        "controller/store"),
    "controller/agents": ("base", "resources", "sync", "controller/loop"),
    "controller/actions": ("base", "resources", "sync", "sync/git", "controller/accounts", "controller/loop",
                           "controller/store"),
    "controller/store": ("base", "resources", "sync"),
    "controller/metrics": ("base", "controller/loop"),
    "controller/alerts": ("base", "controller/loop"),
    "controller/secrets": ("base", "resources", "controller/loop", "controller/store"),
    "controller/identity": ("base", "controller/store"),
    "controller/election": ("base", "controller/store"),
    "controller/access": ("base", "resources", "controller/store"),
    "controller/service": ("base", "resources", "sync", "sync/git", "controller"),
    "controller/http": ("base", "resources", "sync", "controller"),
    "controller": ("base", "resources", "sync", "sync/git", "controller"),
    "agent": ("base", "resources"),
    "cli": ("base", "resources"),
    "integration": ("base", "resources"),
    # The agent's runtime on real engines, registries and git servers.
    "integration/agent": ("base", "resources", "agent", "integration"),
    # The one place that holds both ends.
    "integration/simulation": ("base", "resources", "sync", "controller", "agent"),
    # A controller whose clock jumps.
    "integration/chaos": ("base", "controller", "integration", "integration/simulation"),
}

# Third-party include prefix -> where it may stand (regular expressions on the path).
HOMES = {
    "toml++/": (r"^resources/toml_\w+\.(cc|h)$",),
    "git2": (r"^sync/git/",),
    "sqlite3.h": (r"^controller/store/",),
    "pqxx/": (r"^controller/store/",),
    "libpq-fe.h": (r"^controller/store/",),
    "boost/": (r"^agent/", r"^controller/access/oidc/", r"^controller/http/", r"^controller/secrets/", r"^cli/", r"^integration/"),
    "prometheus/": (r"^controller/metrics/",),
    "grpc": (r"^controller/agents/", r"^controller/service/", r"^controller/identity/peer_verifier",
             r"^controller/[^/]+$", r"^controller/testing/", r"^agent/",
             r"^cli/", r"^integration/"),
    "curl/": (r"^controller/access/oidc/", r"^controller/alerts/", r"^controller/secrets/",
              r"^controller/webhook_relay\.cc$", r"^cli/import/docker_engine\.cc$", r"^integration/"),
    "sodium": (r"^base/", r"^resources/", r"^agent/", r"^controller/"),
    "openssl/": (r"^base/certificate\.cc$", r"^base/testing/token_signer\.h$", r"^agent/", r"^controller/", r"^integration/"),
    "CLI/": (r"^cli/", r"^agent/main\.cc$", r"^controller/program\.cc$",
             r"^integration/(simulation|chaos)/main\.cc$"),
    "spdlog/": (r"^base/log\.cc$",),
}

# Pattern -> (message, where it is allowed).
BANNED = (
    (r"\babsl::Now\(", "absl::Now: take a base::Clock", (r"^base/clock\.cc$",)),
    (r"\bsleep_for\(|\bsleep_until\(|\babsl::SleepFor\(|(?<![\w.:>])u?sleep\(|\bnanosleep\(",
     "sleeping: wait for the event, or use a delayed queue entry",
     (r"^base/clock\.cc$", r"^base/backoff\.cc$", r"^integration/testing/")),
    (r"\bstd::random_device\b", "std::random_device: take a base::Random",
     (r"^base/backoff\.cc$", r"^base/ids\.cc$", r"^base/clock\.cc$")),
    (r"\babsl::(Mutex|MutexLock|Notification|CondVar)\b", "use base/mutex.h", ()),
    (r"\bstd::(cout|cerr)\b", "printing belongs to cli/; log with base/log.h",
     (r"^cli/", r"(^|/)main\.cc$", r"^controller/program\.cc$", r"_test\.cc$", r"_itest\.cc$",
      r"/testing/", r"test_program\.cc$")),
    (r"(?<![\w.:>])(std::)?system\(", "system(): use base/subprocess.h", ()),
    (r"\busing\s+namespace\b", "using namespace", ()),
)

# Servers of tests: any test may start one.
TEST_SERVERS = ("controller/store/testing/postgres_cluster.h",)

# Tests that run both ends of a protocol against each other.
BOTH_ENDS = re.compile(r"_pair_test\.cc$")

SUFFIXES = ("Manager", "Helper", "Util", "Utils", "Handler", "Processor", "Data", "Info")
TYPE = re.compile(r"^\s*(?:class|struct|enum(?:\s+class)?)\s+(?:ABSL_\w+(?:\([^)]*\))?\s+)?"
                  r"(\w+)(?:\s+final)?\s*(?:[:{]|$)")
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
TODO = re.compile(r"\bTODO\b(?!\(\d+\):)")
MAX_LINES = 600


def allowed(path, places):
    return any(re.search(place, path) for place in places)


def strip_code(text):
    """The text without comments and string contents; line numbers stay."""
    pattern = re.compile(
        r'R"(?P<mark>[^\s()\\]{0,16})\(.*?\)(?P=mark)"'
        r'|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|//[^\n]*|/\*.*?\*/', re.S)

    def blank(match):
        token = match.group(0)
        # A digit separator such as 10'000 must not start a character literal.
        filler = '""' if token.startswith(('"', "R")) else ""
        return filler + "\n" * token.count("\n")

    return pattern.sub(blank, re.sub(r"(?<=\d)'(?=\d)", "", text))


def layer_of(path):
    parts = path.split("/")[:-1]
    for length in range(len(parts), 0, -1):
        folder = "/".join(parts[:length])
        if folder in LAYERS:
            return folder
    return None


def check_include(path, line, bracket, target):
    own = layer_of(path)
    if target.startswith("fairlead/v1/"):
        if own == "base":
            yield line, f"base must not include {target}"
        if target.endswith(".grpc.pb.h") and not allowed(path, HOMES["grpc"]):
            yield line, f"{target}: gRPC stays in its own folders"
        return
    for prefix, places in HOMES.items():
        if target.startswith(prefix) and not allowed(path, places):
            yield line, f"{target}: third-party include outside its home"
    other = layer_of(target) if bracket == '"' else None
    if other is None or own is None or other == own or BOTH_ENDS.search(path) or (
            target in TEST_SERVERS):
        return
    if other not in LAYERS[own] and not (
            "controller" in LAYERS[own] and other.startswith("controller")):
        yield line, f"{own} must not include {other} ({target})"


def check_text(path, text):
    """Yields (line, message) for one file."""
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        yield len(lines), f"{len(lines)} lines; split files above {MAX_LINES}"
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match:
            yield from check_include(path, number, match.group(1), match.group(2))
        if TODO.search(line):
            yield number, "TODO without an issue number: TODO(12): ..."
    for number, line in enumerate(strip_code(text).splitlines(), 1):
        for pattern, message, places in BANNED:
            if re.search(pattern, line) and not allowed(path, places):
                yield number, message
        match = TYPE.match(line)
        if match and match.group(1).endswith(SUFFIXES) and not line.rstrip().endswith(";"):
            yield number, f"type {match.group(1)}: say what it is, not that it is one"
    if path.endswith(".h") and "#pragma once" not in text:
        yield 1, "header without #pragma once"


def check_tree(root):
    """Yields `path:line: message` for every breach below root, and the number of files last."""
    files = sorted(p for folder in FOLDERS for p in (root / folder).rglob("*")
                   if p.suffix in (".h", ".cc") and p.is_file())
    for file in files:
        path = file.relative_to(root).as_posix()
        for line, message in check_text(path, file.read_text(encoding="utf-8")):
            yield f"{path}:{line}: {message}"


def main(argv):
    root = pathlib.Path(argv[1]) if len(argv) > 1 else pathlib.Path(__file__).parent.parent
    breaches = list(check_tree(root.resolve()))
    for breach in breaches:
        print(breach)
    if breaches:
        print(f"check_layers: {len(breaches)} breaches; docs/architecture.md says where things go")
        return 1
    print("check_layers: fine")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
