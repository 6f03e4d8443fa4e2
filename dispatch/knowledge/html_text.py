"""The text of an HTML page as a reader sees it: no scripts, no menus, headings known."""

from collections.abc import Iterator, Mapping
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

_LEFT_OUT: Final = [
    "script", "style", "noscript", "template", "svg", "nav", "footer", "form", "iframe", "head",
]  # fmt: skip
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_BLOCKS: Final = frozenset({
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset",
    "figure", "header", "hr", "li", "main", "ol", "p", "pre", "section", "table", "tr", "ul",
})  # fmt: skip
_CELLS: Final = frozenset({"td", "th"})


def html_sections(html: str) -> Iterator[tuple[Mapping[int, str], str]]:
    """Yield the page's texts, each with the headings above it by their level.

    Args:
        html: The page.
    """
    page = LexborHTMLParser(html)
    page.strip_tags(_LEFT_OUT)
    headings: dict[int, str] = {}
    pieces: list[str] = []
    # No recursion: a page may nest deeper than Python can.
    waiting: list[LexborNode | str] = [page.body] if page.body is not None else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            pieces.append(node)
            continue
        tag = node.tag
        if tag == "-text":
            pieces.append(" ".join(node.text_content.split("\n")) if node.text_content else "")
            continue
        if tag in _HEADINGS:
            yield headings, "".join(pieces)
            pieces = []
            level = _HEADINGS[tag]
            headings = {above: name for above, name in headings.items() if above < level}
            headings[level] = node.text(separator=" ", strip=True)
            continue
        end = "\n" if tag in _BLOCKS else " | " if tag in _CELLS else ""
        if tag in _BLOCKS:
            pieces.append("\n")
        waiting.append(end)
        waiting.extend(reversed(list(node.iter(include_text=True))))
    yield headings, "".join(pieces)
