"""The mutation rule: what was a warning never becomes silence because something was lost.

| verdict | the mutant's answer |
|---|---|
| same | a card as serious as the worst of the unmutated request, or more |
| named | a card that says what was not read, not known or not evaluated |
| refused | a 4xx: the client is told |
| excused | silence or less, and rightly so (EXCUSED says why) |
| open | silence or less, and wrongly so: found by this rule, not mended yet (OPEN) |
| less | 200 with milder cards that name nothing |
| empty | 200 without a card |
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from tests.fuzz.mutate import Mutant

Verdict = Literal["same", "named", "refused", "excused", "open", "less", "empty"]
_RANK = {"info": 1, "warning": 2, "critical": 3}
_NAMES = re.compile(
    r"not (?:evaluated|read|obtained|known|usable|used|in the request|given|stated)"
    r"|cannot|could not|unknown|missing|incomplete|unreadable|not a |is not|no usable|without a ",
    re.IGNORECASE,
)
# Where a loss leaves a request that says, completely, something else.
EXCUSED = (
    # Nothing drafted, nothing selected: what the official Sandbox sends at each second click.
    (
        r"context/(draftOrders|selections)(/entry)?(/\d+)?(/resource)?",
        "no order is left to speak of",
    ),
    (
        r"context/draftOrders/entry/\d+/resource/(medicationCodeableConcept.*|resourceType|code.*)",
        "a draft without a drug: the Sandbox sends one for every order begun",
    ),
    (r"context/selections/\d+", "another order is selected"),
    (r"bytes/\d+", "a flipped bit may say something else that is as plausible"),
    (
        r"prefetch/magnesium(/entry)?",
        "null, and a Bundle without entries: there is none (ruling 70)",
    ),
)
_MG = r"prefetch/magnesium/entry/\d+/resource"
_DRAFT = r"context/draftOrders/entry/\d+/resource"
# A row goes when the core says what it lost there; the rule then holds it to that.
OPEN = (
    (_MG, "with a modifierExtension: set aside and named on the trace only (as the vector has it)"),
    (_MG + r"/code(/.*)?", "under our own key, a result of which nobody can tell what it is"),
    (_MG + r"/valueQuantity(/.*)?", "a result without its value"),
)


def worst(content: bytes) -> int:
    return max((_RANK[c["indicator"]] for c in json.loads(content)["cards"]), default=0)


def verdict(before: int, mutant: Mutant, status: int, content: bytes) -> Verdict:
    """``before`` is the worst rank of the unmutated request's cards."""
    if 400 <= status < 500:
        return "refused"
    cards: list[dict[str, Any]] = json.loads(content)["cards"]
    if worst(content) >= before:
        return "same"
    if any(_NAMES.search(c["summary"] + c.get("detail", "")) for c in cards):
        return "named"
    path = "/".join(map(str, mutant.at))
    if any(re.fullmatch(pattern, path) for pattern, _ in EXCUSED):
        return "excused"
    if any(re.fullmatch(pattern, path) for pattern, _ in OPEN):
        return "open"
    return "less" if cards else "empty"
