"""Markdown of a card as HTML: no raw HTML, no images, links to the web only."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt


@cache
def _reader() -> MarkdownIt:
    from markdown_it import MarkdownIt  # 10 ms, and a hook never needs it

    reader = MarkdownIt("commonmark", {"html": False, "linkify": False})
    reader.enable(["table", "strikethrough"]).disable(["image", "html_block", "html_inline"])
    reader.validateLink = _is_web  # type: ignore[method-assign]  # how the library is told
    reader.add_render_rule("link_open", _outward)
    return reader


def _is_web(url: str) -> bool:
    return url.lower().startswith(("https://", "http://"))


def _outward(self: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    # Where a reader goes from here is told to nobody, and the page stays ours.
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    tokens[index].attrSet("target", "_blank")
    rendered: str = self.renderToken(tokens, index, options, env)
    return rendered


def html_of(markdown: str) -> Markup:
    """Paragraphs, lists, emphasis, code, tables."""
    return Markup(_reader().render(markdown))  # noqa: S704 - raw HTML is off


def line_of(markdown: str) -> Markup:
    """One line, without a paragraph around it."""
    return Markup(_reader().renderInline(markdown))  # noqa: S704 - raw HTML is off
