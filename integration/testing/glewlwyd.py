#!/usr/bin/env python3
"""Sets up glewlwyd, an OpenID provider of Debian, for a test, and plays the browser.

Usage: glewlwyd.py prepare ROOT FOLDER PORT     its files: FOLDER/glewlwyd.conf and its database;
                                                ROOT is where its packages are unpacked
       glewlwyd.py configure PORT REDIRECT_URI  once it runs: a client, a user "ann" in the groups
                                                "devs" and "staff", the provider at /api/oidc;
                                                prints the client's secret
       glewlwyd.py visit PORT URL               "ann" logs in and opens URL, and goes where it leads

Nothing of it is for more than a test.
"""

import gzip
import json
import pathlib
import secrets
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

# Of the database that the package makes.
ADMIN = {"username": "admin", "password": "password"}
USER = {"username": "ann", "password": "correct horse battery"}
CLIENT = "fairlead"
SCOPES = ["openid", "groups"]
PATIENCE = 60.0


def prepare(root, folder, port):
    root, folder = pathlib.Path(root), pathlib.Path(folder)
    script = root / "usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz"
    with sqlite3.connect(folder / "glewlwyd.db") as database:
        database.executescript(gzip.decompress(script.read_bytes()).decode())
    modules = root / "usr/lib/glewlwyd"
    (folder / "glewlwyd.conf").write_text(f"""
port={port}
bind_address="127.0.0.1"
external_url="http://127.0.0.1:{port}"
login_url="login.html"
api_prefix="api"
static_files_path="{root}/usr/share/glewlwyd/webapp/"
log_mode="console"
log_level="WARNING"
cookie_domain="127.0.0.1"
cookie_secure=0
session_expiration=2419200
session_key="GLEWLWYD2_SESSION_ID"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="{modules}/user"
user_middleware_module_path="{modules}/user_middleware"
client_module_path="{modules}/client"
user_auth_scheme_module_path="{modules}/scheme"
plugin_module_path="{modules}/plugin"
hash_algorithm="SHA512"
database = {{ type = "sqlite3"; path = "{folder}/glewlwyd.db"; }};
""", encoding="utf-8")
    (modules / "user_middleware").mkdir(exist_ok=True)


class Browser:
    """Keeps its session; follows redirections only when it is told to."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, req, fp, code, msg, headers, newurl):
            return None

    def __init__(self, port):
        self.api = f"http://127.0.0.1:{port}/api"
        # Python's own jar takes no cookies of an address.
        self.cookie = ""
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), self.Stay)

    def call(self, method, path, content=None):
        request = urllib.request.Request(
            self.api + path, method=method,
            data=None if content is None else json.dumps(content).encode(),
            headers={"Content-Type": "application/json", "Cookie": self.cookie})
        try:
            with self.opener.open(request, timeout=30) as answer:
                self.cookie = (answer.headers["Set-Cookie"] or self.cookie).split(";")[0]
                return answer.read()
        except urllib.error.HTTPError as error:
            sys.exit(f"{method} {path}: {error.code} {error.read()[:500].decode()}")

    def log_in(self, who):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.call("POST", "/auth/", who)
            except urllib.error.URLError as error:
                if time.monotonic() > deadline:
                    sys.exit(f"glewlwyd does not listen: {error}")
                time.sleep(0.05)

    def location_of(self, url):
        request = urllib.request.Request(url, headers={"Cookie": self.cookie})
        try:
            with self.opener.open(request, timeout=30) as answer:
                sys.exit(f"{url} leads nowhere: {answer.status} {answer.read()[:500].decode()}")
        except urllib.error.HTTPError as error:
            if error.code != 302:
                sys.exit(f"{url}: {error.code} {error.read()[:500].decode()}")
            return error.headers["Location"]


def rsa_key():
    private = subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt",
                              "rsa_keygen_bits:2048"], check=True, capture_output=True).stdout
    public = subprocess.run(["openssl", "pkey", "-pubout"], input=private, check=True,
                            capture_output=True).stdout
    return private.decode(), public.decode()


def configure(port, redirect_uri):
    browser = Browser(port)
    browser.log_in(ADMIN)
    users = json.loads(browser.call("GET", "/mod/user/database"))
    users["parameters"]["data-format"]["groups"] = {
        "multiple": True, "read": True, "write": True, "profile-read": True,
        "profile-write": False}
    browser.call("PUT", "/mod/user/database", users)
    browser.call("PUT", "/mod/user/database/reset/")
    browser.call("POST", "/scope/", {"name": "groups", "display_name": "Groups",
                                     "password_required": False})
    browser.call("POST", "/user/", USER | {"name": "Ann", "email": "ann@example.com",
                                           "enabled": True, "groups": ["devs", "staff"],
                                           "scope": SCOPES + ["g_profile"]})
    secret = secrets.token_urlsafe(24)
    browser.call("POST", "/client/", {
        "client_id": CLIENT, "name": "Fairlead", "confidential": True, "enabled": True,
        "password": secret, "client_secret": secret, "redirect_uri": [redirect_uri],
        "authorization_type": ["code"], "scope": SCOPES,
        "token_endpoint_auth_method": ["client_secret_basic"]})
    private, public = rsa_key()
    browser.call("POST", "/mod/plugin/", {
        "module": "oidc", "name": "oidc", "display_name": "OpenID Connect", "order_rank": 0,
        "enabled": True, "parameters": {
            "iss": f"http://127.0.0.1:{port}/api/oidc",
            "jwt-type": "rsa", "jwt-key-size": "256", "key": private, "cert": public,
            "access-token-duration": 3600, "refresh-token-duration": 3600, "code-duration": 600,
            "refresh-token-rolling": False, "allow-non-oidc": False,
            "auth-type-code-enabled": True, "auth-type-token-enabled": False,
            "auth-type-id-token-enabled": True, "auth-type-none-enabled": False,
            "auth-type-password-enabled": False, "auth-type-client-enabled": False,
            "auth-type-device-enabled": False, "auth-type-refresh-enabled": False,
            "pkce-allowed": True, "pkce-method-plain-allowed": False, "pkce-required": True,
            "jwks-show": True, "subject-type": "public", "scope": [],
            "name-claim": "no", "email-claim": "no", "scope-claim": "no",
            "claims": [
                {"name": "preferred_username", "type": "string", "user-property": "username",
                 "mandatory": True, "scope": []},
                {"name": "groups", "type": "string", "user-property": "groups",
                 "mandatory": True, "scope": []}]}})
    print(secret)


def visit(port, url):
    browser = Browser(port)
    browser.log_in(USER)
    browser.call("PUT", f"/auth/grant/{CLIENT}/", {"scope": " ".join(SCOPES)})
    location = browser.location_of(url)
    # Its page would ask; all that it could ask has been answered.
    parts = urllib.parse.urlsplit(location)
    if parts.path.endswith("login.html"):
        location = browser.location_of(
            urllib.parse.parse_qs(parts.query)["callback_url"][0] + "&g_continue")
    with browser.opener.open(location, timeout=30) as answer:
        print(answer.read().decode())


def main(argv):
    commands = {"prepare": prepare, "configure": configure, "visit": visit}
    if len(argv) < 3 or argv[1] not in commands:
        sys.exit(__doc__)
    commands[argv[1]](*argv[2:])


if __name__ == "__main__":
    main(sys.argv)
