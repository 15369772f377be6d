#!/usr/bin/env python3
"""Holds the Dockerfile to what the program is built from, without a build: in the image there must be every
file that the sources hold in themselves, the build script, and a manifest that Cargo reads. Exits with 1
if one is not there.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDED = re.compile(r'include_(?:str|bytes)!\(\s*"([^"]+)"')


def copied():
    """What the build stage copies, and .dockerignore lets through."""
    stage = (ROOT / "Dockerfile").read_text().split("\nFROM ")[1]
    places = [place for line in re.findall(r"^COPY (?!--from)(.+)$", stage, re.M) for place in line.split()[:-1]]
    passing = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    kept_out = [place for place in places if not any(f"{place}/".startswith(f"{way}/") for way in passing)]
    if kept_out or not places:
        sys.exit(f".dockerignore keeps out what the Dockerfile copies: {kept_out}")
    return places


def included(tree):
    """Files that the program's own sources hold in themselves; what only tests do is not built there."""
    for source in [*tree.glob("src/**/*.rs"), *tree.glob("shards/src/**/*.rs")]:
        if "tests" in (source.stem, *source.relative_to(tree).parts):
            continue
        for name in INCLUDED.findall(source.read_text().split("#[cfg(test)]\nmod tests {")[0]):
            yield source, Path(os.path.normpath(source.parent / name))


def main():
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder).resolve()
        for place in copied():
            target = tree / place
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (ROOT / place).is_dir() else shutil.copy)(ROOT / place, target)
        (tree / "bench/src").mkdir()
        (tree / "bench/src/lib.rs").touch()
        held = list(included(tree))
        missing = [f"{source.relative_to(tree)} holds {file.relative_to(tree)}" for source, file in held if not file.exists()]
        missing += [name for name in ("build.rs", "shards/build.rs") if (ROOT / name).exists() > (tree / name).exists()]
        if missing or not held:
            sys.exit(f"Dockerfile: what the program is built from is not copied: {missing}")
        read = subprocess.run([os.environ.get("CARGO", "cargo"), "metadata", "--no-deps", "--offline", "--format-version=1"],
                              cwd=tree, capture_output=True, text=True, check=False)
        if read.returncode:
            sys.exit(f"Dockerfile: Cargo does not read what is copied: {read.stderr}")
        print(f"Dockerfile: {len(held)} files that the program holds, all copied")


if __name__ == "__main__":
    main()
