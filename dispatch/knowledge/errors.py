"""Why a document cannot be read or embedded; each text is a sentence for the document's owner."""

from dispatch.errors import DispatchError


class Unreadable(Exception):
    """The file cannot be read, now or ever."""


class EmbeddingUnavailable(DispatchError):
    """No vectors now: no key, a refused key, or a server that is away; later there may be."""


class EmbeddingRefused(DispatchError):
    """No vectors at all: the server does not know the model or does not want the text."""
