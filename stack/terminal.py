"""What the commands print: calm lines, aligned, in colour where the terminal has it."""

from typing import Any

from rich.console import Console
from rich.markup import escape

from stack.conversation import Conversation, Line
from stack.tenant import CREDIT


class Terminal:
    """Prints headings, steps, a conversation and a call's record."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)

    def heading(self, text: str) -> None:
        """Begin a part of the output."""
        self._console.print(f"\n[bold]{escape(text)}[/bold]")

    def step(self, text: str) -> None:
        """Tell one thing that was done or is going on."""
        self._console.print(f"  {escape(text)}")

    def success(self, text: str) -> None:
        """Tell that everything went well."""
        self._console.print(f"\n[green]{escape(text)}[/green]")

    def failure(self, text: str) -> None:
        """Tell what failed; may hold the end of a log."""
        first, _, rest = text.partition("\n")
        self._console.print(f"\n[bold red]Failed:[/bold red] {escape(first)}")
        for line in rest.splitlines():
            # Whole, however long: what went wrong stands at the end of a log line.
            self._console.print(f"  [dim]{escape(line)}[/dim]")

    def fact(self, name: str, value: str) -> None:
        """Print a name and its value."""
        self._console.print(f"  [dim]{escape(name):<22}[/dim] {escape(value)}")

    def check(self, *, passed: bool, name: str, sentence: str) -> None:
        """Print one condition that holds or does not."""
        mark = "[green]pass[/green]" if passed else "[bold red]FAIL[/bold red]"
        self._console.print(f"  {mark}  [dim]{escape(name):<9}[/dim] {escape(sentence)}")

    def line(self, line: Line) -> None:
        """Print one line of a conversation as it happens."""
        colour = "cyan" if line.who == "agent" else "yellow"
        after = "" if line.after_s is None else f"  [dim](after {line.after_s:.2f} s)[/dim]"
        self._console.print(
            f"  [dim]{line.at_s:6.2f} s[/dim]  [{colour}]{line.who:<6}[/{colour}]  "
            f"{escape(line.text)}{after}"
        )

    def timings(self, conversation: Conversation) -> None:
        """Print how quick everything was, as the caller's phone measured it."""
        self.fact("INVITE to 200 OK", f"{conversation.answered_after_s:.2f} s")
        if conversation.first_audio_after_s is not None:
            self.fact("INVITE to first sound", f"{conversation.first_audio_after_s:.2f} s")
        replies = [line.after_s for line in conversation.lines if line.after_s is not None]
        if replies:
            self.fact("replies began after", ", ".join(f"{after:.2f} s" for after in replies))
        self.fact("call lasted", f"{conversation.duration_s:.1f} s")
        self.fact("ended by", "the agent" if conversation.ended_by_agent else "the caller")

    def record(self, call: dict[str, Any]) -> None:
        """Print a call as the API has it on record."""
        for name, key in (
            ("started", "startedAt"),
            ("answered", "answeredAt"),
            ("ended", "endedAt"),
        ):
            self.fact(name, str(call.get(key) or "-"))
        self.fact("ended by, because", f"{call['endedBy']}, {call['endReason']}")
        self.fact("billed", f"{call['billedS']} s, {in_credits(-(call['costMicrocredits'] or 0))}")
        for entry in call["ledger"]:
            self.fact(f"  ledger: {entry['kind']}", in_credits(entry["amountMicrocredits"]))
        self.fact("in one sentence", str(call["sentence"]))


def in_credits(microcredits: int) -> str:
    """Return an amount of money as people read it."""
    return f"{microcredits / CREDIT:+.6f} credits"
