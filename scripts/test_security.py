#!/usr/bin/env python3
"""Holds docs/security.md to its word: every test that it names is there. Exits with 1 if one is not."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What is named for another reason looks no different, but names of tests are sentences.
WORDS_MIN = 4


def main():
    page = (ROOT / "docs/security.md").read_text()
    named = {name for name in re.findall(r"`([a-z0-9_]+)`", page) if name.count("_") >= WORDS_MIN - 1}
    code = "".join(path.read_text() for folder in ("src", "shards", "tests") for path in (ROOT / folder).rglob("*.rs"))
    missing = sorted(name for name in named if f"fn {name}(" not in code)
    if missing or not named:
        sys.exit(f"docs/security.md names tests that are not there: {missing}")
    print(f"security.md: {len(named)} tests, all there")


if __name__ == "__main__":
    main()
