#!/bin/sh
# What is in the program, as CycloneDX in JSON: target/sbom/proxy-checker.cdx.json.
set -eu
cd "$(dirname "$0")/.."
cyclonedx=$(scripts/tool.sh cargo-cyclonedx 0.5.9)
mkdir -p target/sbom
"$cyclonedx" cyclonedx --format json --describe binaries --target x86_64-unknown-linux-gnu --spec-version 1.5 --quiet
mv proxy-checker_bin.cdx.json target/sbom/proxy-checker.cdx.json
find . -name '*.cdx.json' -not -path './target/*' -delete
python3 - target/sbom/proxy-checker.cdx.json <<'EOF'
import json, sys

with open(sys.argv[1], encoding="utf-8") as file:
    parts = json.load(file)["components"]
unnamed = [part["name"] for part in parts if not (part.get("purl") and part.get("licenses"))]
assert len(parts) > 100 and not unnamed, f"{len(parts)} components; without an address or a licence: {unnamed}"
print(f"{sys.argv[1]}: {len(parts)} components, each with its address and licence")
EOF
