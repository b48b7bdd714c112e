"""Faults of an answer: the response schema, the limits of its text, its suggested resources."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from cards.card import faults
from service.cdshooks.schema import complaints

SUMMARY, DETAIL = 140, 1500


@dataclass
class Tally:
    """What was met over all answers of a trial."""

    answers: int = 0
    cards: int = 0
    resources: int = 0
    longest_summary: tuple[int, str] = (0, "")
    longest_detail: tuple[int, str] = (0, "")
    faults: list[str] = field(default_factory=list)

    def look(self, body: bytes, where: str) -> list[dict[str, Any]]:
        """The cards of the response ``body``, after looking at everything in it."""
        answer = json.loads(body)
        self.answers += 1
        self.faults += [
            f"{where}: {issue.pointer or '/'}: {issue.text}"
            for issue in complaints("response", answer)
        ]
        cards: list[dict[str, Any]] = answer["cards"]
        for card in cards:
            self._card(card, where)
        return cards

    def _card(self, card: dict[str, Any], where: str) -> None:
        self.cards += 1
        summary, detail = len(card["summary"]), len(card["detail"])
        self.longest_summary = max(self.longest_summary, (summary, where))
        self.longest_detail = max(self.longest_detail, (detail, where))
        if summary >= SUMMARY:
            self.faults.append(f"{where}: summary of {summary} characters")
        if detail > DETAIL:
            self.faults.append(f"{where}: detail of {detail} characters")
        for suggestion in card.get("suggestions", ()):
            for action in suggestion["actions"]:
                resource = action.get("resource")
                if resource is not None:
                    self.resources += 1
                    self.faults += [f"{where}: {fault}" for fault in faults(resource)]
                elif action["type"] != "delete" or not action.get("resourceId"):
                    self.faults.append(f"{where}: an action without a resource: {action}")

    def lines(self) -> list[str]:
        return [
            f"answers {self.answers}, cards {self.cards}, suggested resources {self.resources}, "
            f"faults {len(self.faults)}",
            f"longest summary {self.longest_summary[0]}, longest detail {self.longest_detail[0]} "
            f"({self.longest_detail[1]})",
            *(f"FAULT {fault}" for fault in self.faults[:20]),
        ]
