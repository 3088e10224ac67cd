"""How long a fleet takes to converge in order, against the same work by raw engine calls."""

import statistics
import threading
import time

from bench_lab import Fleet

SERVERS = 3
CHAINS = 12
DEPTH = 5
# Actions at once on a host, for Fairlead and for the floor.
LIMIT = 2
MIN_READY_MS = 200
ROUNDS = 3


def place_of(chain, level):
    """Neighbours in a chain are on different servers."""
    return f"edge-{(chain + level) % SERVERS + 1}"


def run_floor(fleet, number):
    """The ideal: every container as soon as its predecessor is ready and its host has room.
    Returns ms until the last has started."""
    room = {name: threading.Semaphore(LIMIT) for name in fleet.names}
    ends, failures = [], []

    def run_chain(chain):
        try:
            # A connection is for one thread.
            engines = fleet.connect()
            for level in range(DEPTH):
                server = place_of(chain, level)
                with room[server]:
                    engines[server].create_and_start(f"floor-{number}-{chain}-{level}", number)
                ends.append(time.monotonic())
                time.sleep(MIN_READY_MS / 1000)
        except Exception as error:  # noqa: BLE001: told by the caller
            failures.append(error)

    threads = [threading.Thread(target=run_chain, args=(chain,)) for chain in range(CHAINS)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return (max(ends) - begin) * 1000


def remove_floor(fleet, number):
    for chain in range(CHAINS):
        for level in range(DEPTH):
            fleet.engines[place_of(chain, level)].call(
                "DELETE", f"/containers/floor-{number}-{chain}-{level}?force=true")


def run_fleet(fleet, number):
    """Returns ms from the webhook until the last container has started."""
    names = {}
    for chain in range(CHAINS):
        for level in range(DEPTH):
            name = f"app-{number}-{chain}-{level}"
            names[name] = place_of(chain, level)
            after = f"app-{number}-{chain}-{level - 1}" if level else ""
            fleet.write(name, names[name], number, MIN_READY_MS, after)
    commit = fleet.commit_and_push()
    begin = time.time() * 1000
    fleet.hook(commit)
    last = max(fleet.events[server].wait(["start"], name, begin, 180)[0]
               for name, server in names.items())
    fleet.wait_converged(commit, 60)
    return last - begin


def measure_order(add):
    fleet = Fleet(SERVERS, f"max_parallel = {LIMIT}")
    try:
        fleet.prepare()
        floors, times = [], []
        for number in range(ROUNDS):
            floors.append(run_floor(fleet, number))
            remove_floor(fleet, number)
            times.append(run_fleet(fleet, number))
        add(f"converge_{CHAINS * DEPTH}_in_order", statistics.median(times), "ms",
            statistics.median(floors), 1.3,
            note=f"{SERVERS} agents, after depth {DEPTH}")
    finally:
        fleet.end_processes()
