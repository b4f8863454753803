"""`appliance ask | ocr | check | bench` as a user runs them: what they print, and their exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from appliance import __version__
from appliance.cli import check as check_module
from appliance.cli import ocr as ocr_module
from appliance.cli.exits import Exit
from appliance.values import Feature, OcrLine, OcrResult
from appliance.vision.watch import Watch
from tests.cli.conftest import Command
from tests.conftest import REPOSITORY
from tests.device.boards import orin_nano

PICTURE = REPOSITORY / "models/pp-ocrv6-small/cases/notice.png"


def test_version_and_help(command: Command) -> None:
    assert command("--version").out.strip() == __version__
    told = command("--help")
    assert told.code == Exit.OK
    for name in ("serve", "check", "ask", "ocr", "hear", "bench", "models"):
        assert name in told.out
    assert command("sing").code == Exit.USAGE


def test_ask_one_question(command: Command) -> None:
    told = command("ask", "洗衣液在哪个货架")
    assert told.code == Exit.OK
    assert "洗衣液" in told.out
    assert "货架" in told.out
    english = command("ask", "厕所在哪里", "--language", "en")
    assert english.out.strip()
    assert not any("\u4e00" <= letter <= "\u9fff" for letter in english.out.splitlines()[0])


def test_ask_as_json(command: Command) -> None:
    told = command("ask", "洗衣液在哪个货架", "--json").json
    assert told["intent"] == "find_product"
    assert {"type": "product", "text": "洗衣液", "value": "洗衣液"} in told["entities"]
    assert told["answer"]
    assert told["session"]
    assert set(told["timings_ms"]) >= {"understand", "dialogue", "total"}


def test_ask_converses_in_one_session_line_by_line(command: Command) -> None:
    told = command("ask", "--json", stdin="帮我查一下快递\n\n取消\n")
    replies = [json.loads(line) for line in told.out.splitlines()]
    assert [reply["intent"] for reply in replies] == ["track_parcel", "cancel"]
    assert len({reply["session"] for reply in replies}) == 1


def test_ask_refuses_with_the_exit_code_of_a_wrong_use(command: Command) -> None:
    told = command("ask", "很" * 600)
    assert told.code == Exit.USAGE
    assert told.err.startswith("输入无效 / text: expected 1 to 512 characters, got 600")
    assert "→" in told.err


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("APPLIANCE_HTTP_PORT", "eighty", "http_port (APPLIANCE_HTTP_PORT): expected int, got 'eighty'"),
        ("APPLIANCE_HTTP_PROT", "80", "http_prot (APPLIANCE_HTTP_PROT): no such setting"),
        ("APPLIANCE_HTTP_HOST", "0.0.0.0", "needs http_token"),
        ("APPLIANCE_PACK", "nowhere", "nowhere"),
        ("APPLIANCE_CONFIG", "/nonexistent.yaml", "/nonexistent.yaml"),
    ],
)
@pytest.mark.parametrize("name", ["ask", "serve"])
def test_a_bad_setting_ends_every_command_naming_it(
    command: Command, monkeypatch: pytest.MonkeyPatch, name: str, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    told = command(name, *(["你好"] if name == "ask" else []))
    assert told.code == Exit.USAGE
    assert said in told.err
    assert "Traceback" not in told.err


def test_settings_come_from_a_file_and_the_environment_overrides_it(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "kiosk.yaml"
    config.write_text("max_text_chars: 16\n", "utf-8")
    assert command("ask", "很" * 20, "--config", str(config)).code == Exit.USAGE
    monkeypatch.setenv("APPLIANCE_MAX_TEXT_CHARS", "32")
    assert command("ask", "很" * 20, "--config", str(config)).code == Exit.OK


def test_ocr_reads(command: Command) -> None:
    told = command("ocr", str(PICTURE))
    assert told.code == Exit.OK
    assert "服务台" in told.out.splitlines()


def test_answers_say_their_joules_on_a_board(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLIANCE_DEVICE_ROOT", str(orin_nano(tmp_path)))
    read = command("ocr", str(PICTURE), "--json").json
    assert read["joules"]["source"] == "VDD_IN"
    assert read["joules"]["net"] is False, "a command is over before the idle board is known"
    assert set(read["joules"]["stages"]) >= {"decode", "detect", "recognise"}
    # Not taken off: all that the board draws while something works is the answer's.
    assert 0 < read["joules"]["total"] < 9.6 * 60
    told = command("ask", "洗衣液在哪个货架", "--json").json["joules"]
    assert told["source"] == "VDD_IN"
    assert set(told["stages"]) >= {"understand", "dialogue"}
    assert "VDD_IN" in command("ocr", str(PICTURE)).err


def test_answers_say_nothing_of_joules_where_none_are_measured(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_DEVICE_ROOT", str(tmp_path))
    told = command("ask", "洗衣液在哪个货架", "--json")
    assert "joules" not in told.json
    assert "joules" not in told.err
    assert "能耗" not in told.err


def test_ocr_as_json_and_drawn(command: Command, tmp_path: Path) -> None:
    from PIL import Image

    drawn = tmp_path / "drawn.png"
    told = command("ocr", str(PICTURE), "--json", "--draw", str(drawn)).json
    assert told["engine"].startswith("pp-ocrv6-small")
    assert told["text"] == "\n".join(line["text"] for line in told["lines"])
    for line in told["lines"]:
        assert 0 <= line["confidence"] <= 1
        assert len(line["box"]) == 4
    with Image.open(drawn) as image:
        assert image.format == "PNG"
        assert image.width > told["width"], "the text stands beside the photo"


def test_ocr_has_a_deadline(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = command("ocr", str(PICTURE)).out
    assert command("ocr", str(PICTURE), "--deadline", "30").out == whole
    refused = command("ocr", str(PICTURE), "--deadline", "31")
    assert refused.code == Exit.USAGE
    assert "--deadline: expected at most deadline_s, 30, got 31" in refused.err
    assert command("ocr", str(PICTURE), "--deadline", "0").code == Exit.USAGE

    def out_of_time(_: object, __: bytes, *, deadline_s: float, watch: Watch) -> OcrResult:
        lines = (OcrLine("服务台", 0.9, ((0, 0), (9, 0), (9, 9), (0, 9))),)
        watch.line(lines[0])
        return OcrResult(lines, 10, 10, f"slow, {deadline_s} s", unread=2)

    monkeypatch.setattr("appliance.app.appliance.Appliance.read", out_of_time)
    told = command("ocr", str(PICTURE), "--deadline", "0.5")
    assert (told.code, told.out) == (Exit.OK, "服务台\n")
    assert "还有 2 行没有读 / 2 lines were not read" in told.err
    told = command("ocr", str(PICTURE), "--deadline", "0.5", "--json")
    assert (told.json["unread"], told.json["engine"], len(told.json["lines"])) == (2, "slow, 0.5 s", 1)


def test_ocr_says_when_the_drawing_lacks_a_font(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from appliance.vision import draw

    monkeypatch.setattr(draw, "find_font", lambda: None)
    told = command("ocr", str(PICTURE), "--draw", str(tmp_path / "drawn.png"))
    assert told.code == Exit.OK
    assert "fonts-wqy-microhei" in told.err


@pytest.mark.parametrize("kind", ["absent", "a folder", "a text", "half a picture"])
def test_ocr_refuses_what_is_no_picture(command: Command, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture.png"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a text":
        path.write_text("not a picture")
    elif kind == "half a picture":
        path.write_bytes(PICTURE.read_bytes()[:2000])
    told = command("ocr", str(path))
    assert told.code == Exit.USAGE
    assert told.out == ""
    assert " / " in told.err.splitlines()[0]
    assert "→" in told.err


def test_ocr_says_that_it_found_no_text(command: Command, tmp_path: Path) -> None:
    from PIL import Image

    blank = tmp_path / "blank.png"
    Image.new("RGB", (300, 200), "white").save(blank)
    told = command("ocr", str(blank))
    assert (told.code, told.out, told.err) == (Exit.OK, "", "没有找到文字 / no text found\n")
    assert command("ocr", str(blank), "--json").json["lines"] == []


@pytest.mark.parametrize(
    ("place", "got"), [("none/drawn.png", "no folder"), ("taken", "a folder"), ("closed/drawn.png", "no permission")]
)
def test_ocr_refuses_a_place_that_cannot_be_written(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, got: str
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "closed").mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: "closed" not in str(path))  # root may write anywhere
    told = command("ocr", str(PICTURE), "--draw", str(tmp_path / place))
    assert told.code == Exit.FAILED
    assert told.out == "", "nothing was read in vain"
    assert told.err.startswith(f"存储失败 / --draw: expected to write {tmp_path / place}, got {got}")
    assert "APPLIANCE_DATA_DIR" not in told.err
    assert "--draw" in told.err.splitlines()[1].split(" / ")[1]


def test_ocr_refuses_a_disk_that_fails_in_the_end(command: Command) -> None:
    told = command("ocr", str(PICTURE), "--draw", "/dev/full")
    assert told.code == Exit.FAILED
    assert "服务台" in told.out
    assert "--draw: expected to write /dev/full, got No space left" in told.err


def test_ocr_is_unavailable_without_models_and_without_tesseract(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APPLIANCE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    told = command("ocr", str(PICTURE))
    assert told.code == Exit.UNAVAILABLE
    assert "appliance models pull" in told.err
    assert "tesseract" in told.err


def test_check_says_what_works_and_why_not(command: Command) -> None:
    told = command("check")
    assert told.code == Exit.OK
    lines = told.out.splitlines()
    assert lines[0] == "本机 / machine"
    assert lines[-1] == check_module.READY
    ocr = next(line for line in lines if "ocr" in line)
    assert "pp-ocrv6-small" in ocr
    assert "CUDA" not in told.out, "a machine without a GPU is told nothing about CUDA"
    asr = lines.index(next(line for line in lines if "语音识别" in line))
    assert "关闭 / off" in lines[asr]
    for line, (language, model) in zip(
        lines[asr + 1 : asr + 3], (("zh", "vosk-small-cn"), ("en", "vosk-small-en")), strict=True
    ):
        chinese, english = line.split(" / ")
        assert chinese.strip().startswith(f"{language}: 模型未安装 → 请运行 `appliance models pull {model}`")
        assert english.startswith(f"{model}: expected ")
        assert f"→ Run `appliance models pull {model}`" in english


def test_check_details_tell_how_long_loading_took(command: Command) -> None:
    lines = [line.strip() for line in command("check", "--details").out.splitlines()]
    for network in ("detector", "recogniser.topk", "orientation", "vad"):
        (line,) = [line for line in lines if line.startswith(f"{network}: ")]
        chinese, english = line.split(" / ")
        assert chinese.startswith(f"{network}: onnxruntime-cpu，加载 ")
        assert english.startswith("onnxruntime-cpu, loaded in ")


def test_check_explains_a_gpu_that_is_not_used(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from appliance.app import programs

    monkeypatch.setattr(check_module, "graphics", lambda: "Fake GPU 1")
    monkeypatch.setattr(programs, "graphics", lambda: "Fake GPU 1")
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    told = command("check").out
    assert "Fake GPU 1：onnxruntime 不含 CUDA" in told
    assert "install onnxruntime-gpu: see jetson/README.md" in told
    why = next(line for line in told.splitlines() if "onnxruntime-cuda: " in line)
    chinese, english = why.split(" / ")
    assert chinese.strip().startswith("onnxruntime-cuda: 推理后端失败 → 请安装 NVIDIA 驱动")
    assert english.startswith("expected CUDAExecutionProvider")
    assert "→ Install the NVIDIA driver" in english


def test_check_as_json(command: Command) -> None:
    told = command("check", "--json").json
    assert told["ready"] is True
    assert {found["name"] for found in told["machine"]} >= {"python", "gpu", "tesseract", "disk"}
    features = {"language", "dialogue", "ocr", "vad", "asr", "microphone", "speech"}
    assert {feature["name"] for feature in told["features"]} == features


def test_check_ends_with_its_own_code_when_something_required_does_not_work(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from appliance.app.appliance import Appliance

    broken = (Feature("language", "failed", "none", "the pack is empty", required=True),)
    monkeypatch.setattr(Appliance, "features", lambda self: broken)
    monkeypatch.setattr(Appliance, "ready", lambda self: False)
    told = command("check")
    assert told.code == Exit.NOT_READY
    assert "失败 / failed" in told.out
    assert "the pack is empty" in told.out
    assert check_module.NOT_READY in told.out


def test_a_data_folder_that_cannot_be_used_does_not_stop_the_answers(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("a file where a folder should be")
    monkeypatch.setenv("APPLIANCE_DATA_DIR", str(occupied))
    told = command("ask", "厕所在哪里", "--json")
    assert told.code == Exit.OK
    assert told.json["intent"] == "facility_location"
    pulled = command("models", "pull", "silero-vad")
    assert pulled.code == Exit.FAILED
    assert "存储失败" in pulled.err
    assert "→" in pulled.err


def test_bench_times_turns_and_pictures(command: Command) -> None:
    told = command("bench", "--turns", "10", "--images", "1", "--json").json
    rows = {row["name"]: row for row in told["results"]}
    assert rows["text turn"]["n"] == 10
    assert "read notice.png" in rows
    for row in rows.values():
        assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["max_ms"]
    assert told["backends"]["ocr"] == "onnxruntime-cpu"


def test_bench_as_a_table(command: Command) -> None:
    told = command("bench", "--turns", "10", "--images", "0")
    assert told.code == Exit.OK
    assert "text turn" in told.out
    assert "read " not in told.out
    assert command("bench", "--turns", "1").code == Exit.USAGE


def test_ctrl_c_ends_without_a_traceback(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_image: Path) -> bytes:
        signal.raise_signal(signal.SIGINT)
        return b""

    monkeypatch.setattr(ocr_module.Path, "read_bytes", interrupted)
    told = command("ocr", "picture.png")
    assert told.code != 0
    assert "Traceback" not in told.err


def test_the_module_is_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "appliance.cli", "--version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == __version__
