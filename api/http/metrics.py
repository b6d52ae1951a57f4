"""What `/metrics` tells Prometheus. One `Metrics` per process; several workers share a directory when one is set."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Metrics:
    """The instruments of one process."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self.append_seconds = Histogram(
            "ledger_append_seconds",
            "From the arrival of POST /v1/events to its answer, in seconds",
            buckets=SECONDS,
            registry=registry,
        )
        self.batch_events = Histogram(
            "ledger_request_events", "Events in one POST /v1/events", buckets=SIZES, registry=registry
        )
        self.appended = Counter("ledger_appended_events", "Events recorded by this API", registry=registry)
        self.duplicates = Counter(
            "ledger_duplicate_events", "Events that had been recorded before, answered again", registry=registry
        )
        self.refusals = Counter(
            "ledger_refusals", "Events refused, by the rule or problem that refused them", ["rule"], registry=registry
        )
        self.requests = Counter(
            "ledger_http_requests", "Requests answered, by route and status", ["route", "status"], registry=registry
        )
        self.queue_length = self._gauge("ledger_append_queue_length", "Events waiting to be appended", "livesum")
        self.head_position = self._gauge("ledger_head_position", "The last position of the log", "mostrecent")
        self.lag_positions = self._gauge(
            "ledger_projector_lag_positions", "Positions recorded but not yet in the tables", "mostrecent"
        )
        self.lag_seconds = self._gauge(
            "ledger_projector_lag_seconds", "Age of the oldest position not yet in the tables, in seconds", "mostrecent"
        )
        self.projector_halted = self._gauge(
            "ledger_projector_halted", "1 while the projector cannot go on, else 0", "mostrecent"
        )
        self.seal_size = self._gauge("ledger_seal_size", "Entries under the newest signed checkpoint", "mostrecent")
        self.seal_lag_seconds = self._gauge(
            "ledger_seal_lag_seconds", "Age of the oldest position not yet sealed, in seconds", "mostrecent"
        )
        self.seal_halted = self._gauge("ledger_seal_halted", "1 while the sealer cannot go on, else 0", "mostrecent")
        self.witness_size = self._gauge(
            "ledger_witness_size", "Entries under the newest checkpoint held by a witness", "mostrecent", "witness"
        )
        self.witness_lag_seconds = self._gauge(
            "ledger_witness_lag_seconds",
            "Age of the oldest checkpoint not yet held by a witness nor followed by one that is, in seconds",
            "mostrecent",
            "witness",
        )
        self.witness_failing = self._gauge(
            "ledger_witness_failing", "1 while a witness takes no checkpoint, else 0", "mostrecent", "witness"
        )
        self.streams = self._gauge("ledger_streams", "Open event streams", "livesum")

    def _gauge(self, name: str, text: str, several: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self._registry, multiprocess_mode=several)  # type: ignore[arg-type]

    def exposition(self) -> bytes:
        """All instruments in Prometheus' text format."""
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            everybody = CollectorRegistry()
            MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]
            return generate_latest(everybody)
        return generate_latest(self._registry)
