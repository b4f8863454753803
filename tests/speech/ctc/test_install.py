"""A brought recogniser goes into the store like any model, is heard with, verified, and refused whole."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import tone_networks
from tone_networks import RATE, melody

from appliance.artifacts.imported import FILE, load_imported
from appliance.artifacts.store import ModelStore
from appliance.errors import ApplianceError, InvalidInput, ModelCorrupt, ModelMismatch, Unavailable
from appliance.inference.backend import Run
from appliance.inference.onnxruntime import OnnxRuntimeBackend
from appliance.speech.asr import Streaming
from appliance.speech.ctc.install import Installed, bring
from appliance.speech.ctc.load import recogniser
from appliance.values import Audio, Segment

TUNE = Audio(melody((0, 0.3), (1, 0.3), (4, 0.3)), RATE)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "data" / "models"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as held:
        yield held


def loaded(root: Path, name: str, stack: ExitStack, **options: object) -> Streaming:
    """The recogniser as the appliance loads it: manifests from the disk, files verified by the store."""
    manifests, problems = load_imported(root)
    assert problems == ()
    store = ModelStore(root, manifests)
    manifest = store.manifest(name)

    def run_of(file: str) -> Run:
        backend = stack.enter_context(OnnxRuntimeBackend(manifest.network(file), store.path(name, file), threads=1))
        return lambda inputs, /, *, deadline=None: backend.infer(inputs)

    return recogniser(store.folder(name), manifest, run_of, **options)  # type: ignore[arg-type]


def hears(ear: Streaming) -> str:
    return ear.transcribe(TUNE, (Segment(0.0, TUNE.seconds),)).text


def test_a_folder(root: Path, tmp_path: Path, stack: ExitStack) -> None:
    folder = tone_networks.sensevoice_folder(tmp_path / "SenseVoice Small")
    made = bring(root, folder)
    assert (made.manifest.name, made.record.kind, made.manifest.kind) == ("sensevoice-small", "sensevoice", "asr")
    assert made.manifest.licence == "unstated"
    assert "--licence" in made.warnings[0][1]
    ear = loaded(root, "sensevoice-small", stack)
    assert (ear.name, ear.language, hears(ear)) == ("sensevoice:sensevoice-small", "zh", "你好吗")
    # Told to hear English, the network says that it did; asked to find out, it says Chinese.
    whole = (Segment(0.0, TUNE.seconds),)
    assert loaded(root, "sensevoice-small", stack, language="en").transcribe(TUNE, whole).language == "en"
    assert ear.transcribe(TUNE, whole).language == "zh"
    with pytest.raises(Unavailable, match="expected one of its languages zh, en, got 'fr'"):
        loaded(root, "sensevoice-small", stack, language="fr")


def test_a_tar_of_sherpa_with_its_licence(root: Path, tmp_path: Path, stack: ExitStack) -> None:
    folder = tone_networks.sherpa_folder(tmp_path / "sherpa-onnx-sense-voice")
    with tarfile.open(tmp_path / "sherpa-onnx-sense-voice.tar.bz2", "w:bz2") as archive:
        archive.add(folder, "sherpa-onnx-sense-voice")
    made = bring(root, tmp_path / "sherpa-onnx-sense-voice.tar.bz2", licence="FunASR-MODEL-1.1", language="zh")
    assert (made.manifest.name, made.manifest.licence) == ("sherpa-onnx-sense-voice", "FunASR-MODEL-1.1")
    assert (made.manifest.attribution, made.warnings) == ("iic", ())
    assert {entry.path for entry in made.manifest.files} == {
        "model.onnx", "tokens.txt", "am.mvn", "LICENSE", "recogniser.json",
    }  # fmt: skip
    assert "sherpa-onnx-sense-voice.tar.bz2" in made.manifest.files[0].sources[0].describe()
    assert hears(loaded(root, made.manifest.name, stack)) == "你好吗"


def test_one_onnx_file_that_is_quantised(root: Path, tmp_path: Path, stack: ExitStack) -> None:
    folder = tone_networks.sherpa_folder(tmp_path / "sense")
    # Among what somebody has downloaded.
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "other").mkdir()
    (folder / "other" / "final.mdl").write_text("x")
    made = bring(root, folder / "model.int8.onnx", name="int8")
    assert [chinese for chinese, _ in made.warnings if "动态量化" in chinese]
    assert hears(loaded(root, "int8", stack)) == "你好吗"


def test_wav2vec2_in_a_zip(root: Path, tmp_path: Path, stack: ExitStack) -> None:
    folder = tone_networks.wav2vec2_folder(tmp_path / "w", mask=True)
    with zipfile.ZipFile(tmp_path / "Wav2Vec2.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"w/{path.name}")
    with pytest.raises(InvalidInput, match="its files do not tell which"):
        bring(root, tmp_path / "Wav2Vec2.zip")
    made = bring(root, tmp_path / "Wav2Vec2.zip", language="en")
    assert (made.manifest.name, made.manifest.licence) == ("wav2vec2", "apache-2.0")
    ear = loaded(root, "wav2vec2", stack)
    assert (ear.language, hears(ear)) == ("en", "HE")


def test_zipformer_with_phrases(root: Path, tmp_path: Path, stack: ExitStack) -> None:
    bring(root, tone_networks.zipformer_folder(tmp_path / "z"), language="en")
    told: list[object] = []

    def listen(event: str, /, **fields: object) -> None:
        told.append((event, fields["used"], fields["unknown"]))

    assert hears(loaded(root, "z", stack)) == "TURN ONS"
    ear = loaded(root, "z", stack, phrases=["turning on", "milk"], listener=listen)
    assert hears(ear).startswith("TURN")
    assert told == [("asr_phrases", True, ("milk",))]


def test_a_changed_file_is_found_at_the_next_start(root: Path, tmp_path: Path, stack: ExitStack) -> None:
    made = bring(root, tone_networks.sensevoice_folder(tmp_path / "sense"))
    path = root / "sense" / made.manifest.digest / "am.mvn"
    path.write_text(path.read_text().replace("[ 0", "[ 1", 1))
    with pytest.raises(ModelCorrupt, match=r"am\.mvn: expected sha256"):
        loaded(root, "sense", stack)


def test_a_broken_manifest_keeps_no_other_away(root: Path, tmp_path: Path, stack: ExitStack) -> None:
    folder = tone_networks.sensevoice_folder(tmp_path / "a")
    bring(root, folder, name="a")
    bring(root, folder, name="b")
    (root / "a" / FILE).write_text("name: a\nunknown: 1\n")
    manifests, problems = load_imported(root)
    assert (set(manifests), len(problems)) == ({"b"}, 1)


def test_again_under_the_same_name(root: Path, tmp_path: Path, stack: ExitStack) -> None:
    folder = tone_networks.sensevoice_folder(tmp_path / "sense")
    first = bring(root, folder)
    assert bring(root, folder).manifest == first.manifest
    (folder / "README.md").write_text("newer")
    second = bring(root, folder)
    assert second.manifest.digest != first.manifest.digest
    assert hears(loaded(root, "sense", stack)) == "你好吗"
    manifests, _ = load_imported(root)
    assert ModelStore(root, manifests).outdated() == (root / "sense" / first.manifest.digest,)


def refused(root: Path, place: Path, error: type[ApplianceError], **options: str) -> str:
    """The error's text; and nothing of what was brought is left."""
    before = sorted(path for path in root.rglob("*") if path.is_file()) if root.exists() else []
    with pytest.raises(error) as caught:
        bring(root, place, **options, taken=("silero-vad",))  # type: ignore[arg-type]
    after = sorted(path for path in root.rglob("*") if path.is_file() and path.name != ".lock")
    assert after == [path for path in before if path.name != ".lock"]
    return str(caught.value.detail)


def test_what_is_refused_leaves_nothing(root: Path, tmp_path: Path) -> None:
    folder = tone_networks.sensevoice_folder(tmp_path / "sense")
    assert "no model of this version has" in refused(root, folder, InvalidInput, name="silero-vad")
    for name in ("../x", "a/b", "Sense", ".a", "a" * 65):
        assert "expected a name of a-z" in refused(root, folder, InvalidInput, name=name)
    assert "expected a folder, an archive" in refused(root, tmp_path / "none", InvalidInput)
    (folder / "link").symlink_to("/etc/passwd")
    assert "got a link or device 'link'" in refused(root, folder, InvalidInput)
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../evil", "x")
    assert "expected names inside" in refused(root, tmp_path / "evil.zip", ModelCorrupt)
    assert not (tmp_path / "data" / "evil").exists()


def test_what_does_not_hear_is_refused(root: Path, tmp_path: Path) -> None:
    folder = tone_networks.sensevoice_folder(tmp_path / "sense")
    good = bring(root, folder)
    tone_networks.mvn(folder / "am.mvn", width=80)
    assert "expected features of width 80" in refused(root, folder, ModelMismatch)
    # The one before still stands.
    assert load_imported(root)[0]["sense"] == good.manifest


def test_killed_in_the_middle_leaves_nothing_that_counts(root: Path, tmp_path: Path) -> None:
    made: Installed = bring(root, tone_networks.sensevoice_folder(tmp_path / "sense"))
    (root / "sense" / FILE).unlink()  # as if it died between the files and the manifest
    assert load_imported(root) == ({}, ())
    assert ModelStore(root, {}).outdated() == (root / "sense" / made.manifest.digest,)
    assert bring(root, tmp_path / "sense").manifest == made.manifest
