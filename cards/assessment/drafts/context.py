"""DraftContext: what the checks of one drafted magnesium order need."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from cards import codes
from cards.assessment.flags import Flags
from cards.assessment.offers import Offer
from cards.assessment.stops import Stops
from cards.chart import Chart
from cards.fhir.resource import codings
from cards.orders import DraftOrder
from cards.phrase import record
from cards.protocol import Protocol

_INDICATIONS = ("preeclampsia", "severe-asthma")
_INDICATED = frozenset({*_INDICATIONS, "torsades"})


class DraftContext(Struct, frozen=True, gc=False):
    """What the checks of one draft need: the patient, the call, and what is open to them.

    ``session`` are all drafts of the call; ``offers`` the regimens open when this draft is not
    counted; ``at_sign`` whether the order is being signed.
    """

    chart: Chart
    flags: Flags
    stops: Stops
    protocol: Protocol
    session: tuple[DraftOrder, ...]
    offers: tuple[Offer, ...]
    infusion_offers: tuple[Offer, ...]
    at_sign: bool

    @property
    def life_dose(self) -> Decimal:
        return self.protocol.file.limit.bedside_dose.value * 1000

    @property
    def obstetric(self) -> bool:
        """Pre-eclampsia or eclampsia on file (in a male only as another indication)."""
        fact = self.chart.conditions.state("preeclampsia")
        return fact is not None and self.chart.sex != "male"

    def indicated(self, draft: DraftOrder) -> bool:
        """Another coded indication, on file or as the order's reason: silences D2 and D7."""
        if self.chart.conditions.state(*_INDICATIONS) or self.flags.met("torsades"):
            return True
        return any(
            codes.condition_concepts(coding.system or "", coding.code or "") & _INDICATED
            for reason in draft.reasons
            for coding in codings(reason)
        )

    @property
    def urgent(self) -> bool:
        """Severe, symptomatic or life-threatening with a usable result, or torsades."""
        result = self.chart.magnesium.result
        severe = result is not None and result.usable and result.acts_as == "severe"
        return severe or any(self.flags.met(f) for f in ("symp", "life", "torsades"))


def bedside(draft: DraftOrder, context: DraftContext) -> bool:
    """A single emergency dose up to 2 g in torsades is never deleted (ruling 7)."""
    return context.flags.met("torsades") and _single(draft, context)


def _single(draft: DraftOrder, context: DraftContext) -> bool:
    return bool(draft.lines) and all(
        line.dose is not None and line.dose <= context.life_dose and line.doses_in_24h() == 1
        for line in draft.lines
    )


def label(draft: DraftOrder) -> str:
    return record(draft.label or "magnesium", 50)
