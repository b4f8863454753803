"""The shipped language networks in a running appliance, and the same appliance without their files."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Running, copy_models, serving

NETWORKS = {"understand-zh", "entities-zh"}


def turn(running: Running, text: str) -> dict:
    status, _, reply = running.ask("/v1/turns", {"text": text})
    assert status == 200, reply
    return reply


def test_a_turn_names_the_networks_that_took_part(running: Running) -> None:
    reply = turn(running, "孩子闹着要喝奶，你们这儿有没有地方能坐下来喂一下")
    parse = reply["parse"]
    assert {model.partition("@")[0] for model in parse["models"]} == NETWORKS
    assert parse["source"] == "model"
    assert parse["intent"]["name"] == "facility_location"
    assert parse["sentiment"]["name"] in {"neg", "neu", "pos"}
    assert {"encoder", "tagger", "intent", "faq"} <= set(parse["timings_ms"])
    assert reply["backends"]["language"] == "entities-zh+understand-zh+templates"
    feature = running.features()["language"]
    assert feature["state"] == "ready"
    assert {model.partition("@")[0] for model in feature["models"]} == NETWORKS
    assert "int8" in json.dumps(feature["reason"], ensure_ascii=False)


def test_the_status_names_each_network_and_what_computes_it(running: Running) -> None:
    rows = {row["network"]: row for row in running.ask("/v1/status")[2]["networks"]}
    assert {name.partition("/")[0] for name in rows} >= NETWORKS
    assert rows["understand-zh/model"]["name"].startswith("onnxruntime-cpu")
    assert all(row["switches"] == 0 for row in rows.values())


def wait_until_learnt(running: Running) -> None:
    """The first start on a data folder makes the vectors of the pack's questions behind its back."""
    for _ in range(600):
        if "sentence vectors" not in running.features()["language"]["reason"]:
            return
        time.sleep(0.2)
    pytest.fail(f"the vectors were not made: {running.features()['language']['reason']}")


def test_a_frequent_question_is_answered_with_its_row(running: Running) -> None:
    wait_until_learnt(running)
    answer = turn(running, "购物小票被我扔了，东西还退得掉吗")["answer"]
    assert answer["data"]["faq"] == "return_lost_receipt"
    assert answer["data"]["question"]


def test_displeasure_is_heard(running: Running) -> None:
    assert turn(running, "你们这什么破服务，等了一个小时都没人理我")["parse"]["sentiment"]["name"] == "neg"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder without the language networks."""
    data = tmp_path_factory.mktemp("bare")
    copy_models(data)
    for name in NETWORKS:
        shutil.rmtree(data / "models" / name)
    return data


def test_without_the_files_the_kiosk_answers_and_says_why(bare: Path, tmp_path: Path) -> None:
    with serving(bare, tmp_path / "serve.log") as running:
        reply = turn(running, "洗衣液在哪个货架")
        assert reply["parse"]["intent"]["name"] == "find_product"
        assert (reply["parse"]["models"], reply["parse"]["sentiment"]) == ([], None)
        assert reply["backends"] == {"language": "templates"}
        feature = running.features()["language"]
        assert feature["state"] == "fallback"
        said = json.dumps(feature["reason"], ensure_ascii=False)
        for name in NETWORKS:
            assert f"appliance models pull {name}" in said
