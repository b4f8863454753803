"""Renders the models' recorded cases: pages and lines for reading, clips for hearing, each with its truth.

    python -m export.cases [--models models]

Needs Pillow and numpy, soxr, espeak-ng (apt package espeak-ng) and WenQuanYi Micro Hei (fonts-wqy-microhei). Every
name, number and address in the pictures is invented. With the same versions of these the output is the same to the
byte: random numbers come from fixed seeds. The result lies in git, so this runs only when a case changes.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import wave
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

FONT = Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc")
LICENCE = "Apache-2.0"
RATE = 16_000

Line = tuple[int, int, int, str]
"""x, y, font size in pixels, text."""

PAGES: dict[str, tuple[int, int, list[Line]]] = {
    "receipt": (
        560,
        800,
        [
            (160, 30, 36, "便民生活超市"),
            (190, 84, 24, "购物小票"),
            (40, 140, 24, "单号：20261122083015"),
            (40, 180, 24, "收银员：0027"),
            (330, 180, 24, "机号：03"),
            (40, 250, 24, "纯牛奶250ml"),
            (330, 250, 24, "2"),
            (440, 250, 24, "11.60"),
            (40, 294, 24, "全麦面包"),
            (330, 294, 24, "1"),
            (440, 294, 24, "8.90"),
            (40, 338, 24, "红富士苹果"),
            (330, 338, 24, "3"),
            (440, 338, 24, "27.45"),
            (40, 382, 24, "抽纸10包装"),
            (330, 382, 24, "1"),
            (440, 382, 24, "19.90"),
            (40, 460, 28, "合计"),
            (416, 460, 28, "67.85"),
            (40, 508, 24, "会员优惠"),
            (440, 508, 24, "-5.00"),
            (40, 556, 28, "实收"),
            (416, 556, 28, "62.85"),
            (40, 630, 24, "支付方式：微信支付"),
            (40, 672, 24, "2026-11-22 18:30:15"),
            (130, 730, 24, "谢谢惠顾，欢迎再次光临"),
        ],
    ),
    "waybill": (
        760,
        620,
        [
            (40, 30, 36, "示例速运"),
            (470, 36, 28, "标准快件"),
            (40, 100, 34, "SF1392847561002"),
            (470, 100, 34, "571-WT-042"),
            (40, 190, 26, "收件人：李明月"),
            (400, 190, 26, "13800138000"),
            (40, 236, 26, "浙江省杭州市西湖区文三路90号东部软件园2幢"),
            (40, 320, 26, "寄件人：王建国"),
            (400, 320, 26, "021-55501234"),
            (40, 366, 26, "上海市浦东新区张杨路500号华润时代广场18楼"),
            (40, 450, 26, "物品：图书"),
            (300, 450, 26, "重量：1.25kg"),
            (540, 450, 26, "件数：1"),
            (40, 500, 26, "付款方式：寄付月结"),
            (40, 550, 26, "订单号：DD20261122000381"),
        ],
    ),
    "shelf-tag": (
        640,
        330,
        [
            (36, 28, 44, "有机番茄"),
            (440, 40, 26, "产地：山东寿光"),
            (36, 104, 26, "规格：500g/盒"),
            (36, 150, 26, "等级：一级"),
            (340, 116, 92, "12.80"),
            (36, 214, 24, "会员价：10.90元"),
            (36, 270, 24, "6901234567892"),
            (440, 270, 24, "监督电话：12315"),
        ],
    ),
    "notice": (
        820,
        520,
        [
            (60, 40, 40, "SERVICE COUNTER"),
            (60, 120, 26, "Opening hours: Monday to Friday, 9:00 - 21:00"),
            (60, 166, 26, "Please keep your receipt for returns within 7 days."),
            (60, 212, 26, "Customer hotline 400-820-5555"),
            (60, 290, 34, "服务台"),
            (60, 352, 26, "营业时间：周一至周五 9:00-21:00"),
            (60, 398, 26, "退换货请在七天内携带购物小票办理"),
            (60, 444, 26, "电子发票请扫描小票下方的二维码"),
        ],
    ),
}

# (page, text) of the lines that also stand alone, upright and turned, for recogniser and orientation classifier.
SINGLE = [
    ("receipt", "便民生活超市"),
    ("receipt", "单号：20261122083015"),
    ("receipt", "红富士苹果"),
    ("receipt", "支付方式：微信支付"),
    ("waybill", "SF1392847561002"),
    ("waybill", "浙江省杭州市西湖区文三路90号东部软件园2幢"),
    ("waybill", "重量：1.25kg"),
    ("shelf-tag", "有机番茄"),
    ("shelf-tag", "会员价：10.90元"),
    ("notice", "SERVICE COUNTER"),
    ("notice", "Please keep your receipt for returns within 7 days."),
    ("notice", "退换货请在七天内携带购物小票办理"),
]

# Pinyin with tones: espeak-ng reads characters with the wrong readings of polyphones.
CLIPS: dict[str, list[tuple[str, str, float]]] = {
    "mandarin": [
        ("cmn-latn-pinyin", "qing3 wen4 xi3 shou3 jian1 zai4 na3 li3", 0.9),
        ("cmn-latn-pinyin", "wo3 yao4 cha2 kuai4 di4", 1.1),
        ("cmn-latn-pinyin", "xie4 xie4", 0.8),
    ],
    "english": [
        ("en-us", "where can I find the milk", 1.0),
        ("en-us", "I would like to return this", 0.9),
    ],
}
"""Clip name to (voice, words, seconds of silence before them)."""


@dataclass
class Page:
    """A picture under work and the lines already drawn on it."""

    image: Image.Image
    lines: list[dict[str, Any]] = field(default_factory=list)

    def write(self, x: int, y: int, size: int, text: str) -> None:
        """Draw `text` and note its corners (clockwise from the top left)."""
        draw, font = ImageDraw.Draw(self.image), ImageFont.truetype(str(FONT), size)
        draw.text((x, y), text, font=font, fill=(24, 24, 28))
        left, top, right, bottom = draw.textbbox((x, y), text, font=font)
        self.lines.append({"text": text, "box": [[left, top], [right, top], [right, bottom], [left, bottom]]})


def render(name: str) -> Page:
    """Draw one of PAGES."""
    width, height, lines = PAGES[name]
    page = Page(Image.new("RGB", (width, height), (250, 250, 247)))
    for x, y, size, text in lines:
        page.write(x, y, size, text)
    return page


def homography(source: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """3x3 matrix that takes four `source` points (4, 2) to four `target` points."""
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    return np.append(np.linalg.solve(np.array(rows), target.reshape(-1)), 1.0).reshape(3, 3)


def photograph(page: Page, seed: int) -> Page:
    """Lay the page on a table: perspective, rotation by about three degrees, uneven light, blur and noise."""
    random = np.random.default_rng(seed)
    width, height = page.image.size
    canvas = (int(width * 1.15), int(height * 1.2))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    placed = np.array(
        [
            [0.070 * canvas[0], 0.055 * canvas[1]],
            [0.955 * canvas[0], 0.105 * canvas[1]],
            [0.930 * canvas[0], 0.950 * canvas[1]],
            [0.030 * canvas[0], 0.890 * canvas[1]],
        ]
    )
    forward = homography(corners, placed)
    backward = homography(placed, corners)
    laid = page.image.transform(
        canvas,
        Image.Transform.PERSPECTIVE,
        tuple(backward.reshape(-1)[:8]),
        Image.Resampling.BICUBIC,
        fillcolor=(120, 104, 88),
    ).filter(ImageFilter.GaussianBlur(0.6))
    x, y = np.meshgrid(np.linspace(0, 1, canvas[0]), np.linspace(0, 1, canvas[1]))
    light = 1.0 - 0.38 * x - 0.12 * y + 0.10 * np.sin(3 * x + 2 * y)
    pixels = np.asarray(laid, np.float64) * light[..., None] + random.normal(0, 4, (canvas[1], canvas[0], 1))
    shot = Page(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))
    for line in page.lines:
        points = np.column_stack([np.array(line["box"], np.float64), np.ones(4)]) @ forward.T
        box = (points[:, :2] / points[:, 2:]).round(1).tolist()
        shot.lines.append({"text": line["text"], "box": box})
    return shot


def crop(page: Page, text: str) -> Image.Image:
    """The one line that says `text`, with the margin that a detector leaves."""
    box = next(line["box"] for line in page.lines if line["text"] == text)
    left, top, right, bottom = box[0][0], box[0][1], box[2][0], box[2][1]
    margin = round(0.12 * (bottom - top))
    return page.image.crop((left - margin, top - margin, right + margin, bottom + margin))


def speak(voice: str, words: str) -> npt.NDArray[np.float32]:
    """Speech of espeak-ng at 16 kHz, peak 0.5, without the silence around it; shape (n,), float32."""
    import soxr

    spoken = subprocess.run(
        ["espeak-ng", "-v", voice, "-s", "150", "--stdout"], input=words.encode(), capture_output=True, check=True
    ).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        rate = file.getframerate()
        # espeak-ng streams its WAV and writes a length of 2 GB: read what is there.
        samples = np.frombuffer(file.readframes(1 << 26), "<i2").astype(np.float32) / 32768
    samples = soxr.resample(samples, rate, RATE)
    # 10 ms windows quieter than 1 % of the peak at both ends are silence.
    windows = np.abs(samples[: len(samples) // 160 * 160]).reshape(-1, 160).max(axis=1)
    loud = np.flatnonzero(windows > 0.01 * windows.max())
    samples = samples[loud[0] * 160 : (loud[-1] + 1) * 160]
    spoken_only: npt.NDArray[np.float32] = (samples * (0.5 / np.abs(samples).max())).astype(np.float32)
    return spoken_only


def clip(parts: list[tuple[str, str, float]], seed: int) -> tuple[npt.NDArray[np.float32], list[list[float]]]:
    """Speech with quiet room noise between; the samples and the (start, end) seconds of every utterance."""
    pieces: list[npt.NDArray[np.float32]] = []
    spans, at = [], 0
    for voice, words, silence in parts:
        pieces.append(np.zeros(round(silence * RATE), np.float32))
        at += len(pieces[-1])
        pieces.append(speak(voice, words))
        spans.append([round(at / RATE, 3), round((at + len(pieces[-1])) / RATE, 3)])
        at += len(pieces[-1])
    pieces.append(np.zeros(RATE, np.float32))
    samples = np.concatenate(pieces)
    return samples + room(len(samples), seed), spans


def room(length: int, seed: int) -> npt.NDArray[np.float32]:
    """Low-passed noise at about -56 dBFS, shape (length,)."""
    noise = np.random.default_rng(seed).normal(0, 1, length + 7)
    return (0.004 * np.convolve(noise, np.full(8, 1 / 8), "valid")).astype(np.float32)


def save_wav(path: Path, samples: npt.NDArray[np.float32]) -> None:
    """Write 16 kHz mono 16-bit PCM."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).round().astype("<i2").tobytes())


def save_json(folder: Path, cases: list[dict[str, Any]]) -> None:
    """Write cases.json, one case per line so that a change shows in a diff."""
    rows = ",\n".join("  " + json.dumps(case, ensure_ascii=False) for case in cases)
    (folder / "cases.json").write_text(f"[\n{rows}\n]\n", "utf-8")


def make_pages(folder: Path) -> None:
    """Pages and single lines of pp-ocrv6-small."""
    folder.mkdir(parents=True, exist_ok=True)
    cases: list[dict[str, Any]] = []
    pages = {name: render(name) for name in PAGES}

    def note(file: str, page: Page, *, photo: bool) -> None:
        width, height = page.image.size
        truth = {"width": width, "height": height, "photo": photo, "lines": page.lines}
        cases.append({"file": file, "kind": "page", "truth": truth, "licence": LICENCE})

    for name, page in pages.items():
        page.image.quantize(64, dither=Image.Dither.NONE).save(folder / f"{name}.png", optimize=True)
        note(f"{name}.png", page, photo=False)
    for name, seed in (("waybill", 7), ("receipt", 11)):
        shot = photograph(pages[name], seed)
        shot.image.save(folder / f"{name}-photo.jpg", quality=82)
        note(f"{name}-photo.jpg", shot, photo=True)
    for number, (name, text) in enumerate(SINGLE, 1):
        upright = crop(pages[name], text)
        for turned in (False, True):
            file = f"line-{number:02d}{'-turned' if turned else ''}.png"
            picture = upright.rotate(180) if turned else upright
            picture.quantize(64, dither=Image.Dither.NONE).save(folder / file, optimize=True)
            cases.append({"file": file, "kind": "line", "truth": {"text": text, "turned": turned}, "licence": LICENCE})
    save_json(folder, cases)


def make_clips(folder: Path) -> None:
    """Speech and silence of silero-vad."""
    folder.mkdir(parents=True, exist_ok=True)
    cases: list[dict[str, Any]] = []
    for seed, (name, parts) in enumerate(CLIPS.items(), 1):
        samples, spans = clip(parts, seed)
        save_wav(folder / f"{name}.wav", samples)
        truth = {"rate": RATE, "seconds": round(len(samples) / RATE, 3), "speech": spans}
        cases.append({"file": f"{name}.wav", "kind": "clip", "truth": truth, "licence": LICENCE})
    quiet = room(3 * RATE, 9)
    save_wav(folder / "quiet.wav", quiet)
    truth = {"rate": RATE, "seconds": 3.0, "speech": []}
    cases.append({"file": "quiet.wav", "kind": "clip", "truth": truth, "licence": LICENCE})
    save_json(folder, cases)


def make_utterance(folder: Path, voice: str, words: str, text: str, language: str) -> None:
    """One spoken sentence for a recogniser: synthetic, so it shows that the model hears, not how well."""
    folder.mkdir(parents=True, exist_ok=True)
    samples, spans = clip([(voice, words, 0.3)], 3)
    save_wav(folder / "utterance.wav", samples[: -RATE // 2])
    truth = {"rate": RATE, "text": text, "language": language, "speech": spans, "synthetic": True}
    save_json(folder, [{"file": "utterance.wav", "kind": "utterance", "truth": truth, "licence": LICENCE}])


def main() -> None:
    """Write every case under --models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path(__file__).parent.parent / "models")
    models = parser.parse_args().models
    make_pages(models / "pp-ocrv6-small" / "cases")
    make_clips(models / "silero-vad" / "cases")
    make_utterance(models / "vosk-small-cn" / "cases", "cmn-latn-pinyin", "niu2 nai3 zai4 na3 li3", "牛奶在哪里", "zh")
    make_utterance(models / "vosk-small-en" / "cases", "en-us", "where is the milk", "where is the milk", "en")


if __name__ == "__main__":
    main()
