"""Rules: what the code knows of each, once. A new rule has a line here, its entry in the file and
its vignettes; one that only listens to drugs needs no code (cards/assessment/triggers/low.py)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

About = Literal["state", "magnesium", "order"]


class RuleKind(Struct, frozen=True, gc=False):
    """``about`` the patient's state, a drafted magnesium order, or another order.

    ``result``: its card begins with the magnesium value. ``treats``: a card of it that suggests no
    drug says why. ``high``: nothing else than a high level is said. ``critical``: whatever the file
    says. ``quiet``: it is advice, and hushed once answered; else only for the identical draft.
    ``by_class``: its indicator may differ by class. ``listens``: the drug groups of a trigger, and
    ``advice`` what it says to do, with places as sentences of the file have them. ``cited``: its
    name on cards, where it is not its own.
    """

    about: About
    result: bool = False
    treats: bool = False
    high: bool = False
    critical: bool = False
    quiet: bool = True
    listens: tuple[str, ...] = ()
    advice: str = ""
    cited: str = ""

    @property
    def by_class(self) -> bool:
        return bool(self.listens)


def _many(names: str, kind: RuleKind) -> dict[str, RuleKind]:
    return dict.fromkeys(names.split(), kind)


_STOPPED = RuleKind("state", result=True, cited="H10")
_ALARM = RuleKind("magnesium", quiet=False)
RULES: Mapping[str, RuleKind] = MappingProxyType(
    _many("life symp", RuleKind("state", result=True, treats=True, critical=True))
    | _many("severe moderate mild mild-risk", RuleKind("state", result=True, treats=True))
    | _many("high high-source toxic toxic-stale", RuleKind("state", result=True, high=True))
    | _many(
        "borderline unit-unknown unit-conflict indeterminate maintenance",
        RuleKind("state", result=True),
    )
    | _many("failing too-much", RuleKind("state", result=True))
    | _many("stop-warning stop-info", _STOPPED)
    | _many(
        """arrest life-no-level life-level-first unreadable whole-blood other-specimen not-obtained
        refractory""",
        RuleKind("state"),
    )
    | _many("D0 D2 D6 D7 D14 D14-high D15 D17 D18 D19 D19-age D20 D20-emergency D21",
            RuleKind("magnesium"))
    | _many("D1 D1-select D1-sign D3 D4 D5 D8 D9 D10 D11 D12 D13 D16 D16-r2", _ALARM)
    # In the order in which their lines stand on a card.
    | {
        "N1": RuleKind(
            "order",
            listens=("potassium",),
            advice="replace magnesium with it; never withhold potassium.",
        ),
        "N4": RuleKind(
            "order",
            listens=("qt-known",),
            advice="replete magnesium first, keep potassium at {limit.potassium_at_risk} or more.",
        ),
        "N5": RuleKind(
            "order", listens=("digoxin",), advice="low magnesium raises digoxin toxicity."
        ),
        "N2": RuleKind(
            "order",
            listens=("loop", "thiazide"),
            advice="it wastes magnesium: replete, recheck, consider a potassium-sparing diuretic.",
        ),
        "N3": RuleKind(
            "order",
            listens=("ppi",),
            advice="it lowers magnesium: consider stopping it or an H2 blocker.",
        ),
        "N6": RuleKind(
            "order",
            listens=("cause",),
            advice="it wastes magnesium: monitor magnesium while it is given.",
        ),
        "N9": RuleKind(
            "order",
            listens=("calcium",),
            advice="calcium may not correct until magnesium does.",
        ),
    }
    | _many("N1-lab N3-lab N7 N8", RuleKind("order"))
    | {"sign": RuleKind("order", result=True)}
)  # fmt: skip
# Which rule listens to which group of drugs.
LISTENERS: tuple[tuple[str, str], ...] = tuple(
    (name, group) for name, kind in RULES.items() for group in kind.listens
)


# What no site can switch off (ruling 134), as people know the rules.
_ALWAYS = frozenset("D1 D4 D5 D8 D10 D11 D13 D16 life symp severe sign".split())
_ALWAYS_STATES = ("toxic", "life")


def switchable(name: str) -> bool:
    """Whether a site can switch a rule off."""
    return shown_rule(name) not in _ALWAYS and not name.startswith(_ALWAYS_STATES)


def shown_rule(name: str) -> str:
    """The rule as people know it: D1-sign is D1."""
    kind = RULES[name]
    return kind.cited or (name if kind.about == "state" else name.split("-")[0])
