"""Ledger: the statements of the source articles as the page lists them, and the filter on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from cards.handbook.ledger import ARTICLES, TOPICS, VERDICTS, Statement, ledger
from cards.handbook.sums import sums
from cards.protocol import Protocol, anchor

# Articles by the letter and number that their statements begin with.
_ARTICLES = {title.split(":")[0]: title for title in ARTICLES.values()}
CHOICES: Mapping[str, Mapping[str, str]] = {
    "verdict": {verdict: verdict for verdict in VERDICTS},
    "article": _ARTICLES,
    "topic": TOPICS,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked for; "" for everything. A choice that there is not asks for everything."""

    verdict: str = ""
    article: str = ""
    topic: str = ""
    q: str = ""

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> Filter:
        """The Filter of a query string."""
        chosen = {
            name: asked.get(name, "") if asked.get(name) in choices else ""
            for name, choices in CHOICES.items()
        }
        return cls(**chosen, q=asked.get("q", "").strip()[:100])

    @property
    def empty(self) -> bool:
        return self == Filter()

    def finds(self, item: Item) -> bool:
        """Whether an item is of every choice and holds every word."""
        statement = item.statement
        return (
            self.verdict in ("", statement.verdict)
            and self.topic in ("", statement.topic)
            and self.article in ("", item.article)
            and all(word in item.text for word in self.q.casefold().split())
        )


@dataclass(frozen=True, slots=True)
class Item:
    """A statement, the sums behind its verdict, and the places of the page that hold it."""

    statement: Statement
    sums: tuple[str, ...]
    entries: tuple[tuple[str, str], ...]

    @property
    def article(self) -> str:
        return self.statement.id.split("-")[0]

    @property
    def topic(self) -> str:
        return TOPICS[self.statement.topic]

    @property
    def text(self) -> str:
        """What a search for words looks in."""
        found = self.statement
        parts = (found.id, found.fact, found.reason, *self.sums, *found.entries)
        return " ".join(parts).casefold()


def items(protocol: Protocol, anchors: frozenset[str]) -> tuple[Item, ...]:
    """Every statement beside a protocol; ``anchors`` are those that its page has."""
    return tuple(
        Item(
            statement,
            sums(statement.id, protocol),
            tuple(
                (entry, place if (place := anchor(*entry.split(".", 1))) in anchors else "")
                for entry in statement.entries
            ),
        )
        for statement in ledger()
    )


def counts(found: tuple[Item, ...]) -> dict[str, Counter[str]]:
    """How many items there are of each choice."""
    return {
        "verdict": Counter(item.statement.verdict for item in found),
        "article": Counter(item.article for item in found),
        "topic": Counter(item.statement.topic for item in found),
    }
