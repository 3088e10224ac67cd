"""What a build that prints 1 GB costs the agent and the controller in memory."""

import pathlib

from bench_lab import BIN, OUT, Fleet, milliseconds
from lab import LabError, run

BYTES = 1_000_000_000
# The same work; one shows it.
BUILDS = {"quiet": " > /dev/null", "flood": ""}
TOML = """\
[[builder]]
name = "local"
config = {{ type = "Server", params = {{ server = "edge-1" }} }}
{builds}"""
BUILD = """\
[[build]]
name = "{name}"
[build.config]
builder = "local"
dockerfile = '''
FROM bench/app:1
RUN yes 0123456789012345678901234567890123456789 | head -c {bytes}{where}; echo; echo the last word
'''
"""


def reset_peak(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise LabError(f"process {pid} has no VmHWM")


def measure_flood(add):
    fleet = Fleet(1)
    try:
        fleet.prepare()
        (OUT / "work" / "builds.toml").write_text(TOML.format(builds="".join(
            BUILD.format(name=name, bytes=BYTES, where=where) for name, where in BUILDS.items())))
        fleet.deploy()
        pids = {"agent": fleet.agents["edge-1"].pid, "controller": fleet.controller.pid}
        peaks, times = {}, {}
        for name in BUILDS:
            for pid in pids.values():
                reset_peak(pid)

            def build(name=name):
                shown = run(BIN / "fairlead", "build", name, "--wait", env=fleet.env).stdout
                if "the last word" not in shown:
                    raise LabError(f"the end of what build {name} prints is not shown")
            times[name] = milliseconds(build)
            peaks[name] = {who: peak_mib(pid) for who, pid in pids.items()}
        for who in pids:
            add(f"{who}_peak_of_a_build_that_prints_1_gb", peaks["flood"][who], "MiB",
                peaks["quiet"][who], 1.25, note="floor: the same build, which prints nothing")
        add("build_that_prints_1_gb", times["flood"], "ms", times["quiet"])
    finally:
        fleet.end_processes()
