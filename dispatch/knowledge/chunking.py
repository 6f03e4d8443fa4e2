"""Cuts text where it makes least harm: between paragraphs, then sentences, then words."""

from collections.abc import Iterable, Iterator
from typing import Final

from semantic_text_splitter import MarkdownSplitter, TextSplitter

from dispatch.knowledge.errors import Unreadable
from dispatch.knowledge.readers import Section
from dispatch.knowledge_base import Chunk, DocumentFormat

CHUNK_CHARACTERS: Final = 1_000
OVERLAP_CHARACTERS: Final = 200
"""TalkifAI publishes these two; an answer on the edge of a chunk is whole in its neighbour."""

MAX_CHUNKS: Final = 100_000
"""More than 50 MB of plain text make."""


def chunks_of(sections: Iterable[Section], kind: DocumentFormat) -> Iterator[Chunk]:
    """Yield the chunks of a document, numbered; none holds text of two sections.

    Raises:
        Unreadable: There is no text in it, or there are more than `MAX_CHUNKS`.
    """
    splitter_class = MarkdownSplitter if kind is DocumentFormat.MARKDOWN else TextSplitter
    splitter = splitter_class(CHUNK_CHARACTERS, overlap=OVERLAP_CHARACTERS)
    position = 0
    for section in sections:
        for text in splitter.chunks(section.text):
            if position == MAX_CHUNKS:
                raise Unreadable("The file holds too much text; upload it in parts.")
            yield Chunk(position, section.heading, text, section.page)
            position += 1
    if not position:
        raise Unreadable("The file holds no text.")
