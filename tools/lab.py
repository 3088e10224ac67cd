"""What the demo and the benchmark share: processes, webhooks, Docker's event stream."""

import hashlib
import hmac
import json
import pathlib
import subprocess
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ("fairlead", "fairlead-controller", "fairlead-agent")
# A shell ends at once on a signal only while it waits for a background process.
IDLE = 'trap "exit 0" TERM INT; while :; do sleep 3600 & wait $!; done'


class LabError(Exception):
    """A step did not do what it should."""


def run(*command, env=None, check=True, cwd=None):
    result = subprocess.run([str(part) for part in command], env=env, cwd=cwd, text=True,
                            capture_output=True, check=False)
    if check and result.returncode != 0:
        raise LabError(f"{' '.join(map(str, command))}: exit {result.returncode}\n"
                       f"{result.stdout}{result.stderr}")
    return result


def wait_for(what, condition, patience=60.0, pause=0.03):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(pause)
    raise LabError(f"waited {patience:.0f} s in vain for: {what}")


def spawn(log, *command):
    """A process in a session of its own, so that Ctrl-C at the terminal is not its business."""
    with open(log, "ab") as out:
        return subprocess.Popen([str(part) for part in command], stdout=out, stderr=out,
                                stdin=subprocess.DEVNULL, start_new_session=True)


def wait_endpoints(controller, data_dir):
    """The addresses that a controller just spawned listens on."""
    file = pathlib.Path(data_dir) / "endpoints.json"

    def ready():
        if controller.poll() is not None:
            raise LabError(f"the controller ended with {controller.returncode}")
        if not file.exists():
            return None
        found = json.loads(file.read_text())
        return found if found.get("pid") == controller.pid else None
    return wait_for("the controller's endpoints.json", ready, 30)


def send_webhook(http, secret, sync, ref, old, new):
    """Posts a push event as GitHub signs it. Returns the HTTP status; raises OSError."""
    body = json.dumps({"ref": ref, "before": old, "after": new}).encode()
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    request = urllib.request.Request(
        f"http://{http}/webhook/github/{sync}", data=body,
        headers={"Content-Type": "application/json", "X-GitHub-Event": "push",
                 "X-Hub-Signature-256": f"sha256={digest}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class Events(threading.Thread):
    """Docker's own event stream, so that times are the engine's and not a poller's."""

    def __init__(self, host):
        super().__init__(daemon=True)
        self.process = subprocess.Popen(
            ["docker", "-H", host, "events", "--filter", "type=container", "--format",
             "{{json .}}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True)
        self.seen = []
        self.start()

    def run(self):
        for line in self.process.stdout:
            event = json.loads(line)
            self.seen.append((event["timeNano"] / 1e6, event["Action"],
                              event["Actor"]["Attributes"].get("name", ""), event["id"]))

    def find(self, actions, name, since=0.0):
        """The first such event at or after `since` (ms): (time in ms, container id), or None."""
        for at, action, who, container in list(self.seen):
            if at >= since and who == name and action in actions:
                return at, container
        return None

    def wait(self, actions, name, since=0.0, patience=60.0):
        return wait_for(f"{name} to {actions[0]}", lambda: self.find(actions, name, since),
                        patience, pause=0.005)

    def close(self):
        self.process.kill()
        self.process.wait()
