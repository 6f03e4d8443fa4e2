"""From a file to its text, format by format, with the headings and pages that tell where it was.

These run in a process of their own (`dispatch.knowledge.reading`): a file may be built to exhaust
whoever reads it.
"""

import csv
import io
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Final

import docx
from charset_normalizer import from_bytes
from docx.table import Table as DocxTable
from markdown_it import MarkdownIt
from pypdf import PdfReader

from dispatch.knowledge.errors import Unreadable
from dispatch.knowledge.html_text import html_sections
from dispatch.knowledge_base import DocumentFormat

MAX_PAGES: Final = 5_000
MAX_UNPACKED_BYTES: Final = 256 * 1024 * 1024
"""Of a DOCX, which is a ZIP archive; an honest one of 50 MB holds pictures, that do not shrink."""

MAX_PARSED_MARKDOWN: Final = 8 * 1024 * 1024
"""Characters; what is longer is read as plain text, for its parser needs a hundred times as much
memory."""

_DETECTION_BYTES: Final = 256 * 1024
"""How much of a text is looked at to tell its encoding."""

_ROWS: Final = 1_000
"""Rows of a table that are put into words at a time."""

_OLE_MAGIC: Final = b"\xd0\xcf\x11\xe0"
"""Begins an old Word document as well as a DOCX with a password."""

_MOST_CONTROL_CHARACTERS: Final = 0.02
"""More than this part of a text, and it is no text."""

_UNWANTED: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\u200b\u2060\ufeff]")
_HYPHENATED: Final = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010]\n(?=[^\W\d_])")
_BLANK_LINES: Final = re.compile(r"\n\s*\n\s*")
_SPACES: Final = re.compile(r"[^\S\n]+")
_META_CHARSET: Final = re.compile(
    rb"<meta[^>]+charset=[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Section:
    """Text under one heading, or on one page."""

    heading: str
    text: str
    page: int | None = None


def read_sections(path: Path, kind: DocumentFormat) -> Iterator[Section]:
    """Return a file's text, section by section.

    Raises:
        Unreadable: It is not of that format, is protected, or is built to harm.
    """
    return _READERS[kind](path)


def clean(text: str) -> str:
    """Return text that Postgres can store and people can read: no controls, no torn-off space."""
    # Lone surrogates come out of broken fonts; nothing behind us can encode them.
    text = text.encode("utf-8", "replace").decode()
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _SPACES.sub(" ", _UNWANTED.sub("", text))
    return _BLANK_LINES.sub("\n\n", text).strip()


def decoded(data: bytes, declared: str | None = None) -> str:
    """Return the text of bytes in whatever encoding they are.

    Args:
        data: The bytes.
        declared: An encoding the document names itself; tried after UTF-8.

    Raises:
        Unreadable: The bytes are no text.
    """
    for encoding in ("utf-8-sig", declared):
        try:
            if encoding and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
                return _checked_text(data.decode(encoding))
        except (UnicodeDecodeError, LookupError):
            continue
    guess = from_bytes(data[:_DETECTION_BYTES]).best()
    if guess is None:
        raise Unreadable("The file is not text in an encoding we know; save it as UTF-8.")
    return _checked_text(data.decode(guess.encoding, "replace"))


def _checked_text(text: str) -> str:
    sample = text[:_DETECTION_BYTES]
    if len(_UNWANTED.findall(sample)) > _MOST_CONTROL_CHARACTERS * len(sample):
        raise Unreadable("The file is not text, whatever its name says.")
    return text


def _read_pdf(path: Path) -> Iterator[Section]:
    with path.open("rb") as file:
        if b"%PDF-" not in file.read(1024):
            raise Unreadable("The file is not a PDF, whatever its name says.")
    reader = PdfReader(path)
    # Many are encrypted with an empty password, only to forbid printing.
    if reader.is_encrypted and not reader.decrypt(""):
        raise Unreadable("The PDF is protected by a password; upload a copy without one.")
    if len(reader.pages) > MAX_PAGES:
        raise Unreadable(f"The PDF has more than {MAX_PAGES} pages; upload it in parts.")
    has_text = False
    for number, page in enumerate(reader.pages, 1):
        text = _HYPHENATED.sub("", clean(page.extract_text()))
        has_text = has_text or bool(text)
        yield Section("", text, number)
    if not has_text:
        raise Unreadable(
            "The PDF holds no text, perhaps pictures of it; run it through text recognition first."
        )


def _read_docx(path: Path) -> Iterator[Section]:
    _check_archive(path)
    document = docx.Document(str(path))
    headings = _Headings()
    lines: list[str] = []
    for block in document.iter_inner_content():
        if isinstance(block, DocxTable):
            lines.extend(" | ".join(cell.text.strip() for cell in row.cells) for row in block.rows)
            continue
        style = (block.style.name if block.style else None) or ""
        level = _heading_level(style)
        if level is None:
            lines.append(block.text)
            continue
        yield Section(headings.path, clean("\n\n".join(lines)))
        lines = []
        headings.enter(level, block.text)
    yield Section(headings.path, clean("\n\n".join(lines)))


def _check_archive(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(4) == _OLE_MAGIC:
            raise Unreadable(
                "The file is protected by a password or in Word's old format; save it as DOCX."
            )
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except zipfile.BadZipFile as exc:
        raise Unreadable("The file is not a DOCX, or is damaged.") from exc
    # Unpacking stops at the announced size, so that it may be believed.
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
        raise Unreadable(f"The file unpacks to more than {MAX_UNPACKED_BYTES // 2**20} MB.")
    if not any(entry.filename == "word/document.xml" for entry in entries):
        raise Unreadable("The file is not a DOCX, whatever its name says.")


def _heading_level(style: str) -> int | None:
    if style == "Title":
        return 1
    name, _, level = style.partition(" ")
    return int(level) if name == "Heading" and level.isdecimal() else None


def _read_markdown(path: Path) -> Iterator[Section]:
    text = decoded(path.read_bytes())
    if len(text) > MAX_PARSED_MARKDOWN:
        yield Section("", clean(text))
        return
    lines = text.splitlines(keepends=True)
    headings = _Headings()
    start = 0
    tokens = MarkdownIt("commonmark", {"maxNesting": 20}).parse(text)
    for token, inline in pairwise(tokens):
        # A heading within a list or a quotation heads nothing.
        if token.type != "heading_open" or token.map is None or token.level:
            continue
        yield Section(headings.path, clean("".join(lines[start : token.map[0]])))
        headings.enter(int(token.tag[1:]), inline.content)
        start = token.map[1]
    yield Section(headings.path, clean("".join(lines[start:])))


def _read_text(path: Path) -> Iterator[Section]:
    yield Section("", clean(decoded(path.read_bytes())))


def _read_csv(path: Path) -> Iterator[Section]:
    """Each row becomes a line that makes sense without the table: `name: Tart; price: 3.50`."""
    text = decoded(path.read_bytes())
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(text[:8_192], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    csv.field_size_limit(1_000_000)
    rows = csv.reader(io.StringIO(text, newline=""), dialect)
    try:
        header = [name.strip() for name in next(rows, [])]
        lines = [line for row in islice(rows, _ROWS) if (line := _row_in_words(header, row))]
        if not lines:
            lines = ["; ".join(header)]
        while lines:
            yield Section("", clean("\n".join(lines)))
            lines = [line for row in islice(rows, _ROWS) if (line := _row_in_words(header, row))]
    except csv.Error as exc:
        raise Unreadable("The file is not a CSV table, or a field of it is too long.") from exc


def _row_in_words(header: list[str], row: list[str]) -> str:
    cells = [" ".join(cell.split()) for cell in row]
    names = header + [""] * (len(cells) - len(header))
    return "; ".join(
        f"{name}: {cell}" if name else cell
        for name, cell in zip(names, cells, strict=False)
        if cell
    )


def _read_html(path: Path) -> Iterator[Section]:
    data = path.read_bytes()
    declared = _META_CHARSET.search(data[:4_096])
    text = decoded(data, declared[1].decode("ascii") if declared else None)
    for headings, body in html_sections(text):
        yield Section(_joined(headings), clean(body))


class _Headings:
    """The headings that one is under."""

    def __init__(self) -> None:
        self._open: dict[int, str] = {}

    def enter(self, level: int, text: str) -> None:
        self._open = {above: name for above, name in self._open.items() if above < level}
        self._open[level] = text

    @property
    def path(self) -> str:
        return _joined(self._open)


_LONGEST_HEADING: Final = 300


def _joined(headings: Mapping[int, str]) -> str:
    names = (clean(headings[level]).replace("\n", " ") for level in sorted(headings))
    return " > ".join(name for name in names if name)[:_LONGEST_HEADING]


_READERS: Final[Mapping[DocumentFormat, Callable[[Path], Iterator[Section]]]] = {
    DocumentFormat.PDF: _read_pdf,
    DocumentFormat.DOCX: _read_docx,
    DocumentFormat.MARKDOWN: _read_markdown,
    DocumentFormat.TEXT: _read_text,
    DocumentFormat.CSV: _read_csv,
    DocumentFormat.HTML: _read_html,
}
