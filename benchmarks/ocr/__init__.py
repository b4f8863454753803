"""Reading against its peer: same weights, same images, one thread each, one run. `python -m benchmarks.ocr --help`."""
