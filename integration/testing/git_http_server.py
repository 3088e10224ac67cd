#!/usr/bin/env python3
"""Serves git repositories over smart HTTP through git's own CGI program.

Usage: git_http_server.py ROOT PORT_FILE

Writes the port to PORT_FILE when it listens. With a GIT_SERVER_LOGIN ("user:password") in the
environment everything else is refused. Paths below /moved/ answer with a redirection to a page that
is no repository.
"""

import base64
import http.server
import os
import subprocess
import sys
import urllib.parse


class Smart(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root = ""
    login = ""

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def serve(self):
        path, _, query = self.path.partition("?")
        body = self.body()
        if path.startswith("/moved/"):
            self.refuse(301, "Location", "/sign-in")
            return
        if path == "/sign-in":
            self.refuse(200, "Content-Type", "text/html")
            return
        wanted = "Basic " + base64.b64encode(self.login.encode()).decode()
        if self.login and self.headers.get("Authorization") != wanted:
            self.refuse(401, "WWW-Authenticate", 'Basic realm="test"')
            return
        environment = dict(
            os.environ, GIT_PROJECT_ROOT=self.root, GIT_HTTP_EXPORT_ALL="1",
            PATH_INFO=urllib.parse.unquote(path), QUERY_STRING=query,
            REQUEST_METHOD=self.command, REMOTE_ADDR=self.client_address[0], REMOTE_USER="test",
            CONTENT_TYPE=self.headers.get("Content-Type", ""), CONTENT_LENGTH=str(len(body)),
            HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
            GIT_PROTOCOL=self.headers.get("Git-Protocol", ""))
        done = subprocess.run(["git", "http-backend"], input=body, env=environment,
                              capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        status, headers = 200, []
        for line in head.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(": ")
            if name.lower() == "status":
                status = int(value.split()[0])
            elif name:
                headers.append((name, value))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def refuse(self, status, name, value):
        self.send_response(status)
        self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = serve

    def log_message(self, *_):
        pass


def main(root, port_file):
    Smart.root = os.path.abspath(root)
    Smart.login = os.environ.get("GIT_SERVER_LOGIN", "")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Smart)
    with open(port_file + ".new", "w", encoding="ascii") as out:
        out.write(str(server.server_address[1]))
    os.rename(port_file + ".new", port_file)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
