"""What operators and probes ask."""

from __future__ import annotations

from fake_door import FakeDoor
from prometheus_client.parser import text_string_to_metric_families
from promised import valid


def test_alive_and_ready(serve):
    server = serve()
    assert server.get("/healthz").json() == {"status": "alive"}
    ready = server.get("/readyz")
    valid("Ready", ready.json())
    assert ready.status_code == 200
    ocr = ready.json()["features"][0]
    assert (ocr["state"], ocr["backend"], ocr["models"]) == ("ready", "onnxruntime-cpu", ["pp-ocrv6-small@123456"])
    assert "appliance models pull" in ready.json()["features"][1]["reason"]


def test_not_ready(serve):
    server = serve(FakeDoor(is_ready=False))
    response = server.get("/readyz")
    assert (response.status_code, response.json()["ready"]) == (503, False)
    assert response.headers["Retry-After"] == "2"
    assert server.get("/healthz").status_code == 200


def test_status(serve):
    body = serve().get("/v1/status").json()
    valid("Status", body)
    assert (body["pack"], body["ready"]) == ("store", True)


def test_metrics(serve):
    server = serve()
    server.ask("a")
    server.metrics.listener("outcome", intent="find_product", outcome="resolved")  # as the dialogue tells it
    server.get("/nowhere/" + "x" * 50)
    response = server.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain")
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }
    turns = (("method", "POST"), ("route", "/v1/turns"), ("status", "200"))
    assert samples["appliance_requests_total", turns] == 1
    missing = (("method", "GET"), ("route", "none"), ("status", "404"))
    assert samples["appliance_requests_total", missing] == 1
    assert samples["appliance_intent_confidence_count", ()] == 1
    assert samples["appliance_turns_total", (("intent", "find_product"), ("outcome", "resolved"))] == 1
    assert samples["appliance_backend_in_use", (("backend", "onnxruntime-cpu"), ("feature", "ocr"))] == 1
    assert samples["appliance_sessions", ()] == 1
    assert samples["process_resident_memory_bytes", ()] > 1e6
