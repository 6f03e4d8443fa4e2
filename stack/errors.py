"""What can go wrong with the embedded stack, said so that the reader knows what to do.

StackError
├── PartFailed        a part did not start, did not become ready, or died
├── MissingTool       something has to be installed first; the message names the command
├── BuildFailed       the Go servers could not be built
├── DemoFailed        the stack runs, but the demo's call did not go as it should
├── ApiRefused        the API answered with an error
└── StackNotRunning   a command needs `make up` in another terminal
"""


class StackError(Exception):
    """Base of everything the embedded stack raises; its text is meant for the user."""


class PartFailed(StackError):
    """A part of the stack did not start, did not become ready in time, or died.

    Attributes:
        part: Name of the part, as in `var/log/<part>.log`.
        reason: One sentence.
        log_tail: The last lines of the part's log; may be empty.
    """

    def __init__(self, part: str, reason: str, log_tail: str = "") -> None:
        self.part = part
        self.reason = reason
        self.log_tail = log_tail
        text = f"{part}: {reason}"
        super().__init__(f"{text}\nLast lines of its log:\n{log_tail}" if log_tail else text)


class MissingTool(StackError):
    """A program or library is missing and cannot be installed from here."""


class BuildFailed(StackError):
    """The livekit servers could not be built from source."""


class DemoFailed(StackError):
    """The demo ran into something that does not go as a user should see it."""


class StackNotRunning(StackError):
    """No running stack was found where the command looked for one."""


class ApiRefused(StackError):
    """The API answered with an error.

    Attributes:
        status: HTTP status.
        message: The API's own sentence.
    """

    def __init__(self, method: str, path: str, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(f"{method} {path} was answered with {status}: {message}")
