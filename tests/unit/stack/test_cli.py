"""The command line's own rules."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from stack.cli import app, number_of, ordered_actions
from stack.conversation import Press, Say
from stack.errors import StackError
from stack.terminal import Terminal

pytestmark = pytest.mark.unit


def test_says_and_presses_in_the_order_of_the_command_line() -> None:
    arguments = ["call", "+12015550100", "--say", "one", "--press", "2", "--say=three"]
    assert ordered_actions(arguments) == [Say("one"), Press("2"), Say("three")]


def test_calls_without_anything_to_do() -> None:
    assert ordered_actions(["call", "+12015550100"]) == []


def test_refuses_what_is_no_key() -> None:
    with pytest.raises(typer.BadParameter, match="0-9"):
        ordered_actions(["call", "+12015550100", "--press", "x"])


def test_refuses_to_say_nothing() -> None:
    with pytest.raises(typer.BadParameter, match="nothing to say"):
        ordered_actions(["call", "+12015550100", "--say", " "])


@pytest.mark.parametrize("written", ["+12015550100", "12015550100", "+1 (201) 555-0100"])
def test_reads_a_number_as_people_write_it(written: str) -> None:
    assert number_of(written) == "+12015550100"


def test_says_what_is_wrong_with_a_number() -> None:
    with pytest.raises(StackError, match=r"'front desk' cannot be called\. A phone number"):
        number_of("front desk")


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


def test_names_the_setting_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIALPLANE_SIP_PORT", "sixty")
    answer = CliRunner().invoke(app, ["up"])
    assert answer.exit_code == 1
    assert "DIALPLANE_SIP_PORT: Input should be a valid integer" in answer.output


def test_says_where_it_cannot_keep_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    monkeypatch.setenv("DIALPLANE_VAR", str(taken))
    answer = CliRunner().invoke(app, ["up"])
    assert answer.exit_code == 1
    assert f"The directory {taken} cannot be made: File exists." in answer.output


def test_shows_the_end_of_a_log_line_that_is_wider_than_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Terminal().failure("sip: it died\n" + "x" * 500 + " address already in use")
    assert "address already in use" in capsys.readouterr().out
