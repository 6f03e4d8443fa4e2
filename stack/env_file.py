"""`var/stack.env`: where a running stack is, for the commands of a second terminal."""

from pathlib import Path

from stack.errors import StackNotRunning

FILE_NAME = "stack.env"


def write_env_file(var: Path, values: dict[str, str]) -> Path:
    """Write the file, readable by its owner only, and return its path."""
    path = var / FILE_NAME
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return path


def read_env_file(var: Path) -> dict[str, str]:
    """Return what a running stack wrote down.

    Raises:
        StackNotRunning: There is no such file.
    """
    path = var / FILE_NAME
    if not path.exists():
        raise StackNotRunning(f"There is no {path}. Start the stack with `make up` first.")
    lines = (line for line in path.read_text().splitlines() if "=" in line)
    return dict(line.split("=", maxsplit=1) for line in lines)


def remove_env_file(var: Path) -> None:
    """Remove the file: the stack it tells of has stopped."""
    (var / FILE_NAME).unlink(missing_ok=True)
