"""The plain HTTP roads, driven by Schemathesis from the document that the gateway serves.

Requests are made up from the document, good ones and bad ones, a bounded number and the same each time. Nothing may be
answered with a status or a body that the document does not have, and nothing with 500.
"""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway import Gateway

PUSH = """
[[feed]]
name = "desk"
kind = "push"
symbols = ["DESK"]
"""


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    definition = tmp_path_factory.mktemp("push") / "push.toml"
    definition.write_text(PUSH)
    with Gateway("--feed", str(definition), server__grace_ms=0, server__drain_ms=200) as running:
        yield schemathesis.openapi.from_url(f"http://{running.host}/v1/openapi.json")


# A stream has no end to wait for: tests of their own read /v1/ws and /v1/sse.
schema = schemathesis.pytest.from_fixture("api").exclude(path_regex="^/v1/(ws|sse)$")


@schema.parametrize()
@settings(max_examples=30, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_nothing_is_answered_that_is_not_documented(case):
    # Long enough to wait, short enough for many examples.
    if case.query and "wait" in case.query and case.query["wait"] in range(2, 61):
        case.query["wait"] = 1
    case.call_and_validate(
        checks=[
            schemathesis.checks.not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ]
    )


def test_a_tick_that_is_published_is_served(api):
    feed = api["/v1/publish"]["POST"]
    tick = {"S": "DESK", "p": "1.50", "s": "2"}
    answer = feed.Case(query={"feed": "desk"}, body=[tick], media_type="application/json").call()
    assert answer.json() == {"accepted": 1, "rejected": 0, "errors": []}
    trades = api["/v1/trades/{symbol}"]["GET"].Case(path_parameters={"symbol": "DESK"}).call().json()
    assert [(trade["n"], trade["p"]) for trade in trades["trades"]][-1] == (trades["position"]["n"]["DESK"], "1.50")
