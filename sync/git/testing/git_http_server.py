"""Serves the repositories below a folder with git http-backend, for tests.

usage: git_http_server.py ROOT [USER:PASSWORD]

Prints its port, serves one request after another, and ends when standard input closes.
"""
import base64
import http.server
import os
import subprocess
import sys
import threading

ROOT = sys.argv[1]
LOGIN = sys.argv[2] if len(sys.argv) > 2 else ""


class Request(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def refuse(self):
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="test"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        wanted = "Basic " + base64.b64encode(LOGIN.encode()).decode()
        if LOGIN and self.headers.get("Authorization") != wanted:
            return self.refuse()
        path, _, query = self.path.partition("?")
        if path.startswith("/busy/"):
            return self.send_error(503)
        environment = dict(os.environ, GIT_PROJECT_ROOT=ROOT, GIT_HTTP_EXPORT_ALL="1",
                           PATH_INFO=path, QUERY_STRING=query, REQUEST_METHOD=self.command,
                           CONTENT_TYPE=self.headers.get("Content-Type", ""),
                           CONTENT_LENGTH=str(len(body)), REMOTE_ADDR="127.0.0.1",
                           HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""))
        answer = subprocess.run(["git", "http-backend"], input=body, env=environment,
                                stdout=subprocess.PIPE, check=False).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = next((value for name, value in headers if name == "Status"), "200 OK")
        self.send_response(int(status.split()[0]))
        for name, value in headers:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = serve
    do_POST = serve


server = http.server.HTTPServer(("127.0.0.1", 0), Request)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
