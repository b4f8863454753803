"""The peer, rapidocr, in a process and an environment of its own (`make peer`): `python -m benchmarks.ocr.peer`.

In its default configuration but for the threads. Its flags are sticky, an argument of one call holds for all later
ones, so every call names every one of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from benchmarks.ocr.child import Text, serve, sha256

STAGES = ("detect", "orient", "recognise")


def start() -> tuple[Callable[[Path], Text], dict[str, str], dict[str, str]]:
    """Load rapidocr with its default models, at once and not at the first image."""
    os.environ["ORT_DISABLE_TELEMETRY"] = (
        "1"  # read at the import below: ours is silent too, and a benchmark reports to nobody
    )
    import cv2
    from rapidocr import RapidOCR

    cv2.setNumThreads(1)
    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    engine = RapidOCR(params=threads)
    detector, recogniser, classifier = engine._load_det_model(), engine._load_rec_model(), engine._load_cls_model()
    sessions = {"det": detector.session.session, "rec": recogniser.session.session, "cls": classifier.session.session}
    for role, session in sessions.items():
        options = session.get_session_options()
        if (options.intra_op_num_threads, options.inter_op_num_threads) != (1, 1):
            raise SystemExit(f"rapidocr, {role}: expected one thread, got {options.intra_op_num_threads}")
    usual = engine.cfg.Global

    def read(path: Path) -> Text:
        found = engine(
            path,
            use_det=usual.use_det,
            use_cls=usual.use_cls,
            use_rec=usual.use_rec,
            return_word_box=usual.return_word_box,
            return_single_char_box=usual.return_single_char_box,
            text_score=usual.text_score,
            box_thresh=engine.cfg.Det.box_thresh,
            unclip_ratio=engine.cfg.Det.unclip_ratio,
        )
        if found.txts is None:
            return Text([])
        stages = {stage: (took or 0) * 1000 for stage, took in zip(STAGES, found.elapse_list, strict=True)}
        return Text(list(found.txts), stages)

    # What was loaded, not what a configuration says: ONNX Runtime keeps the path of each session's file.
    weights = {role: sha256(session._model_path) for role, session in sessions.items()}
    return read, weights, {"rapidocr": version("rapidocr")}


if __name__ == "__main__":
    serve("peer", start)
