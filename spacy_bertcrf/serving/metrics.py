"""What a service counts, as Prometheus reads it."""

from collections.abc import Mapping
from functools import cache, partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from spacy_bertcrf.serving.batcher import Batcher


class Metrics:
    """What /metrics tells."""

    def __init__(self, batchers: Mapping[str, Batcher]):
        self._registry = CollectorRegistry()
        self._answers = self._counter("bertcrf_http_answers", "All that was answered", "status")
        self._requests = self._counter(
            "bertcrf_requests", "Requests of entities", "pipeline", "status"
        )
        self._texts = self._counter("bertcrf_texts", "Texts", "pipeline")
        self._failures = self._counter("bertcrf_failed_texts", "Texts that failed", "pipeline")
        self._seconds = Histogram(
            "bertcrf_request_seconds", "Time of a request", ["pipeline"], registry=self._registry
        )
        waiting = Gauge(
            "bertcrf_waiting_texts", "Texts that wait", ["pipeline"], registry=self._registry
        )
        for name, batcher in batchers.items():
            waiting.labels(name).set_function(partial(getattr, batcher, "n_waiting"))
        self._of = cache(self._bound)  # to look them up takes longer than to count

    def count_answer(self, status: int) -> None:
        """Count what was answered, to a request of any kind, also one that was refused at once."""
        self._answers.labels(status).inc()

    def count(
        self, pipeline: str, status: int, seconds: float, n_texts: int, n_failed: int
    ) -> None:
        """Count a request of entities. pipeline: one that is served. seconds: how long it took."""
        requests, texts, failures, histogram = self._of(pipeline, status)
        requests.inc()
        texts.inc(n_texts)
        failures.inc(n_failed)
        histogram.observe(seconds)

    def tell(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self._registry)

    def _bound(self, pipeline: str, status: int) -> tuple[Counter, Counter, Counter, Histogram]:
        return (
            self._requests.labels(pipeline, status),
            self._texts.labels(pipeline),
            self._failures.labels(pipeline),
            self._seconds.labels(pipeline),
        )

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, labels, registry=self._registry)
