"""GET /docs: Swagger UI from the installed package's own files; nothing is fetched from elsewhere."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from apiflask import APIFlask
from flask import Response, send_from_directory

from appliance.channels.http.guard import DOCS_POLICY
from appliance.errors import NotFound

ASSETS = {
    "swagger-ui.css": "css/swagger-ui.css",
    "swagger-ui-bundle.js": "js/swagger-ui-bundle.js",
}
"""Files served under /docs/assets/, by their place in the package flask-openapi3-swagger."""

HTML = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Appliance API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<link rel="icon" href="/assets/icon.svg">
<script src="/docs/assets/swagger-ui-bundle.js" defer></script>
<script src="/docs/assets/start.js" defer></script>
</head>
<body><div id="swagger"></div></body>
</html>
"""

START = """// A token given as /docs#token=... stays in this page's memory and goes with every request it makes.
const token = new URLSearchParams(location.hash.slice(1)).get('token');
SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#swagger',
  deepLinking: false,
  validatorUrl: null,
  requestInterceptor: (request) => {
    if (token) request.headers.Authorization = `Bearer ${token}`;
    return request;
  },
});
"""


def _static_folder() -> Path:
    return Path(str(files("flask_openapi3_swagger"))) / "templates" / "swagger"


def register_docs(app: APIFlask) -> None:
    """Add /docs and its files."""
    folder = _static_folder()

    def with_policy(response: Response, cache: str) -> Response:
        response.headers["Content-Security-Policy"] = DOCS_POLICY
        response.headers["Cache-Control"] = cache
        return response

    @app.get("/docs")
    def get_docs() -> Response:
        return with_policy(Response(HTML, content_type="text/html; charset=utf-8"), "no-cache")

    @app.get("/docs/assets/<name>")
    def get_docs_asset(name: str) -> Response:
        if name == "start.js":
            return with_policy(Response(START, content_type="text/javascript; charset=utf-8"), "no-cache")
        if name not in ASSETS:
            raise NotFound("docs: expected one of the document's own files, got another name")
        return with_policy(send_from_directory(folder, ASSETS[name]), "max-age=3600")
