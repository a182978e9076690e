"""Gateways that share a port are one: their numbers are added, their states taken together."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from roadworthy.serving.agent_gateway import GatewayState
from roadworthy.serving.agent_gateways import together
from roadworthy.serving.metrics import Metrics, merge_metrics


def state(**more) -> GatewayState:
    return GatewayState(**{"pid": 1, "version": 3, "revision": 9, **more})


def test_the_state_of_one_is_its_own_and_of_none_is_none():
    assert together([]) is None
    assert together([state()]) == state()


def test_a_worker_is_connected_where_all_reach_it_and_in_use_where_one_does():
    found = together(
        [
            state(connected=["a", "b"], retiring=["x"], problems=["p"]),
            state(connected=["b", "c"], version=2, revision=8, pid=2),
        ]
    )
    assert found == state(
        connected=["b"], retiring=["a", "c", "x"], version=2, revision=8, problems=["p"]
    )


def numbers(text: str) -> dict[tuple, float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_numbers_are_added_and_stay_what_prometheus_reads():
    first, second = Metrics(), Metrics()
    for metrics, requests in ((first, 3), (second, 4)):
        metrics.requests.labels("tiny@1", "plain", "200").inc(requests)
        metrics.seconds.labels("tiny@1").observe(0.002)
        metrics.table.set(requests)
    second.requests.labels("tiny@2", "plain", "200").inc()
    second.stages.labels("tiny@2", "queue").observe(1e-6)
    merged = merge_metrics([first.text().decode(), second.text().decode()])
    found = numbers(merged)

    def value(name: str, **labels: str) -> float:
        return found[name, tuple(sorted(labels.items()))]

    of_one = {"protocol": "plain", "release": "tiny@1", "status": "200"}
    assert value("roadworthy_requests_total", **of_one) == 7
    assert value("roadworthy_requests_total", **{**of_one, "release": "tiny@2"}) == 1
    assert value("roadworthy_request_seconds_count", release="tiny@1") == 2
    assert value("roadworthy_request_seconds_bucket", release="tiny@1", le="0.0025") == 2
    assert value("roadworthy_stage_seconds_count", release="tiny@2", stage="queue") == 1
    assert value("roadworthy_table_version") == 3, "the oldest"
    names = [line.split()[2] for line in merged.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names))


def test_what_the_agent_counted_is_counted_once():
    metrics = Metrics()
    metrics.worker_failures.labels("tiny@1", "died").inc(2)
    text = metrics.text().decode()
    merged = numbers(merge_metrics([text, text]))
    assert (
        merged["roadworthy_worker_failures_total", (("kind", "died"), ("release", "tiny@1"))] == 2
    )
