"""Plain HTTP, driven by Schemathesis from the document that the gateway serves.

Requests are made up from the document, good ones and bad ones, a bounded number and the same each time. Nothing may be
answered with a status or a body that the document does not have, and nothing with 500.
"""

import json
import subprocess
import sys
import urllib.request

import pytest

from gateway import Gateway

PUSH = """
[[feed]]
name = "desk"
kind = "push"
symbols = ["DESK"]
"""

CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
]


@pytest.fixture(scope="module")
def pushed(tmp_path_factory):
    """A gateway with the demonstration feed and one that is pushed."""
    definition = tmp_path_factory.mktemp("push") / "push.toml"
    definition.write_text(PUSH)
    with Gateway("--feed", str(definition), server__grace_ms=0, server__drain_ms=200) as running:
        yield running


def test_nothing_is_answered_that_is_not_documented(pushed, tmp_path):
    done = subprocess.run(
        [
            sys.executable, "-m", "schemathesis.cli", "run", f"http://{pushed.host}/v1/openapi.json",
            "--checks", ",".join(CHECKS),
            # A stream has no end to wait for: tests of their own read these.
            "--exclude-path-regex", "^/v1/(ws|sse)$",
            "--phases", "examples,coverage,fuzzing",
            "--max-examples", "25",
            "--seed", "1",
            "--generation-database", "none",
            "--request-timeout", "20",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    tested = [line for line in done.stdout.splitlines() if "Tested:" in line]
    assert tested and int(tested[0].split()[-1]) >= 12, done.stdout


def test_a_tick_that_is_published_is_served(pushed):
    body = json.dumps([{"S": "DESK", "p": "1.50", "s": "2"}]).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f"http://{pushed.host}/v1/publish?feed=desk"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with opener.open(request) as answer:
        assert answer.status == 200
    trades = json.loads(pushed.get("/v1/trades/DESK"))
    newest = trades["trades"][-1]
    assert (newest["n"], newest["p"]) == (trades["position"]["n"]["DESK"], "1.50")
