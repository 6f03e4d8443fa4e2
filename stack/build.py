"""Builds livekit-server and livekit-sip, both from one `go.mod`, into `var/bin`.

`python -m stack.build [var]` does it by hand. Standard library only: the first `make demo` runs it
while pip installs the rest.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

from stack.errors import BuildFailed, StackError
from stack.toolchain import Say, ensure_c_libraries, ensure_go, find_c_compiler

SOURCE = Path(__file__).parent
PACKAGES = {
    "github.com/livekit/livekit-server/cmd/server": "livekit-server",
    "github.com/livekit/sip/cmd/livekit-sip": "livekit-sip",
}
"""Go package to the name of its program here."""

USUAL_BIN = SOURCE.parent / "var" / "bin"
"""Where they are built for a stack without a directory of its own."""

STAMP = "built-from"
PACKAGE_COUNT = 1100
"""About how many Go packages a build from nothing compiles; only for the progress line."""

PROGRESS_EVERY_S = 5.0
ERROR_LINES = 30


def source_key() -> str:
    """Return what identifies the sources: a hash of go.mod and go.sum."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((SOURCE / name).read_bytes())
    return digest.hexdigest()


def is_built(bin_dir: Path) -> bool:
    """Whether the directory holds both servers, built from the present sources."""
    stamp = bin_dir / STAMP
    programs = (bin_dir / program for program in PACKAGES.values())
    return (
        stamp.exists()
        and stamp.read_text() == source_key()
        and all(os.access(program, os.X_OK) for program in programs)
    )


def ensure_servers(var: Path, say: Say) -> Path:
    """Return the directory that holds both servers, building them when they are nowhere.

    A second stack gets those of the first.

    Args:
        var: The stack's directory; the programs go to `bin` in it.
        say: Told what is going on, a line at a time.

    Raises:
        MissingTool: Something must be installed by hand first.
        BuildFailed: The build did not succeed.
    """
    bin_dir = var.resolve() / "bin"
    if is_built(bin_dir):
        return bin_dir
    if is_built(USUAL_BIN):
        copy_servers(USUAL_BIN, bin_dir)
        return bin_dir
    c_compiler = find_c_compiler()
    ensure_c_libraries(say)
    go = ensure_go(var.resolve(), say)
    say("building livekit-server and livekit-sip (about two minutes, only the first time)")
    started = time.monotonic()
    fresh = bin_dir.with_name("bin.new")
    fresh.mkdir(parents=True, exist_ok=True)
    environment = build_environment(go, var.resolve()) | {"CC": c_compiler}
    compile_servers(go, fresh, environment, say)
    for package, program in PACKAGES.items():
        (fresh / package.rsplit("/", maxsplit=1)[-1]).replace(fresh / program)
    bin_dir.mkdir(exist_ok=True)
    for program in PACKAGES.values():
        (fresh / program).replace(bin_dir / program)
    fresh.rmdir()
    (bin_dir / STAMP).write_text(source_key())
    say(f"built both servers in {time.monotonic() - started:.0f} s")
    return bin_dir


def copy_servers(built: Path, bin_dir: Path) -> None:
    """Copy both servers to where a stack keeps its own, which no other stack takes away."""
    bin_dir.mkdir(parents=True, exist_ok=True)
    for program in PACKAGES.values():
        fresh = bin_dir / f"{program}.new"
        shutil.copy2(built / program, fresh)
        fresh.replace(bin_dir / program)
    (bin_dir / STAMP).write_text(source_key())


def build_environment(go: Path, var: Path) -> dict[str, str]:
    """Return the environment of the build: the given compiler, never another it might download."""
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "1"}
    if go.is_relative_to(var):
        # A compiler of our own keeps its caches here too, writable, so that `make clean` can
        # remove them; a user's Go shares the user's.
        environment |= {
            "GOPATH": str(var / "go-path"),
            "GOCACHE": str(var / "go-cache"),
            "GOFLAGS": "-modcacherw",
        }
    return environment


def compile_servers(go: Path, target: Path, environment: dict[str, str], say: Say) -> None:
    """Run `go build` and report how far it is.

    Raises:
        BuildFailed: With the end of what the compiler said.
    """
    command = [str(go), "build", "-v", "-mod=readonly", "-o", f"{target}/", *PACKAGES]
    tail: deque[str] = deque(maxlen=ERROR_LINES)
    compiled, said_at = 0, time.monotonic()
    with subprocess.Popen(
        command, cwd=SOURCE, env=environment, stderr=subprocess.PIPE, text=True
    ) as build:
        for line in build.stderr or ():
            tail.append(line)
            compiled += not line.startswith(("go: ", "#"))
            if time.monotonic() - said_at > PROGRESS_EVERY_S:
                said_at = time.monotonic()
                say(f"  compiled {compiled} of about {PACKAGE_COUNT} packages")
    if build.returncode != 0:
        raise BuildFailed(f"go build failed with exit code {build.returncode}:\n{''.join(tail)}")


def main() -> int:
    """Build both servers into the given directory; for the Makefile."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("var", type=Path, nargs="?", default=Path("var"))
    try:
        ensure_servers(parser.parse_args().var, lambda line: print(line, flush=True))
    except StackError as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
