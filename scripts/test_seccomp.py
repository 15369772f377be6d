#!/usr/bin/env python3
"""Holds monitoring/seccomp-io_uring.json: it is Docker's default profile, to the byte, and one rule
that allows the three calls of io_uring. Exits with 1 if it is not. What the program does under it,
`make test-image` shows.
"""

import hashlib
import json
import sys
from pathlib import Path

PROFILE = Path(__file__).resolve().parent.parent / "monitoring/seccomp-io_uring.json"
CALLS = ["io_uring_enter", "io_uring_register", "io_uring_setup"]
# Of profiles/seccomp/default.json in Debian's golang-github-docker-docker-dev 26.1.5+dfsg1-9+deb13u1.
ORIGINAL = "9c1025c88ccaa517b648da571961838744ea2137f176bfe6a48b21294cae9c76"
BEGIN = '\t"syscalls": [\n'


def original(text):
    """The text without our rule, which is the first."""
    head, rest = text.split(BEGIN, 1)
    rule, rest = rest.split("\t\t},\n", 1)
    return rule + "\t\t}", head + BEGIN + rest


def without_ours(profile):
    """The profile as Docker has it, as a value."""
    rules = [rule for rule in profile["syscalls"] if not set(rule["names"]) & set(CALLS)]
    return {**profile, "syscalls": rules}


def main():
    text = PROFILE.read_text()
    profile = json.loads(text)
    rule, rest = original(text)
    rule = json.loads(rule)
    comment = rule.pop("comment", "")
    if rule != {"names": CALLS, "action": "SCMP_ACT_ALLOW"} or not comment:
        sys.exit(f"{PROFILE.name}: its first rule should allow {CALLS} and say so, and is {rule}")
    if json.loads(rest) != without_ours(profile):
        sys.exit(f"{PROFILE.name}: another rule names a call of io_uring")
    found = hashlib.sha256(rest.encode()).hexdigest()
    if found != ORIGINAL:
        sys.exit(f"{PROFILE.name}: without our rule its SHA-256 is {found}, and Docker's is {ORIGINAL}")
    print(f"{PROFILE.name}: Docker's default profile, {len(profile['syscalls'])} rules, and {', '.join(CALLS)}")


if __name__ == "__main__":
    main()
