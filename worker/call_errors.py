"""Why a command to a call is not carried out."""


class CallOver(Exception):
    """The call has ended, or ends just now: nothing can be done with it any more."""


class NotNow(Exception):
    """What was asked for does not fit what the call is doing.

    Args:
        sentence: Why, for a person.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
