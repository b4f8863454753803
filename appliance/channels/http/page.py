"""GET / and /assets/*: the page that customers touch, from the files in channels/page."""

from __future__ import annotations

from pathlib import Path

from apiflask import APIFlask
from flask import Response, send_from_directory

from appliance.channels.http.guard import PAGE_POLICY
from appliance.errors import NotFound

PAGE = Path(__file__).parent.parent / "page"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def register_page(app: APIFlask, folder: Path = PAGE) -> None:
    """Add the page and the files beside it; which files there are is looked up once."""
    names = frozenset(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in TYPES)

    def serve(name: str) -> Response:
        if name not in names:
            raise NotFound("page: expected one of the page's own files, got another name")
        response = send_from_directory(folder, name, conditional=True, max_age=0)
        response.content_type = TYPES[Path(name).suffix]
        response.headers["Content-Security-Policy"] = PAGE_POLICY
        response.headers["Cache-Control"] = "no-cache"  # always asked again, answered 304: an update shows at once
        return response

    @app.get("/")
    def get_page() -> Response:
        return serve("index.html")

    @app.get("/assets/<path:name>")
    def get_asset(name: str) -> Response:
        return serve(name)

    @app.get("/favicon.ico")
    def get_icon() -> Response:
        return serve("icon.svg")
