"""A private fleet to measure: engines, agents, a controller, a git repository, and raw engine calls.

Shared by the benchmarks; what each measures is in its own file.
"""

import datetime
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.request

from lab import (
    IDLE, PROGRAMS, ROOT, Events, LabError, run, send_webhook, spawn, wait_endpoints, wait_for)

OUT = ROOT / "out" / "bench"
BIN = pathlib.Path(os.environ.get("BENCH_BIN") or ROOT / "out" / "bin").resolve()
SECRET = "bench"

DEPLOYMENT = """\
[[deployment]]
name = "{name}"
after = [{after}]
[deployment.config]
server = "{server}"
image = {{ type = "Image", params = {{ image = "bench/app:1" }} }}
environment = "ROUND = {round}"
min_ready = "{min_ready}ms"
"""


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


class Engine:
    """Raw calls on one kept connection: nothing below it is ours to speed up."""

    def __init__(self, host):
        self.connection = UnixConnection(host.removeprefix("unix://"))

    def call(self, method, path, body=None):
        self.connection.request(
            method, path, None if body is None else json.dumps(body),
            {"Content-Type": "application/json"} if body is not None else {})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise LabError(f"{method} {path}: {answer.status} {text.decode(errors='replace')}")
        return json.loads(text) if text.strip() else None

    def create_and_start(self, name, number):
        # As Fairlead makes it: same image, environment, labels, network and restart policy.
        made = self.call("POST", f"/containers/create?name={name}", {
            "Image": "bench/app:1", "Env": [f"ROUND={number}"],
            "Labels": {f"bench.label.{n}": "value" for n in range(4)},
            "HostConfig": {"NetworkMode": "bridge",
                           "RestartPolicy": {"Name": "unless-stopped"}}})
        self.call("POST", f"/containers/{made['Id']}/start")

    def stop_and_remove(self, name):
        self.call("POST", f"/containers/{name}/stop?t=10")
        self.call("DELETE", f"/containers/{name}")


def milliseconds(action):
    begin = time.monotonic()
    action()
    return (time.monotonic() - begin) * 1000


def rss_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LabError(f"process {pid} has no VmRSS")


def cpu_ms(pid):
    """Processor time of a process so far, all threads and children it has waited for."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) * 1000 / os.sysconf("SC_CLK_TCK")


def percentile(values, percent):
    """By nearest rank: a value that was measured."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


class Story(threading.Thread):
    """The controller's events as they come; only for what Docker cannot say: converged."""

    def __init__(self, env):
        super().__init__(daemon=True)
        self.process = subprocess.Popen(
            [str(BIN / "fairlead"), "events", "-w", "-o", "json"], env=env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        self.seen = []
        self.start()

    def run(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if event.get("type") == "converged":
                # Python reads at most microseconds.
                at = re.sub(r"(\.\d{6})\d*", r"\1", event["at"].replace("Z", "+00:00"))
                self.seen.append((datetime.datetime.fromisoformat(at).timestamp() * 1000,
                                  event["resource"]))

    def wait_converged(self, resource, since):
        def look():
            return next((at for at, who in list(self.seen) if who == resource and at >= since),
                        None)
        return wait_for(f"{resource} converged", look, 60, pause=0.005)

    def close(self):
        self.process.kill()
        self.process.wait()


class Fleet:
    """`servers` agents edge-1... with an engine each, and the controller they answer to."""

    def __init__(self, servers=1, server_config=""):
        self.processes = []
        self.names = [f"edge-{number + 1}" for number in range(servers)]
        self.server_config = server_config
        self.hosts = {}
        self.agents = {}
        self.events = {}
        self.engines = {}
        self.story = None
        self.env = dict(os.environ)

    def start(self, *command):
        name = pathlib.Path(command[0]).name
        process = spawn(OUT / f"{name}.log", *command)
        self.processes.append(process)
        return process

    def end_processes(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()
        for stream in (*self.events.values(), self.story):
            if stream:
                stream.close()
        self.events, self.story = {}, None

    def clean(self):
        self.end_processes()
        for folder in sorted(OUT.glob("engine-*")):
            run(ROOT / "tools" / "private_engine", "remove", folder)
        shutil.rmtree(OUT, ignore_errors=True)

    def git(self, *arguments):
        return run("git", "-C", OUT / "work", "-c", "user.name=bench", "-c",
                   "user.email=bench@localhost", "-c", "commit.gpgsign=false", *arguments)

    def write(self, name, server, number, min_ready, after=""):
        folder = OUT / "work" / server
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.toml").write_text(DEPLOYMENT.format(
            name=name, server=server, round=number, min_ready=min_ready,
            after=f'"{after}"' if after else ""))

    def commit_and_push(self):
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "bench")
        self.git("push", "-q", "origin", "main")
        return self.git("rev-parse", "HEAD").stdout.strip()

    def hook(self, commit):
        status = send_webhook(self.http, SECRET, "main", "refs/heads/main", "0" * 40, commit)
        if status not in (200, 202):
            raise LabError(f"webhook: {status}")

    def deploy(self, patience=300):
        """Commits what was written. Returns the ms from the webhook until all has converged."""
        commit = self.commit_and_push()
        begin = time.monotonic()
        self.hook(commit)
        self.wait_converged(commit, patience)
        return (time.monotonic() - begin) * 1000

    def status(self):
        try:
            return json.loads(run(BIN / "fairlead", "status", "-o", "json", env=self.env,
                                  check=False).stdout)
        except ValueError:
            return {}

    def wait_converged(self, commit, patience):
        def look():
            status = self.status()
            revisions = [s.get("revision", "") for s in status.get("syncs", [])]
            return status.get("converged") and any(r and commit.startswith(r) for r in revisions)
        wait_for(f"converged at {commit[:7]}", look, patience, 0.1)

    def prepare(self):
        self.clean()
        for program in [BIN / name for name in PROGRAMS]:
            if not os.access(program, os.X_OK):
                raise LabError(f"{program} is not there; run: make bench")
        OUT.mkdir(parents=True)
        for name in self.names:
            self.hosts[name] = run(ROOT / "tools/private_engine", "start", f"bench-{name}",
                                   OUT / f"engine-{name}").stdout.strip()
            run(ROOT / "tools/make_image", self.hosts[name], "bench/app:1", "--cmd", IDLE)
        run("git", "init", "-q", "--bare", "-b", "main", OUT / "repo.git")
        run("git", "init", "-q", "-b", "main", OUT / "work")
        self.git("remote", "add", "origin", OUT / "repo.git")
        (OUT / "work/servers.toml").write_text("".join(
            f'[[server]]\nname = "{name}"\n[server.config]\n{self.server_config}\n'
            for name in self.names))
        (OUT / "secret").write_text(SECRET)
        (OUT / "bootstrap.toml").write_text(
            '[[resource_sync]]\nname = "main"\n[resource_sync.config]\n'
            f'url = "file://{OUT}/repo.git"\ndelete = true\npoll_interval = "1h"\n')
        self.commit_and_push()
        self.controller = self.start(
            BIN / "fairlead-controller", "--dev", "--listen", "127.0.0.1:0", "--http-listen",
            "127.0.0.1:0", "--data-dir", OUT / "controller", "--bootstrap",
            OUT / "bootstrap.toml", "--webhook-secret-file", OUT / "secret", "--log-level",
            "warning")
        endpoints = wait_endpoints(self.controller, OUT / "controller")
        self.grpc, self.http = endpoints["grpc"], endpoints["http"]
        self.env["FAIRLEAD_CONTROLLER"] = self.grpc
        for name, host in self.hosts.items():
            self.agents[name] = self.start(
                BIN / "fairlead-agent", "--dev", "--controller", self.grpc, "--name", name,
                "--data-dir", OUT / f"agent-{name}", "--docker-host", host, "--log-level",
                "warning")
            self.events[name] = Events(host)
            self.engines[name] = Engine(host)
        self.story = Story(self.env)

    def connect(self):
        """More connections to the engines, by server."""
        return {name: Engine(host) for name, host in self.hosts.items()}

    def floor_once(self, name, number):
        """In ms: (stop+remove+create+start, create+start) of `floor`, beside the running fleet."""
        engine = self.engines[name]
        begin = time.monotonic()
        engine.stop_and_remove("floor")
        making = milliseconds(lambda: engine.create_and_start("floor", number))
        return (time.monotonic() - begin) * 1000, making

    def durations(self):
        """Seconds and counts so far of what the controller times itself."""
        with urllib.request.urlopen(f"http://{self.http}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        found = {}
        for name in ("fetch", "plan"):
            for part in ("sum", "count"):
                pattern = rf"^fairlead_{name}_duration_seconds_{part}(?:\{{.*\}})? (\S+)$"
                found[name, part] = sum(float(v) for v in re.findall(pattern, text, re.M))
        return found
