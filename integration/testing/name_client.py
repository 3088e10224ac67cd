"""Connects to a container by its name, again and again, from the network of another container.

Usage: name_client.py NAME RESULT_FILE    until SIGTERM; then writes what it saw as JSON.

Each round asks Docker's DNS anew and takes a page from every address of the answer: a client may
choose any of them. Beside that a connection is held open for a while with half a request sent.
"""

import collections
import json
import os
import re
import signal
import socket
import struct
import sys
import time

DNS = ("127.0.0.11", 53)
PATIENCE = 2.0
HELD_SECONDS = 2.5
PAUSE = 0.002
PAGE = re.compile(rb"^HTTP/1\.\d 200 .*?\r?\n\r?\n(.*)$", re.DOTALL)


class Stopped(Exception):
    pass


def addresses(name, number):
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    query = struct.pack(">HHHHHH", number & 0xFFFF, 0x0100, 1, 0, 0, 0)
    query += question + struct.pack(">HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(PATIENCE)
        asker.sendto(query, DNS)
        answer = asker.recv(4096)
    code = answer[3] & 15
    found = []
    at = len(query)
    for _ in range(struct.unpack(">H", answer[6:8])[0]):
        at += 2 if answer[at] >= 0xC0 else answer.index(b"\0", at) - at + 1
        kind, _, _, length = struct.unpack(">HHIH", answer[at:at + 10])
        at += 10
        if kind == 1:
            found.append(socket.inet_ntoa(answer[at:at + length]))
        at += length
    if code != 0 or not found:
        raise OSError(f"{name} does not resolve: code {code}, {len(found)} addresses")
    return found


def begin(address):
    connection = socket.create_connection((address, 80), PATIENCE)
    connection.sendall(b"GET / HTTP/1.0\r\n")
    return connection


def finish(connection):
    with connection:
        connection.sendall(b"\r\n")
        answer = b""
        while part := connection.recv(4096):
            answer += part
    page = PAGE.match(answer)
    if page is None:
        raise OSError(f"no page: {answer!r}")
    return page.group(1).decode().strip()


def run(name, seen):
    held, held_since, held_address = None, 0.0, ""
    while True:
        seen["rounds"] += 1
        try:
            found = addresses(name, seen["rounds"])
            seen["rounds_with_two"] += len(found) > 1
            for address in found:
                seen["pages"][finish(begin(address))] += 1
            if held is None:
                held, held_since, held_address = begin(found[0]), time.monotonic(), found[0]
            elif time.monotonic() - held_since > HELD_SECONDS:
                page, held = finish(held), None
                seen["held"] += 1
                seen["held_to_the_old"] += held_address not in found
                seen["pages"][page] += 1
        except OSError as error:
            seen["failures"].append(f"{time.time():.3f} {error!r}")
            held = None
        time.sleep(PAUSE)


def main():
    name, result_file = sys.argv[1:]

    def stop(*_):
        raise Stopped

    signal.signal(signal.SIGTERM, stop)
    seen = {"rounds": 0, "rounds_with_two": 0, "pages": collections.Counter(), "held": 0,
            "held_to_the_old": 0, "failures": []}
    try:
        run(name, seen)
    except Stopped:
        pass
    with open(result_file + ".new", "w", encoding="utf-8") as file:
        json.dump(seen, file)
    os.rename(result_file + ".new", result_file)


if __name__ == "__main__":
    main()
