"""Prints the ten biggest packages of the runtime environment and its total (`make sizes`); fails over 600 MB.

Counted are the packages that `pip install .` brings (the closure of the appliance's own requirements), so that test
tools in the same environment do not count.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, distribution

LIMIT_MB = 600
NAME = "edge-inference-appliance"


def closure(name: str) -> dict[str, int]:
    """Size in bytes by distribution, for `name` and everything that it requires without extras."""
    sizes: dict[str, int] = {}
    queue = [name]
    while queue:
        current = re.sub(r"[-_.]+", "-", queue.pop()).lower()
        if current in sizes:
            continue
        try:
            found = distribution(current)
        except PackageNotFoundError:
            continue  # a requirement whose marker excludes this platform
        files = [path.locate() for path in found.files or []]
        sizes[current] = sum(path.stat().st_size for path in files if path.is_file())
        queue += [re.split(r"[ ;<>=!~\[(]", line)[0] for line in found.requires or [] if "extra ==" not in line]
    return sizes


def main() -> int:
    """Print the table; 1 when the total is over the limit."""
    sizes = closure(NAME)
    total = sum(sizes.values()) / 1e6
    for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:10]:
        print(f"{size / 1e6:8.1f} MB  {name}")
    print(f"{total:8.1f} MB  all {len(sizes)} packages of the runtime (limit {LIMIT_MB} MB)")
    return int(total > LIMIT_MB)


if __name__ == "__main__":
    sys.exit(main())
