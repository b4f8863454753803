"""The language side of a pack: intents/*.yaml, phrases.yaml and entities.yaml become a Lexicon."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from appliance.errors import PackInvalid
from appliance.language.checksums import CHECKS
from appliance.language.lexicon import OUT_OF_SCOPE, Cue, GazetteerEntry, IntentRule, Lexicon, PatternRule
from appliance.language.templates import TemplateChecker, TemplateError
from appliance.packs.reader import Section, read_yaml
from appliance.packs.schema import Row

_ALIASES = re.compile(r"[|;；]")
_LISTED = 0.99

ABSENT = "-"
"""Key of a group without members: something that customers ask for and the shop is known not to carry."""

_PATTERN_KEYS = ("type", "regex", "check", "context", "window", "spoken", "remove", "confidence", "rank", "detail")


def _regex(section: Section) -> str:
    text = section.text()
    try:
        re.compile(text)
    except re.error as error:
        raise section.fail("a regular expression", f"{text!r}: {error}") from error
    return text


def _template(section: Section, checker: TemplateChecker) -> str:
    text = section.text()
    try:
        checker.check(text)
    except TemplateError as error:
        raise section.fail("a hassil template", f"{text!r}: {error}") from error
    return text


def _intent(path: Path, checker: TemplateChecker, types: tuple[str, ...]) -> IntentRule:
    keys = read_yaml(path).mapping(("intent", "templates", "sentences", "cues", "alone"), required=("intent",))
    name = keys["intent"].text()
    if name != path.stem:
        raise keys["intent"].fail(f"the file's name {path.stem!r}", repr(name))
    templates = [_template(item, checker) for item in keys["templates"].items()] if "templates" in keys else []
    cues = []
    for template, section in (keys["cues"].mapping() if "cues" in keys else {}).items():
        weight = section.number(-1, _LISTED)
        try:
            checker.check(template)
        except TemplateError as error:
            raise section.fail("a hassil template", f"{template!r}: {error}") from error
        cues.append(Cue(template, weight))
    alone = keys["alone"].texts() if "alone" in keys else ()
    for entity_type in alone:
        if entity_type not in types:
            raise keys["alone"].fail(f"entity types of entities.yaml ({', '.join(types)})", repr(entity_type))
    sentences = keys["sentences"].texts() if "sentences" in keys else ()
    return IntentRule(name, tuple(templates), sentences, tuple(cues), alone)


def _codes(
    section: Section, check: str, listed: Section | None, tables: Mapping[str, tuple[Row, ...]]
) -> dict[str, GazetteerEntry]:
    """The listed things of a type by their column of codes; a cell may be empty, but no code wrong or there twice."""
    if listed is None:
        raise section.fail("a type that stands under tables", "one that does not")
    keys = listed.mapping()
    rows = tables[keys["table"].text()]
    column, key, value = section.text(), keys["key"].text(), keys["value"].text()
    if rows and column not in rows[0]:
        raise section.fail(f"a column of {keys['table'].text()}.csv ({', '.join(rows[0])})", repr(column))
    details = keys["detail"].texts() if "detail" in keys else ()
    found: dict[str, GazetteerEntry] = {}
    for row in rows:
        code = row[column]
        if not code:
            continue
        if check and not CHECKS[check](code):
            raise section.fail(f"codes that pass {check}", f"{code!r} of {row[key]}")
        if code in found:
            raise section.fail("every code once", f"{code!r} of {found[code].key} and {row[key]}")
        detail = {name: row[name] for name in details if row[name]}
        found[code] = GazetteerEntry(listed.key.rpartition(".")[2], row[value], (code,), row[key], detail)
    return found


def _pattern(
    section: Section, types: tuple[str, ...], listed: Mapping[str, Section], tables: Mapping[str, tuple[Row, ...]]
) -> PatternRule:
    keys = section.mapping((*_PATTERN_KEYS, "codes"), required=("type", "regex"))
    entity_type = keys["type"].text()
    if entity_type not in types:
        raise keys["type"].fail(f"one of {', '.join(types)}", repr(entity_type))
    check = keys["check"].text() if "check" in keys else ""
    if check and check not in CHECKS:
        raise keys["check"].fail(f"one of {', '.join(sorted(CHECKS))}", repr(check))
    return PatternRule(
        entity_type,
        _regex(keys["regex"]),
        check,
        _regex(keys["context"]) if "context" in keys else "",
        int(keys["window"].number(1, 64)) if "window" in keys else 8,
        keys["spoken"].flag() if "spoken" in keys else False,
        _regex(keys["remove"]) if "remove" in keys else "",
        keys["confidence"].number(0, 1) if "confidence" in keys else 0.9,
        int(keys["rank"].number(1, 5)) if "rank" in keys else 5 if check else 4 if "context" in keys else 3,
        {name: value.text() for name, value in keys["detail"].mapping().items()} if "detail" in keys else {},
        _codes(keys["codes"], check, listed.get(entity_type), tables) if "codes" in keys else {},
    )


def _tabled(section: Section, entity_type: str, tables: Mapping[str, tuple[Row, ...]]) -> list[GazetteerEntry]:
    keys = section.mapping(("table", "key", "value", "names", "detail"), required=("table", "key", "value", "names"))
    name = keys["table"].text()
    if name not in tables:
        raise keys["table"].fail(f"the stem of a CSV file ({', '.join(sorted(tables))})", repr(name))
    rows = tables[name]
    columns = set(rows[0]) if rows else set()
    wanted = [keys["key"], keys["value"], *keys["names"].items(), *(keys["detail"].items() if "detail" in keys else [])]
    for column in wanted:
        if rows and column.text() not in columns:
            raise column.fail(f"a column of {name}.csv ({', '.join(sorted(columns))})", repr(column.text()))
    key, value = keys["key"].text(), keys["value"].text()
    sources = keys["names"].texts()
    details = keys["detail"].texts() if "detail" in keys else ()
    entries = []
    for row in rows:
        surfaces = [part.strip() for source in sources for part in _ALIASES.split(row[source]) if part.strip()]
        detail = {column: row[column] for column in details if row[column]}
        entries.append(GazetteerEntry(entity_type, row[value], tuple(dict.fromkeys(surfaces)), row[key], detail))
    return entries


def _grouped(section: Section, entity_type: str, tables: Mapping[str, tuple[Row, ...]]) -> list[GazetteerEntry]:
    """Names for several rows of another table at once: its key is the keys of all rows that its members name.

    A member is a key of that table, or a value of its column `by`; without members the group is `ABSENT`.
    """
    wanted = ("table", "members", "of", "by", "value", "names", "detail")
    keys = section.mapping(wanted, required=wanted[:-1])
    for name in ("table", "of"):
        if keys[name].text() not in tables:
            raise keys[name].fail(f"the stem of a CSV file ({', '.join(sorted(tables))})", repr(keys[name].text()))
    rows, targets = tables[keys["table"].text()], tables[keys["of"].text()]
    by = keys["by"].text()
    if targets and by not in targets[0]:
        raise keys["by"].fail(f"a column of {keys['of'].text()}.csv", repr(by))
    names, details = keys["names"].texts(), keys["detail"].texts() if "detail" in keys else ()
    for column in (keys["members"].text(), keys["value"].text(), *names, *details):
        if rows and column not in rows[0]:
            raise section.fail(f"columns of {keys['table'].text()}.csv ({', '.join(rows[0])})", repr(column))
    entries = []
    for row in rows:
        members = [part.strip() for part in _ALIASES.split(row[keys["members"].text()]) if part.strip()]
        found = {m: [next(iter(t.values())) for t in targets if m in (next(iter(t.values())), t[by])] for m in members}
        for member, held in found.items():
            if not held:
                raise section.fail(f"members that are keys or a {by} of {keys['of'].text()}.csv", repr(member))
        key = ",".join(dict.fromkeys(one for held in found.values() for one in held)) or ABSENT
        surfaces = [part.strip() for name in names for part in _ALIASES.split(row[name]) if part.strip()]
        detail = {column: row[column] for column in details if row[column]}
        entries.append(
            GazetteerEntry(entity_type, row[keys["value"].text()], tuple(dict.fromkeys(surfaces)), key, detail)
        )
    return entries


def _gazetteer(
    keys: Mapping[str, Section], types: tuple[str, ...], tables: Mapping[str, tuple[Row, ...]]
) -> list[GazetteerEntry]:
    entries: list[GazetteerEntry] = []
    for group in ("tables", "groups", "lists"):
        for entity_type, section in (keys[group].mapping() if group in keys else {}).items():
            if entity_type not in types:
                raise section.fail(f"entity types ({', '.join(types)})", repr(entity_type))
            if group == "tables":
                entries += _tabled(section, entity_type, tables)
            elif group == "groups":
                entries += _grouped(section, entity_type, tables)
            else:
                for name, aliases in section.mapping().items():
                    surfaces = tuple(dict.fromkeys((name, *aliases.texts())))
                    entries.append(GazetteerEntry(entity_type, name, surfaces))
    return entries


def load_lexicon(folder: Path, tables: Mapping[str, tuple[Row, ...]]) -> Lexicon:
    """Read the language files of the pack in `folder`; raises PackInvalid naming file, line, expected and found."""
    entity_keys = (
        "types",
        "patterns",
        "tables",
        "groups",
        "lists",
        "single_before",
        "single_after",
        "surnames",
        "person_contexts",
    )
    entities = read_yaml(folder / "entities.yaml").mapping(entity_keys, required=("types",))
    phrase_keys = ("openers", "closers", "expansions", "wildcards", "wildcard_refuses", "thresholds")
    phrases = read_yaml(folder / "phrases.yaml").mapping(phrase_keys)
    types = entities["types"].texts()
    wildcards = phrases["wildcards"].texts() if "wildcards" in phrases else ()
    raw = phrases["expansions"].mapping() if "expansions" in phrases else {}
    expansions = {name: section.text() for name, section in raw.items()}
    checker = TemplateChecker(expansions, types + wildcards)
    for section in raw.values():
        _template(section, checker)
    files = sorted((folder / "intents").glob("*.yaml"))
    if not files:
        raise PackInvalid(f"{folder.name}/intents: expected at least one intent file, got none")
    intents = [_intent(path, checker, types) for path in files]
    if OUT_OF_SCOPE not in {rule.name for rule in intents}:
        intents.append(IntentRule(OUT_OF_SCOPE))
    listed = entities["tables"].mapping() if "tables" in entities else {}
    return Lexicon(
        intents=tuple(intents),
        gazetteer=tuple(_gazetteer(entities, types, tables)),
        patterns=tuple(_pattern(item, types, listed, tables) for item in entities["patterns"].items())
        if "patterns" in entities
        else (),
        entity_types=types,
        expansions=expansions,
        wildcards=wildcards,
        wildcard_refuses=_regex(phrases["wildcard_refuses"]) if "wildcard_refuses" in phrases else "",
        openers=phrases["openers"].texts() if "openers" in phrases else (),
        closers=phrases["closers"].texts() if "closers" in phrases else (),
        single_before=_regex(entities["single_before"]) if "single_before" in entities else "",
        single_after=_regex(entities["single_after"]) if "single_after" in entities else "",
        surnames=tuple(dict.fromkeys(entities["surnames"].text().split())) if "surnames" in entities else (),
        person_contexts=entities["person_contexts"].texts() if "person_contexts" in entities else (),
        thresholds={name: item.number(0, 1) for name, item in phrases["thresholds"].mapping().items()}
        if "thresholds" in phrases
        else {},
    )
