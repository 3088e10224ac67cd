#!/usr/bin/env python3
"""An HTTP proxy before one server, which fails as a file says.

Usage: fault_proxy.py PORT TARGET_PORT FILE    FILE holds "HOW TIMES WHAT": the next TIMES requests
of WHAT end in HOW: a status such as 500, or "cut". WHAT is "push" for those that change something
(POST, PATCH, PUT) or "pull" for those that read an image; of a pull "cut" concerns layers, which end
in their middle.
"""

import http.client
import http.server
import os
import sys
import threading

LOCK = threading.Lock()
# As registries say it.
ERROR = b'{"errors": [{"code": "%s", "message": "told to fail"}]}'
CODES = {"401": b"UNAUTHORIZED", "429": b"TOOMANYREQUESTS"}


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    target = 0
    file = ""

    def is_meant(self, how, what):
        if what == "push":
            return self.command in ("POST", "PATCH", "PUT")
        if how == "cut":
            return self.command == "GET" and "/blobs/" in self.path
        return self.command in ("GET", "HEAD") and (
            "/blobs/" in self.path or "/manifests/" in self.path)

    def fault(self):
        with LOCK:
            with open(self.file, encoding="ascii") as file:
                how, times, what = file.read().split()
            if int(times) <= 0 or not self.is_meant(how, what):
                return None
            with open(self.file + ".next", "w", encoding="ascii") as file:
                file.write(f"{how} {int(times) - 1} {what}")
            os.rename(self.file + ".next", self.file)
            return how

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, status, headers, content):
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        length = dict((name.lower(), value) for name, value in headers).get("content-length")
        if self.command == "HEAD" and length is not None:
            self.send_header("Content-Length", length)
        else:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def answer_half(self, status, headers, content):
        self.close_connection = True
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:len(content) // 2])

    def serve(self):
        how = self.fault()
        if how == "cut" and self.command != "GET":
            self.close_connection = True
            self.connection.close()
            return
        body = self.body()
        if how not in (None, "cut"):
            self.answer(int(how), [("Content-Type", "application/json")],
                        ERROR % CODES.get(how, b"UNKNOWN"))
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.target)
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() not in ("transfer-encoding", "content-length", "connection")}
        headers["Content-Length"] = str(len(body))
        connection.request(self.command, self.path, body=body, headers=headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if how == "cut":
            self.answer_half(response.status, response.getheaders(), content)
        else:
            self.answer(response.status, response.getheaders(), content)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = serve

    def log_message(self, *_):
        pass


def main(port, target, file):
    Proxy.target = int(target)
    Proxy.file = file
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Proxy).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
