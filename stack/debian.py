"""Installs Debian packages where that is possible: `python -m stack.debian chromium`."""

import os
import shutil
import sys

from stack.errors import MissingTool
from stack.toolchain import install_debian_packages


def main() -> int:
    """Install the packages named on the command line; where it is not possible, only say so."""
    packages = sys.argv[1:]
    names = ", ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"{names} is not installed; tests that need it are skipped.")
        return 0
    print(f"installing {names}")
    try:
        install_debian_packages(packages)
    except MissingTool as exc:
        print(f"{exc}\nTests that need {names} are skipped.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
