"""A process in an image's root, held by crun as `docker run --read-only --cap-drop ALL
--security-opt no-new-privileges` would hold it, on the network of this machine."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

MIB = 1 << 20
# As --ulimit in the line of docs/operations.md, and never above what this machine grants.
LIMITS = {"RLIMIT_NOFILE": 65536, "RLIMIT_MEMLOCK": 64 * MIB}
# crun looks at the control groups even where it is to leave them alone, and knows only the unified form:
# a machine with the old one beside it shows it that one alone.
UNIFIED = ["unshare", "--mount", "sh", "-c", """
    old=/sys/fs/cgroup/unified
    [ ! -e $old/cgroup.controllers ] && [ ! -e $old/cgroup.procs ] || mount --bind $old /sys/fs/cgroup
    exec "$@"
""", "sh"]
NAMESPACES = ("pid", "mount", "ipc", "uts")


def granted(kind, wanted):
    import resource

    hard = resource.getrlimit(getattr(resource, kind))[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def mounts(writable):
    """Those of a container, then folders of this machine: path inside → path here."""
    scratch = ["nosuid", "nodev", "noexec"]
    yield {"destination": "/proc", "type": "proc", "source": "proc"}
    yield {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=64k"]}
    yield {"destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "ro", *scratch]}
    for name in ("resolv.conf", "hosts"):
        yield {"destination": f"/etc/{name}", "type": "bind", "source": f"/etc/{name}", "options": ["bind", "ro"]}
    for inside, here in writable.items():
        yield {"destination": inside, "type": "bind", "source": str(here), "options": ["bind", "rw"]}


class Container:
    """A root, and what the image says of it: user, folder, environment (`config` of its description)."""

    def __init__(self, root, image, seccomp, writable=None):
        self.root, self.image, self.seccomp = root, image, seccomp
        self.writable = writable or {}

    def bundle(self, command, environment):
        config = self.image
        user, group = map(int, config["User"].split(":"))
        limits = [{"type": kind, "soft": granted(kind, most), "hard": granted(kind, most)}
                  for kind, most in LIMITS.items()]
        return {
            "ociVersion": "1.0.0",
            "process": {
                "user": {"uid": user, "gid": group},
                "args": [str(word) for word in command],
                "env": [*config["Env"], *(f"{name}={value}" for name, value in environment.items())],
                "cwd": config["WorkingDir"],
                "capabilities": {},
                "rlimits": limits,
                "noNewPrivileges": True,
            },
            "root": {"path": str(self.root), "readonly": True},
            "mounts": list(mounts(self.writable)),
            "linux": {
                "namespaces": [{"type": kind} for kind in NAMESPACES],
                "seccomp": self.seccomp,
                "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/sysrq-trigger"],
                "readonlyPaths": ["/proc/sys", "/proc/irq", "/proc/bus"],
            },
        }

    def start(self, folder, *command, **environment):
        """The process of the container; a signal to it is one to the command inside."""
        folder = Path(tempfile.mkdtemp(dir=folder))
        (folder / "config.json").write_text(json.dumps(self.bundle(command, environment)))
        words = [*UNIFIED, "crun", f"--root={folder}/state", "--cgroup-manager=disabled", "run",
                 f"--bundle={folder}", f"proxy-checker-{os.getpid()}-{folder.name}"]
        return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL, text=True)

    def run(self, folder, *command, **environment):
        """Status, standard output and standard error of a command that ends by itself."""
        process = self.start(folder, *command, **environment)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err
