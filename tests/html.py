"""Html: what a page says, read as a browser would, for tests: ids, links, texts, elements."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser

_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())


@dataclass
class Element:
    """``text`` is that of all inside, its whitespace single spaces."""

    tag: str
    attributes: dict[str, str]
    data: list[str] = field(repr=False)  # of the whole page; what is inside is a part of it
    start: int = 0
    end: int = 0

    @cached_property
    def text(self) -> str:
        return " ".join(" ".join(self.data[self.start : self.end]).split())


class Html(HTMLParser):
    """``elements`` in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._data: list[str] = []
        self._open: list[Element] = []
        self.feed(text)
        self.close()
        assert self._open == [], f"not closed: {[e.tag for e in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"an attribute twice: {tag} {names}"
        at = len(self._data)
        found = {name: value or "" for name, value in attrs}
        element = Element(tag, found, self._data, at, at)
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> without a start"
        opened = self._open.pop()
        assert opened.tag == tag, f"</{tag}> ends <{opened.tag}>"
        opened.end = len(self._data)

    def handle_data(self, data: str) -> None:
        self._data.append(data)

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """Elements of a tag with these attributes; ``class_`` is one of several classes."""
        wanted = attributes.pop("class_", None)
        return [
            element
            for element in self.elements
            if element.tag == tag
            and all(element.attributes.get(name) == value for name, value in attributes.items())
            and (wanted is None or wanted in element.attributes.get("class", "").split())
        ]

    def id(self, name: str) -> Element:
        return self._by_id[name]

    @cached_property
    def _by_id(self) -> dict[str, Element]:
        return {e.attributes["id"]: e for e in self.elements if "id" in e.attributes}

    @cached_property
    def ids(self) -> Counter[str]:
        return Counter(e.attributes["id"] for e in self.elements if "id" in e.attributes)

    @cached_property
    def inner_links(self) -> set[str]:
        """The places of this page that its links lead to."""
        found = (e.attributes.get("href", "") for e in self.elements)
        return {href[1:] for href in found if href.startswith("#")}
