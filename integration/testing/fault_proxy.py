#!/usr/bin/env python3
"""An HTTP proxy before one server, which fails as a file says.

Usage: fault_proxy.py PORT TARGET_PORT FILE    FILE holds "HOW TIMES": the next TIMES requests that
change something (POST, PATCH, PUT) end in HOW: a status such as 500, or "cut".
"""

import http.client
import http.server
import os
import sys
import threading

LOCK = threading.Lock()


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    target = 0
    file = ""

    def fault(self):
        with LOCK:
            with open(self.file, encoding="ascii") as file:
                how, times = file.read().split()
            if int(times) <= 0:
                return None
            with open(self.file + ".next", "w", encoding="ascii") as file:
                file.write(f"{how} {int(times) - 1}")
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

    def serve(self):
        how = self.fault() if self.command in ("POST", "PATCH", "PUT") else None
        if how == "cut":
            self.close_connection = True
            self.connection.close()
            return
        body = self.body()
        if how is not None:
            self.answer(int(how), [("Content-Type", "text/plain")], b"told to fail\n")
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.target)
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() not in ("transfer-encoding", "content-length", "connection")}
        headers["Content-Length"] = str(len(body))
        connection.request(self.command, self.path, body=body, headers=headers)
        response = connection.getresponse()
        self.answer(response.status, response.getheaders(), response.read())
        connection.close()

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = serve

    def log_message(self, *_):
        pass


def main(port, target, file):
    Proxy.target = int(target)
    Proxy.file = file
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Proxy).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
