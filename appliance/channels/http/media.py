"""What a body is: JSON, an image, a recording, or a form that holds one of the two."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO

from flask import Request
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser
from werkzeug.http import parse_options_header

from appliance.channels.http.limits import FORM_BYTES, Incoming, Uploads, declared_length, read_body
from appliance.errors import BadRequest, InvalidInput, TooLarge, UnsupportedMedia
from appliance.settings import Settings

IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp")
AUDIO_TYPES = ("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave")
Names = tuple[str, ...]
FORM_TYPE = "multipart/form-data"
JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came in, with the words beside it."""

    kind: str
    """`image` or `audio`."""
    data: bytes
    """The file as sent."""
    fields: dict[str, str] = field(default_factory=dict)
    """`session` and `language` as given in the form."""


def kind_of(asked: Request, accepted: tuple[str, ...]) -> str:
    """`json`, `image`, `audio` or `form` by Content-Type; raises UnsupportedMedia when it is not in `accepted`."""
    given = asked.mimetype
    if given == JSON_TYPE:
        kind = "json"
    elif given == FORM_TYPE:
        kind = "form"
    elif given.startswith("image/"):
        kind = "image"  # which formats are read is the reader's word: it looks at the bytes, not at the name
    elif given in AUDIO_TYPES:
        kind = "audio"
    else:
        kind = ""
    if kind not in accepted:
        names = {
            "json": JSON_TYPE,
            "form": FORM_TYPE,
            "image": "image/*",
            "audio": "audio/wav (or audio/pcm;rate=16000)",
        }
        wanted = ", ".join(names[name] for name in accepted)
        raise UnsupportedMedia(
            f"Content-Type: expected {wanted}, got {given[:60]!r}"
            if given
            else f"Content-Type: expected {wanted}, got none"
        )
    return kind


def limit_of(kind: str, settings: Settings) -> int:
    """Largest file of a kind, in bytes."""
    return settings.max_image_bytes if kind == "image" else settings.max_audio_bytes


def read_upload(
    asked: Request, kind: str, settings: Settings, uploads: Uploads, files: Names, texts: Names = ()
) -> Upload:
    """Receive an image, a recording, or a form with one of `files` and any of `texts`, within its limit.

    Raises TooLarge, RequestTimeout, BadRequest, InvalidInput or Overloaded.
    """
    if kind == "form":
        largest = max(limit_of(name, settings) for name in files) + FORM_BYTES
        with uploads.place(_place_of_form(asked, largest, settings)):
            return _form(asked, Incoming(asked, largest), settings, files, texts)
    with uploads.place(kind):
        data = read_body(asked, limit_of(kind, settings))
    if not data:
        raise BadRequest(f"body: expected {kind} bytes, got an empty body")
    return Upload(kind, data)


def _place_of_form(asked: Request, largest: int, settings: Settings) -> str:
    """`image` for a form no larger than an image may be, else `audio`: what is in it is not known before it came."""
    length = declared_length(asked)
    size = largest if length is None else min(length, largest)
    return "image" if size <= settings.max_image_bytes + FORM_BYTES else "audio"


def _form(asked: Request, body: Incoming, settings: Settings, files: Names, texts: Names) -> Upload:
    return _checked(*form_parts(asked, body), settings, files, texts)


def form_parts(asked: Request, body: Incoming) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
    """Fields and files of a multipart body as it arrives; nothing in them is checked.

    Raises BadRequest (no boundary, malformed), InvalidInput (too many or too long fields) and what `body` does.
    """
    _, options = parse_options_header(asked.content_type)
    boundary = options.get("boundary", "")
    if not boundary or not boundary.isascii():
        raise BadRequest("Content-Type: expected a multipart boundary, got none")
    # Files stay in memory: a customer's photo is never written to a temporary file.
    parser = MultiPartParser(stream_factory=_in_memory, max_form_memory_size=4 * FORM_BYTES, max_form_parts=64)
    try:
        # Parsed while it arrives: the file is in memory once, and not beside the form that brought it.
        return parser.parse(body, boundary.encode("ascii"), body.length)  # type: ignore[arg-type]  # only read
    except RequestEntityTooLarge as error:
        raise InvalidInput("form: expected one file and short fields, got more") from error
    except ValueError as error:
        raise BadRequest("form: expected multipart/form-data, got malformed parts") from error


def bytes_of(part: FileStorage) -> bytes:
    """The whole file of a part; of one that `form_parts` gave, without a copy."""
    stream = part.stream
    return stream.getvalue() if isinstance(stream, BytesIO) else stream.read()


def _in_memory(
    total_content_length: int | None, content_type: str | None, filename: str | None, content_length: int | None = None
) -> BytesIO:
    return BytesIO()


def _checked(
    fields: MultiDict[str, str],
    sent: MultiDict[str, FileStorage],
    settings: Settings,
    files: Names,
    texts: Names,
) -> Upload:
    known = {*files, *texts}
    for name in (*fields, *sent):
        if name not in known:
            raise InvalidInput(f"form: expected the fields {', '.join(sorted(known))}, got {name[:40]!r}")
    # A client may leave the file name out; the part then arrives among the fields and has lost its bytes to decoding.
    for name in files:
        if name in fields:
            raise InvalidInput(f"{name}: expected a file part with a filename, got a text field")
    for name in texts:
        if name in sent:
            raise InvalidInput(f"{name}: expected a text field, got a file")
        if len(fields.getlist(name)) > 1:
            raise InvalidInput(f"{name}: expected once, got {len(fields.getlist(name))} times")
    present = [name for name in files for _ in sent.getlist(name)]
    if len(present) != 1:
        raise InvalidInput(f"form: expected one file named {' or '.join(files)}, got {len(present)}")
    kind = present[0]
    data = bytes_of(sent[kind])
    if len(data) > limit_of(kind, settings):
        raise TooLarge(f"{kind}: expected at most {limit_of(kind, settings)} bytes, got {len(data)}")
    if not data:
        raise InvalidInput(f"{kind}: expected a file, got an empty one")
    return Upload(kind, data, {name: fields[name] for name in texts if name in fields})
