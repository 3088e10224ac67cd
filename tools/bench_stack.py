"""How long a stack takes to follow a change of one service, against the compose tool's own work."""

import os
import shutil
import statistics
import subprocess
import time

from bench_lab import OUT, Fleet, milliseconds
from lab import LabError, run

SERVER = "edge-1"
SERVICES = 20
# The one that changes.
CHANGED = 7
ROUNDS = 7
NO_OPS = 3

STACK = """\
[[stack]]
name = "twenty"
description = "{note}"
[stack.config]
server = "edge-1"
run_directory = "twenty"
auto_pull = false
min_ready = "1ms"
"""

# Notes each run of a tool before it hands over to it.
COUNTING = """\
#!/bin/sh
{condition}echo "$*" >>{log}
exec {tool} "$@"
"""


def compose_text(number):
    """All services alike, but for the round of one of them."""
    lines = ['version: "3.7"', "services:"]
    for index in range(SERVICES):
        value = number if index == CHANGED else 0
        lines += [f"  svc-{index}:", "    image: bench/app:1", "    environment:",
                  f'      ROUND: "{value}"']
    return "\n".join(lines) + "\n"


class Counter:
    """Runs of compose by everything started within, by programs put first in PATH."""

    def __init__(self):
        self.log = OUT / "compose-runs"
        self.folder = OUT / "counting"
        self.path = os.environ["PATH"]
        self.tools = []

    def __enter__(self):
        # What is looked for there comes later: the folder is cleared in between.
        os.environ["PATH"] = f"{self.folder}:{self.path}"
        return self

    def __exit__(self, *_):
        os.environ["PATH"] = self.path

    def install(self):
        self.folder.mkdir(parents=True)
        for name in ("docker", "docker-compose"):
            tool = shutil.which(name, path=self.path)
            if not tool:
                continue
            is_tool = name != "docker" or subprocess.run(
                [tool, "compose", "version"], check=False, capture_output=True).returncode == 0
            if is_tool:
                self.tools.append(name)
            file = self.folder / name
            condition = '[ "$1" != compose ] || ' if name == "docker" else ""
            file.write_text(COUNTING.format(condition=condition, log=self.log, tool=tool))
            file.chmod(0o755)

    def count(self):
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


class Floor:
    """The same project, kept by the tool alone."""

    def __init__(self, host, plugin):
        self.folder = OUT / "floor"
        self.folder.mkdir()
        self.env = dict(os.environ, DOCKER_HOST=host)
        self.tool = ["docker", "compose"] if plugin else ["docker-compose"]

    def compose(self, *arguments):
        run(*self.tool, "--project-name", "floor", *arguments, env=self.env, cwd=self.folder)

    def start(self):
        (self.folder / "compose.yaml").write_text(compose_text(0))
        self.compose("--file", "compose.yaml", "up", "-d")

    def change(self, number):
        """In ms: `config` and `up` of the changed service."""
        (self.folder / "compose.yaml").write_text(compose_text(number))

        def work():
            self.compose("--file", "compose.yaml", "config")
            self.compose("--file", "compose.yaml", "up", "-d", "--no-deps", f"svc-{CHANGED}")
        return milliseconds(work)


def write(note, number):
    folder = OUT / "work" / "twenty"
    folder.mkdir(exist_ok=True)
    (OUT / "work" / "twenty.toml").write_text(STACK.format(note=note))
    (folder / "compose.yaml").write_text(compose_text(number))


def change(fleet, number):
    """In ms: from the webhook until the stack has converged."""
    write("", number)
    commit = fleet.commit_and_push()
    begin = time.time() * 1000
    fleet.hook(commit)
    ended = fleet.story.wait_converged("stack/twenty", begin)
    listed = fleet.engines[SERVER].call(
        "GET", "/containers/json?filters=" + "%7B%22label%22%3A%5B%22com.docker.compose.project%3D"
        f"twenty%22%2C%22com.docker.compose.service%3Dsvc-{CHANGED}%22%5D%7D")
    if len(listed) != 1:
        raise LabError(f"svc-{CHANGED} has {len(listed)} containers")
    inspected = fleet.engines[SERVER].call("GET", f"/containers/{listed[0]['Id']}/json")
    if f"ROUND={number}" not in inspected["Config"]["Env"]:
        raise LabError(f"svc-{CHANGED} is not of round {number}")
    return ended - begin


def measure_stack(add):
    fleet = Fleet(1)
    counter = Counter()
    try:
        with counter:
            fleet.prepare()
            counter.install()
            if not counter.tools:
                print("stack: skipped, there is no compose tool", flush=True)
                return
            floor = Floor(fleet.hosts[SERVER], "docker" in counter.tools)
            floor.start()
            write("", 0)
            fleet.deploy()
            floors, times = [], []
            for number in range(1, ROUNDS + 1):
                floors.append(floor.change(number))
                times.append(change(fleet, number))
            add(f"redeploy_1_of_{SERVICES}_services", statistics.median(times), "ms",
                statistics.median(floors), 1.2, note=f"floor: {' '.join(floor.tool)}, whole commands")
            before = counter.count()
            for number in range(NO_OPS):
                write(f"looked at {number} times", ROUNDS)
                fleet.deploy()
            add("compose_runs_of_no_op_syncs", counter.count() - before, "", target=0,
                note=f"{NO_OPS} commits beside a stack of {SERVICES}")
    finally:
        fleet.end_processes()
