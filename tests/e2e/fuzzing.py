"""What strangers may send: images, recordings and bodies, mutated from real ones or grown from their grammar."""

from __future__ import annotations

import io
import json
import struct
import wave
import zlib
from functools import cache

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from appliance.artifacts.manifest import shipped_root

CASES = "pp-ocrv6-small"


@cache
def real_images() -> tuple[bytes, ...]:
    """Case lines and small pages of the OCR model, in each format that is read."""
    folder = shipped_root() / CASES / "cases"
    found = [path.read_bytes() for path in sorted(folder.glob("line-0*.png"))]
    page = Image.open(folder / "waybill-photo.jpg").convert("RGB")
    page.thumbnail((360, 360))
    drawn = Image.new("RGB", (200, 48), "white")
    ImageDraw.Draw(drawn).text((8, 16), "SF1392847561002", fill="black")
    for image, kind, options in (
        (page, "JPEG", {"quality": 70}),
        (drawn, "JPEG", {"progressive": True}),
        (drawn.convert("CMYK"), "JPEG", {}),
        (drawn, "WEBP", {"lossless": True}),
        (drawn, "WEBP", {"quality": 40}),
        (drawn.convert("RGBA"), "WEBP", {"lossless": True}),
        (drawn, "BMP", {}),
        (drawn.convert("P"), "BMP", {}),
        (drawn.convert("P"), "PNG", {}),
        (drawn.convert("I;16"), "PNG", {}),
    ):
        out = io.BytesIO()
        image.save(out, kind, **options)
        found.append(out.getvalue())
    return tuple(found)


@cache
def speech() -> npt.NDArray[np.float64]:
    """A second and a half of somebody who speaks Mandarin, at 16 kHz, from -1 to 1."""
    with wave.open(str(shipped_root() / "silero-vad" / "cases" / "mandarin.wav")) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
    loud = int(np.abs(samples).argmax())
    return samples[max(0, loud - 12_000) : loud + 12_000]


@cache
def real_recordings() -> tuple[bytes, ...]:
    """Speech, and a tone with noise over it, as recorders store them."""
    tone = np.sin(np.arange(6000) / 6.0) * 0.4 + np.random.default_rng(3).normal(0, 0.05, 6000)
    return tuple(
        wav(fmt(tag, channels, rate, bits), (np.repeat(samples, channels) * scale).astype(kind).tobytes())
        for samples in (speech(), tone)
        for tag, channels, rate, bits, kind, scale in (
            (1, 1, 16000, 16, "<i2", 30000),
            (1, 2, 48000, 16, "<i2", 30000),
            (1, 1, 8000, 8, "u1", 100),
            (1, 1, 44100, 32, "<i4", 2e9),
            (3, 1, 16000, 32, "<f4", 1.0),
        )
    )


def fmt(tag: int, channels: int, rate: int, bits: int, extra: bytes = b"") -> bytes:
    """A WAV's format chunk; every number as given, right or wrong."""
    frame = channels * bits // 8 & 0xFFFF
    body = struct.pack("<HHIIHH", tag, channels, rate, rate * frame & 0xFFFFFFFF, frame, bits) + extra
    return riff_chunk(b"fmt ", body)


def riff_chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    """A RIFF chunk, with a size that may be a lie."""
    return name + struct.pack("<I", (len(body) if size is None else size) & 0xFFFFFFFF) + body + b"\0" * (len(body) & 1)


def wav(head: bytes, data: bytes, size: int | None = None) -> bytes:
    """A WAV file of a format chunk (and whatever follows it) and its data."""
    return riff_chunk(b"RIFF", b"WAVE" + head + riff_chunk(b"data", data, size))


def png_chunk(kind: bytes, body: bytes, *, checked: bool = True) -> bytes:
    """A PNG chunk, its check sum right or wrong."""
    total = zlib.crc32(kind + body) if checked else 0
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", total)


def png(width: int, height: int, depth: int, colour: int, interlace: int, pixels: bytes, *more: bytes) -> bytes:
    """A PNG whose header says what is asked, whatever its pixels are."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    parts = (png_chunk(b"IHDR", header), *more, png_chunk(b"IDAT", zlib.compress(pixels)), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@st.composite
def mutated(draw: st.DrawFn, originals: tuple[bytes, ...]) -> bytes:
    """A real file with bytes changed, removed, repeated or put in."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(0, 4))):
        if not data:
            break
        # Most damage goes where the structure is: into the first bytes.
        reach = draw(st.sampled_from((16, 64, 256, len(data))))
        at = draw(st.integers(0, min(reach, len(data)) - 1))
        match draw(st.sampled_from(("flip", "byte", "word", "cut", "drop", "repeat", "insert"))):
            case "flip":
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "byte":
                data[at] = draw(st.sampled_from((0, 1, 0x7F, 0x80, 0xFF)))
            case "word":
                data[at : at + 4] = draw(st.sampled_from((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\x80")))
            case "cut":
                del data[at:]
            case "drop":
                del data[at : at + draw(st.integers(1, 64))]
            case "repeat":
                data[at:at] = data[at : at + draw(st.integers(1, 64))] * draw(st.integers(1, 4))
            case "insert":
                data[at:at] = draw(st.binary(min_size=1, max_size=32))
    return checked_png(bytes(data)) if draw(st.booleans()) else bytes(data)


def checked_png(data: bytes) -> bytes:
    """A PNG with right check sums again, so that what was changed in it is looked at; anything else as it is."""
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return data
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        out += png_chunk(kind, body)
        at += 12 + length
    return bytes(out)


SIDES = st.one_of(
    st.integers(0, 40), st.sampled_from((0, 1, 255, 4096, 16384, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1))
)
BLOCK = bytes(1 << 20)


@st.composite
def grown_pngs(draw: st.DrawFn) -> bytes:
    """PNGs with right check sums and any header, with bombs in the chunks that are compressed."""
    width, height = draw(SIDES), draw(SIDES)
    bomb = zlib.compress(BLOCK * draw(st.integers(0, 24)))
    more = {
        "none": (),
        "text": (png_chunk(b"zTXt", b"Comment\0\0" + bomb),),
        "international": (png_chunk(b"iTXt", b"Comment\0\1\0\0\0" + bomb),),
        "profile": (png_chunk(b"iCCP", b"icc\0\0" + bomb),),
        "palette": (png_chunk(b"PLTE", draw(st.binary(max_size=40))), png_chunk(b"tRNS", draw(st.binary(max_size=40)))),
        "exif": (png_chunk(b"eXIf", draw(st.binary(max_size=60))),),
        "animation": (png_chunk(b"acTL", struct.pack(">II", draw(st.integers(0, 2**32 - 1)), 0)),),
        "wrong": (png_chunk(b"gAMA", b"\0" * 4, checked=False),),
    }[draw(st.sampled_from(("none", "text", "international", "profile", "palette", "exif", "animation", "wrong")))]
    pixels = draw(st.one_of(st.binary(max_size=400), st.integers(0, 3_000_000).map(bytes)))
    depth, colour = draw(st.sampled_from((0, 1, 2, 4, 8, 16, 255))), draw(st.sampled_from((0, 1, 2, 3, 4, 6, 7)))
    return png(width, height, depth, colour, draw(st.integers(0, 2)), pixels, *more)


@st.composite
def grown_images(draw: st.DrawFn) -> bytes:
    """JPEG, WebP and BMP files of headers that say anything."""
    width, height, noise = draw(SIDES) & 0xFFFF, draw(SIDES) & 0xFFFF, draw(st.binary(max_size=300))
    match draw(st.sampled_from(("jpeg", "webp lossless", "webp extended", "webp lossy", "bmp", "signature"))):
        case "jpeg":
            frame = draw(st.sampled_from((0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCF)))
            parts = draw(st.integers(0, 5))
            body = struct.pack(">BHHB", 8, height, width, parts) + bytes(range(parts * 3))
            head = bytes([0xFF, frame]) + struct.pack(">H", len(body) + 2) + body
            exif = b"\xff\xe1" + struct.pack(">H", len(noise) + 8) + b"Exif\0\0" + noise
            return b"\xff\xd8" + draw(st.sampled_from((b"", exif))) + head + b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" + noise
        case "webp lossless":
            bits = (width & 0x3FFF) | (height & 0x3FFF) << 14
            return riff_chunk(b"RIFF", b"WEBP" + riff_chunk(b"VP8L", b"\x2f" + struct.pack("<I", bits) + noise))
        case "webp extended":
            sides = struct.pack("<I", width)[:3] + struct.pack("<I", height)[:3]
            head = riff_chunk(b"VP8X", bytes([draw(st.integers(0, 255)), 0, 0, 0]) + sides)
            return riff_chunk(b"RIFF", b"WEBP" + head + riff_chunk(b"ALPH", noise) + riff_chunk(b"VP8 ", noise))
        case "webp lossy":
            body = b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + noise
            return riff_chunk(b"RIFF", b"WEBP" + riff_chunk(b"VP8 ", body))
        case "bmp":
            bits = draw(st.sampled_from((0, 1, 4, 8, 16, 24, 32, 64)))
            kind = draw(st.integers(0, 6))
            tall = draw(st.sampled_from((height, -height, -(2**31))))
            head = struct.pack("<IiiHHIIiiII", 40, width, tall, 1, bits, kind, 0, 0, 0, draw(SIDES), 0)
            return (
                b"BM" + struct.pack("<IHHI", 54 + len(noise), 0, 0, draw(st.sampled_from((0, 54, 9999)))) + head + noise
            )
        case _:
            start = draw(
                st.sampled_from((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"GIF89a", b"II*\0", b"%PDF-1.7"))
            )
            return start + noise


def images() -> st.SearchStrategy[bytes]:
    """Any image."""
    return st.one_of(mutated(real_images()), grown_pngs(), grown_images())


@st.composite
def grown_recordings(draw: st.DrawFn) -> bytes:
    """WAV files of any format, with sizes that lie and chunks that nobody knows."""
    head = fmt(
        draw(st.sampled_from((1, 1, 1, 3, 3, 0xFFFE, 0, 2, 6, 7, 0x11, 0x55, 0xFFFF))),
        draw(st.sampled_from((0, 1, 2, 3, 8, 32, 33, 65535))),
        draw(st.sampled_from((0, 1, 7999, 8000, 16000, 44100, 48000, 192000, 2**32 - 1))),
        draw(st.sampled_from((0, 1, 7, 8, 12, 16, 24, 32, 64, 65535))),
        draw(st.binary(max_size=30)),
    )
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from((b"LIST", b"fact", b"cue ", b"JUNK", b"fmt ", b"ds64", b"\0\0\0\0", b"data")))
        size = draw(st.one_of(st.none(), st.sampled_from((0, 1, 2**31, 2**32 - 1))))
        head += riff_chunk(name, draw(st.binary(max_size=40)), size)
    data = draw(st.one_of(st.binary(max_size=600), st.integers(0, 60_000).map(lambda n: bytes(n))))
    file = wav(head, data, draw(st.one_of(st.none(), st.sampled_from((0, 1, 2**31, 2**32 - 1)))))
    return draw(st.sampled_from((b"RIFF",) * 6 + (b"RF64", b"BW64", b"RIFX", b"OggS"))) + file[4:]


def recordings() -> st.SearchStrategy[bytes]:
    """Any recording."""
    return st.one_of(mutated(real_recordings()), grown_recordings(), st.binary(max_size=200))


WORDS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        (
            "厕所在哪里",
            "我要退货",
            "查一下单号SF1392847561002",
            "a" * 513,
            "\0",
            " ",
            "\u202e" + "测试",
            "😀" * 200,
            "%s%n",
        )
    ),
)
VALUES: st.SearchStrategy[object] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=12,
)
ENTITIES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.one_of(VALUES, st.sampled_from(("tracking_no", "phone", "product", "__class__"))),
        "value": VALUES,
        "text": VALUES,
        "more": VALUES,
    },
)
TURNS = st.fixed_dictionaries(
    {},
    optional={
        "text": st.one_of(WORDS, VALUES),
        "session": st.one_of(VALUES, st.sampled_from(("A" * 24, "-" * 24, "A" * 65, "../../etc/passwd"))),
        "source": st.one_of(VALUES, st.sampled_from(("text", "tap", "barcode", "image", "audio"))),
        "language": st.one_of(VALUES, st.sampled_from(("zh", "en", "zh-CN"))),
        "intent": st.one_of(VALUES, st.sampled_from(("find_product", "track_parcel", "nothing_known"))),
        "entities": st.one_of(VALUES, st.lists(st.one_of(ENTITIES, VALUES), max_size=4)),
        "more": VALUES,
    },
)
ODD = (
    b"[" * 20_000,
    b'{"text":' * 5_000 + b"1" + b"}" * 5_000,
    b'{"text":"a","text":"b"}',
    b'{"text":NaN}',
    b'{"text":Infinity}',
    b'{"text":1e999999}',
    b'{"text":' + b"9" * 5_000 + b"}",
    b'{"text":"\\ud800"}',
    b'{"text":"\\udfff\\ud800 a"}',
    b'{"text":"\xed\xa0\x80"}',
    b'{"text":"\xff\xfe"}',
    b'\xef\xbb\xbf{"text":"a"}',
    '{"text":"你好"}'.encode("utf-16"),
    b'{"text":"' + b"a" * 60_000 + b'"}',
    b'{"text":"' + b"a" * 1_000_000 + b'"}',
    b'{"text":"a","entities":[' + b"{}," * 10_000 + b"{}]}",
    b"\x1f\x8b\x08" + bytes(200),
    b"",
    b"null",
    b'"text"',
)
"""Bodies that have broken somebody's server before."""


@cache
def real_bodies() -> tuple[bytes, ...]:
    """Turns as clients send them."""
    turns = (
        {"text": "厕所在哪里"},
        {"text": "我要退货", "language": "en", "source": "tap", "intent": "return_exchange"},
        {
            "text": "6901234567892",
            "source": "barcode",
            "entities": [{"type": "tracking_no", "value": "SF1392847561002"}],
        },
    )
    return tuple(json.dumps(turn, ensure_ascii=False).encode() for turn in turns)


def form() -> tuple[bytes, str]:
    """A form that is right."""
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    return head + real_images()[0] + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"


def bodies() -> st.SearchStrategy[bytes]:
    """Any JSON body, or what is none."""

    def written(value: object) -> bytes:
        return json.dumps(value).encode()

    return st.one_of(
        TURNS.map(written), VALUES.map(written), mutated(real_bodies()), st.sampled_from(ODD), st.binary(max_size=200)
    )


@st.composite
def forms(draw: st.DrawFn) -> tuple[bytes, str]:
    """A multipart form that is right, or nearly, or not at all; with its content type."""
    boundary = draw(st.sampled_from(("b", "-" * 70, "a b", "x" * 200)))
    parts = b""
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(("image", "audio", "session", "language", "other", "", 'im"age')))
        file = draw(st.sampled_from(("", '; filename="a.png"', '; filename="../../a"', "; filename=")))
        content = draw(
            st.one_of(
                st.sampled_from((*real_images()[:2], *real_recordings()[:1])),
                st.binary(max_size=100),
                WORDS.map(lambda words: words.encode("utf-8", "replace")),
            )
        )
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n'
        kind = draw(st.sampled_from(("", "Content-Type: image/png\r\n", "Content-Type: \r\n", "no colon\r\n")))
        parts += head.encode() + kind.encode() + b"\r\n" + content + b"\r\n"
    end = draw(st.sampled_from((f"--{boundary}--\r\n".encode(), b"", b"--")))
    said = draw(
        st.sampled_from(
            (
                f"multipart/form-data; boundary={boundary}",
                f'multipart/form-data; boundary="{boundary}"',
                "multipart/form-data",
                "multipart/mixed; boundary=b",
            )
        )
    )
    return parts + end, said
