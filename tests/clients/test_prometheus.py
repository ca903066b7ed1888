"""The metrics and the shipped Prometheus files, judged by Prometheus itself."""

import json
import socket
import subprocess
import urllib.parse

import pytest

from gateway import ROOT, eventually, http_get


def promtool(*arguments, text=None):
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, timeout=60)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def test_the_exposition_is_as_prometheus_likes_it(gateway):
    promtool("check", "metrics", text=gateway.get("/metrics"))


@pytest.mark.parametrize("check", [("config", "prometheus.yml"), ("config", "prometheus.cluster.yml"), ("rules", "alerts.yml")])
def test_the_shipped_files_are_valid(check):
    kind, name = check
    promtool("check", kind, str(ROOT / "grafana" / name))


def test_alerts_of_a_cluster_fire_when_they_should_and_not_for_a_gateway_alone():
    promtool("test", "rules", str(ROOT / "tests/clients/alerts.test.yml"))


def test_every_query_of_the_dashboard_can_be_parsed(tmp_path):
    """promtool reads rules, so each query becomes one, with Grafana's variables filled in."""
    dashboard = json.loads((ROOT / "grafana/dashboards/tickcast.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert len(queries) > 20
    fill = lambda query: query.replace("$__rate_interval", "1m").replace("$instance", ".*")
    rules = [{"record": f"query:{i}", "expr": fill(query)} for i, query in enumerate(queries)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(tmp_path / "rules.yml"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def prometheus(gateway, tmp_path):
    """A Prometheus that scrapes the gateway; a function that asks it."""
    config = {"scrape_configs": [{
        "job_name": "tickcast",
        "scrape_interval": "250ms",
        "scrape_timeout": "250ms",
        "static_configs": [{"targets": [gateway.host]}],
    }]}
    # JSON is YAML too.
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))
    port = free_port()

    def query(expression):
        query_string = urllib.parse.urlencode({"query": expression})
        status, body = http_get(f"127.0.0.1:{port}", f"/api/v1/query?{query_string}")
        assert status == 200, body
        return [float(series["value"][1]) for series in json.loads(body)["data"]["result"]]

    log = (tmp_path / "log").open("w+")
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=log,
        stderr=log,
    )
    try:
        yield query
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def test_prometheus_scrapes_the_gateway(prometheus):
    eventually("the target is up", lambda: prometheus("up") == [1], seconds=40)
    published = "sum(tickcast_events_published_total)"
    eventually("events were published", lambda: (prometheus(published) or [0])[0] > 0)
    assert prometheus("tickcast_topics")[0] >= 10
