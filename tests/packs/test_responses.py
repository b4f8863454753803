"""responses.yaml: phrasings, placeholders and mistakes."""

from __future__ import annotations

import pytest

from appliance.errors import PackInvalid
from appliance.packs.responses import Response, fill, load_responses


def load(tmp_path, text):
    (tmp_path / "responses.yaml").write_text(text, "utf-8")
    return load_responses(tmp_path)


def test_phrasings_take_turns(tmp_path):
    response = load(tmp_path, 'hello:\n  zh: ["你好", "您好"]\n  en: "Hello"\n  suggest: [help]\n')["hello"]
    assert [response.phrase("zh", turn) for turn in range(3)] == ["你好", "您好", "你好"]
    assert response.phrase("en", 5) == "Hello"
    assert response.phrase("fr", 0) == "你好"
    assert response.suggest == ("help",)
    assert response.line == 2


def test_placeholders_are_filled_once():
    response = Response("r", ("{item.name}在{item.shelf}",), ("{item.name}: {item.shelf}",))
    assert response.placeholders == {"item.name", "item.shelf"}
    values = {"item.name": "{item.shelf}", "item.shelf": "A1"}
    assert fill(response.phrase("zh", 0), values.__getitem__) == "{item.shelf}在A1"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a: {zh: 你}", "key 'en'"),
        ("a: {zh: [], en: Hi}", "at least one phrasing"),
        ("a: {zh: '{x', en: Hi}", "braces only around a name"),
        ("a: {zh: '{x!r}', en: Hi}", "braces only around a name"),
        ("a: {zh: '{0}', en: Hi}", "braces only around a name"),
        ("a: {zh: 你, en: Hi, mood: good}", "'mood'"),
        ("a: {zh: 你, en: Hi}\na: {zh: 你, en: Hi}", "every key once"),
        ("[1]", "a mapping"),
    ],
)
def test_mistakes(tmp_path, text, expected):
    with pytest.raises(PackInvalid) as caught:
        load(tmp_path, text)
    assert expected in caught.value.detail
