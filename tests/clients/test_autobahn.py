"""The Autobahn cases against the echo endpoint, which has the codec, limits and closes of the real one."""

import asyncio

import pytest
from kosoku import FailureError, run_fuzzingclient

from gateway import Gateway, http_get

# Framing, pings, reserved bits, opcodes, fragmentation, UTF-8, closing, and auto-fragmentation. 9 is about large
# messages, beyond the limit of the real endpoint; 12 and 13 are about compression, which is not offered.
SECTIONS = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
CASES = 247


@pytest.fixture(params=["socket", "actix"])
def echo(request):
    with Gateway(server__driver=request.param, server__grace_ms=0, server__drain_ms=0) as gateway:
        status, _ = http_get(gateway.host, "/test/echo")
        assert status != 404, "there is no echo endpoint: build with `cargo build --features test-endpoints`"
        yield gateway.ws("/test/echo")


def test_no_case_fails(echo):
    try:
        results = asyncio.run(asyncio.wait_for(run_fuzzingclient(echo, SECTIONS), 240))
    except FailureError as failure:
        failed = "\n".join(
            f"{case.case_id}: {case.behavior.value}/{case.behavior_close.value}: {case.result} {case.result_close}"
            for case in failure.results
            if not case.passed
        )
        pytest.fail(f"cases that failed:\n{failed}", pytrace=False)
    assert len(results) == CASES, "the suite has changed: look at what was added or is gone"
