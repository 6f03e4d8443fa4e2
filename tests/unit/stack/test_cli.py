"""The command line's own rules."""

import pytest
import typer
from typer.testing import CliRunner

from stack.cli import app, ordered_actions
from stack.conversation import Press, Say

pytestmark = pytest.mark.unit


def test_says_and_presses_in_the_order_of_the_command_line() -> None:
    arguments = ["call", "+12015550100", "--say", "one", "--press", "2", "--say=three"]
    assert ordered_actions(arguments) == [Say("one"), Press("2"), Say("three")]


def test_calls_without_anything_to_do() -> None:
    assert ordered_actions(["call", "+12015550100"]) == []


def test_refuses_what_is_no_key() -> None:
    with pytest.raises(typer.BadParameter, match="0-9"):
        ordered_actions(["call", "+12015550100", "--press", "x"])


def test_names_its_four_commands() -> None:
    text = CliRunner().invoke(app, ["--help"]).output
    assert all(command in text for command in ("up", "demo", "call", "explain"))


def test_says_how_to_start_a_stack_that_is_not_there(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIALPLANE_VAR", str(tmp_path))
    answer = CliRunner().invoke(app, ["explain", "+12015550100"])
    assert answer.exit_code == 1
    assert "make up" in answer.output
