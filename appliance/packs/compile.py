"""Compiles a pack folder: reads every file, checks it against the others, and returns one frozen Pack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml

from appliance.errors import PackInvalid
from appliance.language.lexicon import Lexicon
from appliance.language.questions import SLOT, Question
from appliance.packs.faq import FILE as FAQ
from appliance.packs.faq import load_faq
from appliance.packs.flows import load_flows
from appliance.packs.reader import Section, read_csv, read_yaml
from appliance.packs.responses import load_responses
from appliance.packs.schema import Pack, PackSuggestion
from appliance.packs.vocabulary import load_lexicon

_KEYS = {"products": "sku", "places": "id", "brands": "id"}


def shipped_packs() -> Path:
    """Folder that holds the packs which come with the appliance."""
    return Path(__file__).parent


def find_pack(name_or_path: str) -> Path:
    """Folder of a shipped pack by name, or of any pack by path; raises PackInvalid when there is none."""
    shipped = shipped_packs() / name_or_path
    for folder in (shipped, Path(name_or_path).expanduser()):
        if (folder / "pack.yaml").is_file():
            return folder
    known = sorted(path.parent.name for path in shipped_packs().glob("*/pack.yaml"))
    raise PackInvalid(
        f"pack {name_or_path}: expected one of {', '.join(known)} or a folder with pack.yaml, got neither",
        remedy=(
            "请把 APPLIANCE_PACK 设为自带知识包的名称或知识包目录",
            "Set APPLIANCE_PACK to a shipped pack's name or a pack folder",
        ),
    )


def _suggestions(section: Section, intents: tuple[str, ...]) -> Iterator[PackSuggestion]:
    seen: set[str] = set()
    for item in section.items():
        keys = item.mapping(("label", "text", "intent"), required=("label", "text", "intent"))
        intent = keys["intent"].text()
        if intent not in intents:
            raise keys["intent"].fail("an intent of the pack", repr(intent))
        label = keys["label"].localised()
        if label.zh in seen:
            raise keys["label"].fail("every suggestion once", f"{label.zh!r} twice")
        seen.add(label.zh)
        yield PackSuggestion(label, keys["text"].localised(), intent)


def _questions(
    section: Section | None, suggestions: tuple[PackSuggestion, ...], lexicon: Lexicon
) -> Iterator[Question]:
    """What to tap first, then suggest.yaml: one name in braces, a listed type's, may stand in all words of an entry."""
    for s in suggestions:
        yield Question(s.intent, {"zh": s.label.zh, "en": s.label.en}, {"zh": s.text.zh, "en": s.text.en})
    if section is None:
        return
    listed = sorted({entry.type for entry in lexicon.gazetteer})
    for item, s in zip(section.items(), _suggestions(section, lexicon.intent_names), strict=True):
        question = Question(s.intent, {"zh": s.label.zh, "en": s.label.en}, {"zh": s.text.zh, "en": s.text.en})
        slots = [tuple(SLOT.findall(words)) for words in (*question.text.values(), *question.label.values())]
        if len(slots[0]) > 1 or any(slot != slots[0] for slot in slots):
            raise item.fail("the same one {type} in label and text of both languages, or none", repr(slots))
        if slots[0] and question.slot not in listed:
            raise item.fail(f"a type of things that the pack lists ({', '.join(listed)})", repr(question.slot))
        yield question


def _facts(folder: Path) -> dict[str, Any]:
    path = folder / "facts.yaml"
    if not path.is_file():
        return {}
    section = read_yaml(path)
    section.mapping()
    loaded: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return loaded


def _named(value: object, wanted: str) -> Iterator[str]:
    """Every text kept under a field called `wanted` (or its plural) anywhere inside dataclasses and containers."""
    if is_dataclass(value):
        for field in fields(value):
            inner = getattr(value, field.name)
            if field.name == wanted and isinstance(inner, str):
                yield inner
            elif field.name == f"{wanted}s" and isinstance(inner, (tuple, list, frozenset)):
                yield from (item for item in inner if isinstance(item, str))
                yield from (name for item in inner if not isinstance(item, str) for name in _named(item, wanted))
            else:
                yield from _named(inner, wanted)
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _named(inner, wanted)
    elif isinstance(value, (tuple, list, frozenset)):
        for inner in value:
            yield from _named(inner, wanted)


def load_pack(name_or_path: str) -> Pack:
    """Compile the shipped pack of that name, or the folder at that path.

    Raises PackInvalid naming the file, the line or key, what was expected and what was found.
    """
    folder = find_pack(name_or_path)
    keys = read_yaml(folder / "pack.yaml").mapping(
        ("title", "welcome", "suggestions", "wake"), required=("title", "welcome", "suggestions")
    )
    tables = {
        path.stem: read_csv(path, _KEYS.get(path.stem, "")) for path in sorted(folder.glob("*.csv")) if path.name != FAQ
    }
    lexicon = load_lexicon(folder, tables)
    flows = load_flows(folder)
    for name, flow in flows.items():
        for intent in _named(flow, "intent"):
            if intent and intent not in lexicon.intent_names:
                raise PackInvalid(f"{folder.name}/flows.yaml ({name}): expected an intent of the pack, got {intent!r}")
    suggestions = tuple(_suggestions(keys["suggestions"], lexicon.intent_names))
    asked = folder / "suggest.yaml"
    return Pack(
        name=folder.name,
        title=keys["title"].localised(),
        welcome=keys["welcome"].localised(),
        suggestions=suggestions,
        wake=keys["wake"].texts() if "wake" in keys else (),
        questions=tuple(_questions(read_yaml(asked) if asked.is_file() else None, suggestions, lexicon)),
        lexicon=lexicon,
        flows=flows,
        responses=load_responses(folder),
        tables=tables,
        facts=_facts(folder),
        faq=load_faq(folder),
    )
