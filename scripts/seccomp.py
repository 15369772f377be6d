"""Docker's form of a seccomp profile in the form of the OCI runtimes, as Docker itself translates it
for a container on this machine."""

import platform
import re

ARCHITECTURE = {"x86_64": ("amd64", "SCMP_ARCH_X86_64"), "aarch64": ("arm64", "SCMP_ARCH_AARCH64")}


def holds(rule, capabilities):
    """Whether a rule of the profile is for a container with these capabilities, on this kernel."""
    here = ARCHITECTURE[platform.machine()][0]
    wanted, unwanted = rule.get("includes") or {}, rule.get("excludes") or {}
    kernel = tuple(map(int, re.match(r"(\d+)\.(\d+)", platform.release()).groups()))
    oldest = tuple(map(int, wanted.get("minKernel", "0.0").split(".")))
    return (
        (not wanted.get("arches") or here in wanted["arches"])
        and set(wanted.get("caps", [])) <= set(capabilities)
        and kernel >= oldest
        and here not in unwanted.get("arches", [])
        and not set(unwanted.get("caps", [])) & set(capabilities)
    )


def resolved(profile, capabilities=()):
    """The profile as an OCI runtime takes it: `linux.seccomp` of a bundle's config.json."""
    own = ARCHITECTURE[platform.machine()][1]
    lesser = [one["subArchitectures"] for one in profile["archMap"] if one["architecture"] == own]
    keep = ("names", "action", "args", "errnoRet")
    rules = [{key: rule[key] for key in keep if rule.get(key) is not None}
             for rule in profile["syscalls"] if holds(rule, capabilities)]
    return {
        "defaultAction": profile["defaultAction"],
        "defaultErrnoRet": profile["defaultErrnoRet"],
        "architectures": [own, *(lesser[0] or [] if lesser else [])],
        "syscalls": rules,
    }
