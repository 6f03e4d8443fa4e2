"""Each format, from a real file to what is found in it."""

import io
import zipfile

import pytest

from dispatch.knowledge_base import DocumentStatus
from tests.builders.documents import pdf, word_document

pytestmark = pytest.mark.integration

SENTENCE = "Cherry tarts are baked on Sundays only."


FILES = {
    "handbook.pdf": pdf("Welcome to the bakery.", SENTENCE),
    "handbook.docx": word_document("Welcome to the bakery.", SENTENCE, heading="Tarts"),
    "handbook.md": f"# Bakery\n\nWelcome.\n\n## Tarts\n\n{SENTENCE}\n".encode(),
    "handbook.txt": f"Welcome to the bakery.\n\n{SENTENCE}\n".encode(),
    "handbook.csv": b"product,price,note\nCherry tart,3.50,Sundays only\nRye bread,4.20,daily\n",
    "handbook.html": (
        b"<html><head><style>p {}</style></head><body><nav>Menu</nav><h1>Bakery</h1>"
        b"<h2>Tarts</h2><p>Cherry tarts are <b>baked</b>\non Sundays&nbsp;only.</p></body></html>"
    ),
}


@pytest.mark.parametrize("name", FILES)
async def test_a_document_of_each_format_is_read_and_found(library, owner, name) -> None:
    base = await library.base(owner.project_id)
    document = await library.ingested(base, name, FILES[name])
    assert (document.status, document.detail, document.progress) == ("ready", None, 100)
    result = await library.search.search(owner.project_id, base.id, "cherry tarts on sunday", 1)
    assert result.mode == "hybrid"
    [hit] = result.hits
    assert "tart" in hit.text
    assert "Sundays" in hit.text
    assert hit.document_name == name


async def test_a_hit_names_its_page(library, owner) -> None:
    base = await library.base(owner.project_id)
    await library.ingested(base, "handbook.pdf", FILES["handbook.pdf"])
    result = await library.search.search(owner.project_id, base.id, "cherry tarts", 1)
    assert result.hits[0].page == 2


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("handbook.md", "Bakery > Tarts"),
        ("handbook.html", "Bakery > Tarts"),
        ("handbook.docx", "Tarts"),
    ],
)
async def test_a_hit_names_the_headings_above_it(library, owner, name, heading) -> None:
    base = await library.base(owner.project_id)
    await library.ingested(base, name, FILES[name])
    result = await library.search.search(owner.project_id, base.id, "cherry tarts", 1)
    assert result.hits[0].heading == heading


async def test_the_words_of_a_table_keep_their_column(library, owner) -> None:
    base = await library.base(owner.project_id)
    await library.ingested(base, "prices.csv", FILES["handbook.csv"])
    [text] = await library.found(base, "rye bread")
    assert "product: Rye bread; price: 4.20; note: daily" in text


async def test_menus_and_scripts_of_a_page_are_not_its_text(library, owner) -> None:
    base = await library.base(owner.project_id, by_meaning=False)
    await library.ingested(base, "page.html", FILES["handbook.html"])
    assert await library.found(base, "menu") == []


async def test_text_of_an_old_windows_is_read(library, owner) -> None:
    base = await library.base(owner.project_id, language="german")
    text = "Schöne Brötchen für müde Leute gibt es täglich, natürlich frisch und größer als üblich."
    await library.ingested(base, "alt.txt", text.encode("cp1252"))
    assert await library.found(base, "große SCHÖNE brötchen") == [text]


def bomb() -> bytes:
    """Return a small DOCX that unpacks to 300 MB."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("word/document.xml", "w") as entry,
    ):
        for _ in range(300):
            entry.write(b" " * 1024 * 1024)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("secret.pdf", pdf("Hidden.", password="x"), "protected by a password"),
        ("scan.pdf", pdf("", ""), "holds no text"),
        ("fake.pdf", b"not a pdf at all", "not a PDF"),
        ("broken.pdf", b"%PDF-1.7\n" + b"\xff" * 2_000, "damaged"),
        ("bomb.docx", bomb(), "unpacks to more than 256 MB"),
        ("fake.docx", b"not a zip", "not a DOCX"),
        ("old.docx", b"\xd0\xcf\x11\xe0" + b"\0" * 600, "old format"),
        ("program.txt", bytes(range(256)) * 40, "not text"),
        ("blank.md", b"\n\n  \n", "holds no text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_cannot_be_read_fails_with_a_sentence(library, owner, name, data, said) -> None:
    base = await library.base(owner.project_id)
    document = await library.ingested(base, name, data)
    assert document.status is DocumentStatus.FAILED
    assert document.detail is not None
    assert said in document.detail
    assert document.detail.endswith(".")
    assert document.chunk_count == 0
