"""What links with certificates cost: a handshake, and a thousand agents that are connected."""

import json
import os
import pathlib
import re
import resource
import ssl
import time
import urllib.request

from bench_lab import BIN, OUT, Fleet, cpu_ms, rss_mib
from lab import ROOT, LabError, run, wait_endpoints, wait_for

HANDSHAKE_BENCH = pathlib.Path(
    os.environ.get("BENCH_HANDSHAKE") or ROOT / "out/build/release/integration/handshake_bench")
STUB_FLEET = pathlib.Path(
    os.environ.get("BENCH_STUB_FLEET") or ROOT / "out/build/release/integration/stub_fleet")
AGENTS = 1000
SECONDS = 20


def connected(http):
    """How many agents the controller counts; its certificate is not looked at."""
    context = ssl._create_unverified_context()  # noqa: S323
    with urllib.request.urlopen(f"https://{http}/metrics", timeout=30, context=context) as answer:
        found = re.search(r"^fairlead_agents_connected (\S+)$", answer.read().decode(), re.M)
    return int(float(found.group(1)))


def measure_link(add):
    fleet = Fleet(0)
    try:
        fleet.clean()
        for program in (BIN / "fairlead-controller", HANDSHAKE_BENCH, STUB_FLEET):
            if not os.access(program, os.X_OK):
                raise LabError(f"{program} is not there; run: make bench")
        OUT.mkdir(parents=True)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-subj", "/CN=bench", "-days", "2", "-keyout", OUT / "ca.key", "-out",
            OUT / "ca.pem")
        (OUT / "bootstrap.toml").write_text(
            "".join(f'[[server]]\nname = "link-{n + 1}"\n' for n in range(AGENTS)))
        data = OUT / "controller"
        controller = fleet.start(
            BIN / "fairlead-controller", "--listen", "127.0.0.1:0", "--http-listen",
            "127.0.0.1:0", "--data-dir", data, "--tls-ca", OUT / "ca.pem", "--bootstrap",
            OUT / "bootstrap.toml", "--log-level", "warning")
        endpoints = wait_endpoints(controller, data)
        shown = run(HANDSHAKE_BENCH, endpoints["grpc"], data / "tls/ca.crt", data / "tls/ca.key")
        for line in shown.stdout.splitlines():
            row = json.loads(line)
            add(row["name"], row["value"], row["unit"], row["floor"], row["target"],
                note="floor: a bare gRPC server with the same certificates")
        before = rss_mib(controller.pid)
        most_files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        fleet.start("prlimit", f"--nofile={most_files}:{most_files}", STUB_FLEET,
                    endpoints["grpc"], "link", AGENTS, data / "tls/ca.crt", OUT / "ca.pem", OUT / "ca.key")
        wait_for(f"{AGENTS} agents", lambda: connected(endpoints["http"]) == AGENTS, 120, 0.5)
        begin = cpu_ms(controller.pid)
        time.sleep(SECONDS)
        spent = (cpu_ms(controller.pid) - begin) / SECONDS
        if connected(endpoints["http"]) != AGENTS:
            raise LabError("agents were disconnected while they were measured")
        add(f"controller_rss_of_{AGENTS}_agents", rss_mib(controller.pid) - before, "MiB",
            note="more than without any")
        add(f"controller_cpu_of_{AGENTS}_agents", spent, "ms",
            note="processor time a second; a heartbeat of each every 2 s")
    finally:
        fleet.end_processes()
