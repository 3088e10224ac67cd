#!/usr/bin/env python3
"""Proves that each rule of check_layers.py fires on a breach and stays quiet otherwise."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import check_layers  # noqa: E402


def messages(path, text):
    return [message for _, message in check_layers.check_text(path, text)]


class LayerTest(unittest.TestCase):
    def assert_breach(self, path, text, part):
        found = messages(path, text)
        self.assertTrue(any(part in message for message in found), (path, text, found))

    def assert_fine(self, path, text):
        self.assertEqual(messages(path, text), [], (path, text))

    def test_layers(self):
        for path, include in (
                ("sync/plan.cc", "controller/store/store.h"),
                ("sync/plan.cc", "sync/git/mirror.h"),
                ("agent/session.cc", "sync/planner.h"),
                ("agent/session.cc", "controller/controller.h"),
                ("base/clock.cc", "resources/kind_table.h"),
                ("base/clock.cc", "fairlead/v1/plan.pb.h"),
                ("controller/store/sqlite_store.cc", "controller/loop/reconciler.h"),
                ("resources/toml_reader.cc", "fairlead/v1/service.grpc.pb.h")):
            with self.subTest(path=path, include=include):
                text = f'#include "{include}"\n'
                self.assertEqual(len(messages(path, text)), 1, messages(path, text))

    def test_allowed_layers(self):
        for path, include in (
                ("sync/plan.cc", "resources/kind_table.h"),
                ("sync/plan.cc", "sync/planner.h"),
                ("controller/controller.cc", "controller/store/sqlite_store.h"),
                ("controller/service/plan_service.cc", "controller/loop/reconciler.h"),
                ("controller/loop/reconciler.cc", "controller/store/store.h"),
                ("controller/agents/session_pair_test.cc", "agent/session.h"),
                ("agent/agent.cc", "fairlead/v1/agent.grpc.pb.h"),
                ("sync/plan.cc", "absl/strings/str_cat.h"),
                ("sync/plan.cc", "fairlead/v1/plan.pb.h")):
            with self.subTest(path=path, include=include):
                self.assert_fine(path, f'#include "{include}"\n')

    def test_third_party_homes(self):
        for path, include in (
                ("cli/config.cc", "toml++/toml.h"), ("resources/diff.cc", "toml++/toml.h"),
                ("sync/plan.cc", "git2.h"), ("controller/loop/x.cc", "sqlite3.h"),
                ("controller/loop/x.cc", "pqxx/pqxx"), ("sync/x.cc", "boost/json.hpp"),
                ("controller/loop/x.cc", "prometheus/counter.h"),
                ("controller/store/x.cc", "grpcpp/grpcpp.h"), ("sync/x.cc", "curl/curl.h"),
                ("sync/x.cc", "sodium.h"), ("sync/x.cc", "openssl/ssl.h"),
                ("agent/session.cc", "CLI/CLI.hpp"), ("agent/session.cc", "spdlog/spdlog.h")):
            with self.subTest(path=path, include=include):
                self.assert_breach(path, f"#include <{include}>\n", "outside its home")
        self.assert_fine("resources/toml_reader.cc", "#include <toml++/toml.h>\n")
        self.assert_fine("sync/git/mirror.cc", "#include <git2.h>\n")
        self.assert_fine("controller/program.cc", '#include "CLI/CLI.hpp"\n')

    def test_banned_calls(self):
        for code in ("auto t = absl::Now();", "std::this_thread::sleep_for(x);",
                     "absl::SleepFor(x);", "usleep(3);", "sleep(3);", "std::random_device r;",
                     "absl::Mutex m;", "std::cout << 1;", "return system(x);",
                     "std::system(x);", "using namespace std;"):
            with self.subTest(code=code):
                self.assertEqual(len(messages("sync/x.cc", code + "\n")), 1, code)

    def test_banned_calls_have_their_places(self):
        self.assert_fine("base/clock.cc", "return absl::Now();\n")
        self.assert_fine("cli/print.cc", "std::cout << 1;\n")
        self.assert_fine("agent/main.cc", "std::cout << 1;\n")
        self.assert_fine("integration/testing/wait.cc", "absl::SleepFor(x);\n")
        self.assert_breach("integration/heal_itest.cc", "absl::SleepFor(x);\n", "sleeping")

    def test_text_is_not_code(self):
        for code in ("// absl::Now() is banned", "/* using namespace\n std::cout */",
                     'Log("call system(x) or sleep(3)");', 'R"(absl::Now())";',
                     "int n = 10'000; // sleep(1)", "clock.sleep(3);", "file_system(x);"):
            with self.subTest(code=code):
                self.assert_fine("sync/x.cc", code + "\n")

    def test_code_after_a_digit_separator_is_seen(self):
        self.assert_breach("sync/x.cc", "int n = 10'000; f(absl::Now()); int m = 20'000;\n",
                           "absl::Now")

    def test_size(self):
        self.assert_fine("sync/x.cc", "int x;\n" * 600)
        self.assert_breach("sync/x.cc", "int x;\n" * 601, "601 lines")

    def test_type_names(self):
        for code in ("class SessionManager {", "struct PlanInfo {", "class EventHandler final {",
                     "enum class UserData {", "class X_Helper : public Y {"):
            with self.subTest(code=code):
                self.assert_breach("sync/x.cc", code + "\n", "say what it is")
        self.assert_fine("sync/x.cc", "class Session {\nstruct Database {\nclass Informer {\n")

    def test_todo(self):
        self.assert_breach("sync/x.cc", "// TODO: later\n", "issue number")
        self.assert_breach("sync/x.cc", "// TODO(anna): later\n", "issue number")
        self.assert_fine("sync/x.cc", "// TODO(12): later\n")

    def test_header_guard(self):
        self.assert_breach("sync/x.h", "int x;\n", "#pragma once")

    def test_program_names_place_and_fails(self):
        script = pathlib.Path(__file__).parent / "check_layers.py"
        with tempfile.TemporaryDirectory() as root:
            folder = pathlib.Path(root) / "sync"
            folder.mkdir()
            (folder / "x.cc").write_text("int a;\nauto t = absl::Now();\n")
            result = subprocess.run([sys.executable, str(script), root], text=True,
                                    capture_output=True, check=False)
            self.assertEqual(result.returncode, 1)
            self.assertIn("sync/x.cc:2: absl::Now", result.stdout)
            (folder / "x.cc").write_text("int a;\n")
            result = subprocess.run([sys.executable, str(script), root], text=True,
                                    capture_output=True, check=False)
            self.assertEqual((result.returncode, result.stdout), (0, "check_layers: fine\n"))


if __name__ == "__main__":
    unittest.main()
