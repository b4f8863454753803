"""Writes the tables of docs/ from the code: settings, errors, metrics, routes (`make docs`).

tests/docs fails when a table and the code disagree, so a setting, error, metric or route cannot be added in silence.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from appliance.errors import ERRORS
from appliance.settings import SETTINGS

DOCS = Path(__file__).parent.parent / "docs"


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    return "\n".join([_row(*head), _row(*("---" for _ in head)), *(_row(*row) for row in rows)]) + "\n"


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "(none)"
    return str(value) if value != "" else "(empty)"


def settings() -> str:
    """docs/settings.md."""
    rows: list[tuple[object, ...]] = []
    for s in SETTINGS.values():
        span = "" if s.minimum is None else f"{s.minimum:g} to {s.maximum:g}"
        rows.append((f"`{s.name}`", f"`{s.variable}`", s.type, f"`{_value(s.default)}`", span, s.help))
    return (
        "# Settings\n\nEvery setting has a default. A YAML file (`appliance serve --config FILE`) overrides the "
        "defaults, an environment\nvariable overrides the file. Lists are YAML lists, or one line with commas in the "
        "environment. An unknown name, a wrong\ntype or a value out of range ends the start with an error that "
        "names it.\n\n" + _table(("name", "environment variable", "type", "default", "range", "what it does"), rows)
    )


def errors() -> str:
    """docs/errors.md."""
    rows = [
        (f"`{code}`", cls.status, cls.title, (cls.__doc__ or "").strip().split("\n")[0], cls.default_remedy)
        for code, cls in sorted(ERRORS.items(), key=lambda item: (item[1].status, item[0]))
    ]
    return (
        "# Errors\n\nEvery refusal is JSON with `code`, `message` and `remedy`; message and remedy are Chinese first, "
        "English behind ` / `.\nA 503 or 429 carries `Retry-After` in seconds. Codes with status 500 are mostly seen "
        "on the command line and in `/readyz`.\n\n"
        + _table(("code", "HTTP status", "Chinese", "when", "what to do"), list(rows))
    )


def metrics() -> str:
    """docs/metrics.md."""
    from appliance.metrics import METRICS

    rows: list[tuple[object, ...]] = [
        (f"`{name}`", kind, ", ".join(f"`{label}`" for label in labels), text)
        for name, (kind, text, labels) in METRICS.items()
    ]
    return (
        "# Metrics\n\n`GET /metrics` speaks the Prometheus text format. Beside these stand the client library's own "
        "`process_*` and `python_*`.\n\n" + _table(("metric", "kind", "labels", "what it says"), rows)
    )


def routes() -> str:
    """docs/routes.md, from the OpenAPI document."""
    from appliance.channels.http.openapi import document
    from appliance.settings import Settings

    spec: dict[str, Any] = document(Settings())
    rows: list[tuple[object, ...]] = []
    for path, methods in sorted(spec["paths"].items()):
        for method, operation in methods.items():
            statuses = ", ".join(sorted(operation["responses"]))
            rows.append((f"`{method.upper()} {path}`", operation.get("summary", ""), statuses))
    return (
        "# Routes\n\nThe full description with every field is the appliance's own `/openapi.json`; `/docs` shows it "
        "offline.\n\n" + _table(("route", "what it does", "statuses"), rows)
    )


PAGES = {"settings.md": settings, "errors.md": errors, "metrics.md": metrics, "routes.md": routes}


def main() -> int:
    """Write every page."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), "utf-8")
        print(f"docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
