"""How fast each kind of drift is healed, as ratio to Docker's own create and start."""

import os
import signal
import time

from bench_lab import Fleet, LabError, percentile, run, wait_for

HEALS = int(os.environ.get("BENCH_HEALS", "50"))
SERVER = "edge-1"


def kill_first_process(fleet, name):
    """As a crash; Docker's restart policy and Fairlead are both free to act."""
    pid = fleet.engines[SERVER].call("GET", f"/containers/{name}/json")["State"]["Pid"]
    os.kill(pid, signal.SIGKILL)
    return "die"


def remove(fleet, name):
    run("docker", "-H", fleet.hosts[SERVER], "rm", "-f", name)
    return "destroy"


def stop(fleet, name):
    run("docker", "-H", fleet.hosts[SERVER], "stop", name)
    return "die"


def recreate(fleet, name):
    """The same labels and another environment. Without its agent, or the heal comes first."""
    engine = fleet.engines[SERVER]
    agent = fleet.agents[SERVER]
    made = engine.call("GET", f"/containers/{name}/json")
    agent.send_signal(signal.SIGSTOP)
    try:
        engine.call("DELETE", f"/containers/{name}?force=true")
        other = engine.call("POST", f"/containers/create?name={name}", {
            "Image": made["Config"]["Image"], "Env": ["ROUND=by-hand"],
            "Labels": made["Config"]["Labels"], "HostConfig": {
                "NetworkMode": made["HostConfig"]["NetworkMode"],
                "RestartPolicy": made["HostConfig"]["RestartPolicy"]}})
        engine.call("POST", f"/containers/{other['Id']}/start")
    finally:
        agent.send_signal(signal.SIGCONT)
    return None


KINDS = {"kill": kill_first_process, "rm": remove, "stop": stop, "recreated": recreate}


def heal_once(fleet, kind, name):
    """In ms: from the drift, as Docker tells it, to the start of what is declared."""
    events = fleet.events[SERVER]
    begin = time.time() * 1000
    broken_by = KINDS[kind](fleet, name)
    # Made by hand while the agent slept: it can begin only when it goes on.
    at = time.time() * 1000 if broken_by is None else events.wait([broken_by], name, begin)[0]
    started, container = events.wait(["start"], name, at)
    inspected = fleet.engines[SERVER].call("GET", f"/containers/{container}/json")
    if "ROUND=0" not in inspected["Config"]["Env"] or not inspected["State"]["Running"]:
        raise LabError(f"{name} was not healed after {kind}")
    return started - at


def measure_heals(add):
    """A resource for each heal, so that no backoff plays in; kinds take turns."""
    fleet = Fleet()
    try:
        fleet.prepare()
        names = [f"heal-{kind}-{number}" for number in range(HEALS) for kind in KINDS]
        for name in names:
            fleet.write(name, SERVER, 0, min_ready=200)
        fleet.deploy()
        fleet.engines[SERVER].create_and_start("floor", 0)
        floors, times = [], {kind: [] for kind in KINDS}
        for name in names:
            kind = name.split("-")[1]
            floors.append(fleet.floor_once(SERVER, 0)[1])
            times[kind].append(heal_once(fleet, kind, name))
            # Until then the fleet is at work, and the next sample would not be alone.
            wait_for(f"{name} is well", lambda: fleet.status().get("converged"), 60)
        for kind, samples in times.items():
            add(f"heal_after_{kind}_p50", percentile(samples, 50), "ms", percentile(floors, 50))
            add(f"heal_after_{kind}_p99", percentile(samples, 99), "ms", percentile(floors, 99), 2)
    finally:
        fleet.end_processes()
