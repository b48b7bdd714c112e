"""eicu-demo: every magnesium result through patient-view, every order through both order hooks."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from cards.protocol import Protocol, parse_protocol
from service.answer import Answer, answer
from service.cdshooks.request import SERVICE_OF_HOOK

from .check import Tally
from .stays import Moment, Stay, read_stays, request

HOOKS = ("patient-view", "order-select", "order-sign")


@dataclass
class Seen:
    """One answered call; ``error`` when there was none."""

    stay: Stay
    moment: Moment
    body: bytes
    seconds: float
    answer: Answer | None = None
    card: dict[str, Any] | None = None
    error: str = ""

    @property
    def where(self) -> str:
        return f"{self.moment.hook} {self.moment.about['id']}"


def run(
    stays: list[Stay],
    tally: Tally,
    protocol: Protocol | None = None,
    hooks: tuple[str, ...] = HOOKS,
    *,
    assume_none: bool,
    session: bool = False,
) -> Iterator[Seen]:
    for stay in stays:
        for moment in stay.moments(hooks):
            asked = request(stay, moment, assume_none=assume_none, session=session)
            body = json.dumps(asked).encode()
            seen = Seen(stay, moment, body, 0)
            started = time.perf_counter()
            try:
                seen.answer = answer(body, SERVICE_OF_HOOK[moment.hook], moment.now, protocol)
            except Exception as error:
                seen.error = f"{type(error).__name__}: {error}"
                tally.faults.append(f"{seen.where}: {seen.error}")
            seen.seconds = time.perf_counter() - started
            if seen.answer is not None:
                cards = tally.look(seen.answer.body, seen.where)
                seen.card = cards[0] if cards else None
            yield seen


def table(title: str, calls: list[Seen], per: str) -> list[str]:
    """Counts, and per 100 calls: by indicator, rule, refusal, gap."""
    cards = [s for s in calls if s.card]
    hundred = 100 / max(len(calls), 1)
    lines = [f"## {title}: {len(calls)} {per}, {len(cards)} cards ({len(cards) * hundred:.1f} %)"]

    def count(name: str, counted: Counter[str]) -> None:
        told = ", ".join(f"{k} {n} ({n * hundred:.1f})" for k, n in counted.most_common())
        lines.append(f"  {name}: {told or '-'}")

    count("indicator", Counter(s.card["indicator"] for s in cards))
    count("lead rule", Counter(f"{s.card['source']['topic']['code']}" for s in cards))
    count("all rules", Counter(f.rule for s in cards for f in s.answer.decision.shown))
    count("band", Counter(_band(s) for s in calls))
    count("problem", Counter(p for s in calls for p in _problems(s)))
    count(
        "stops cited on a card",
        Counter(stop.id for s in cards for stop in s.answer.decision.assessment.stops.holding),
    )
    count("renal", Counter(s.answer.decision.chart.kidney.id for s in calls if s.answer))
    count(
        "suggested",
        Counter(p.label for s in cards for p in s.answer.decision.plan.proposals if p.recommended),
    )
    count("gaps", Counter(g for s in calls if s.answer for g in s.answer.evidence.gaps))
    return lines


def _band(seen: Seen) -> str:
    result = seen.answer.decision.chart.magnesium.result if seen.answer else None
    return "none" if result is None else result.band.name if result.band else "no band"


def _problems(seen: Seen) -> tuple[str, ...]:
    result = seen.answer.decision.chart.magnesium.result if seen.answer else None
    return () if result is None else result.problems


def declaring(unit: str) -> Protocol:
    """The standard profile of a site that sends 19123-9 in another unit (ruling 20)."""
    text = (files("cards") / "protocols" / "standard.toml").read_text()
    code = (
        f'{{ lab = "magnesium", system = "http://loinc.org", code = "19123-9", unit = "{unit}", '
        'why = "the laboratory says so" }'
    )
    assert "site_codes = []" in text
    return parse_protocol(
        text.replace("site_codes = []", f"site_codes = [{code}]").encode(), "site"
    )


def declared(stays: list[Stay], tally: Tally) -> list[str]:
    """What the results in mEq/L do, with and without a site file that declares the unit."""
    lines = []
    for title, protocol in (("no site file", None), ("unit declared", declaring("mEq/L"))):
        seen = run(stays, tally, protocol, ("patient-view",), assume_none=True)
        theirs = [s for s in seen if _unit(s) == "meq/L"]
        told = Counter(
            f"{_band(s)} {','.join(_problems(s))}: {s.card['indicator'] if s.card else 'silent'}"
            for s in theirs
        )
        lines.append(f"# {len(theirs)} results in meq/L, {title}: {dict(told)}")
    return lines


def _unit(seen: Seen) -> str:
    return str(seen.moment.about["valueQuantity"]["unit"])


def trial(data: Path, tally: Tally) -> list[str]:
    stays = read_stays(data / "eicu-demo")
    lines: list[str] = []
    for assume_none in (True, False):
        seen = list(run(stays, tally, assume_none=assume_none))
        words = "assume none" if assume_none else "not obtained"
        lines.append(f"# {words}: {len(seen)} calls, {sum(bool(s.error) for s in seen)} exceptions")
        for hook in HOOKS:
            calls = [s for s in seen if s.moment.hook == hook]
            lines += table(hook, calls, "results" if hook == "patient-view" else "orders")
        times = sorted(s.seconds * 1000 for s in seen)
        lines.append(
            f"  ms: p50 {times[len(times) // 2]:.2f}, p99 {times[len(times) * 99 // 100]:.2f}, "
            f"most {times[-1]:.2f}"
        )
    session = list(run(stays, tally, hooks=("order-sign",), assume_none=True, session=True))
    lines += table("order-sign, orders of one minute in one session", session, "orders")
    return [*lines, *declared(stays, tally)]
