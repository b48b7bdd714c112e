"""DraftContext: what the checks of one drafted magnesium order need."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from msgspec import Struct

from cards import codes
from cards.assessment.drafts.correction import correct
from cards.assessment.flags import Flags
from cards.assessment.obstetric import in_obstetrics, protects_fetus
from cards.assessment.offers import Offer
from cards.assessment.stops import Stops
from cards.chart import Chart
from cards.fhir import read_codes
from cards.orders import DraftOrder
from cards.phrase import record
from cards.protocol import Protocol
from cards.units.quantity import figures

_REASONS = frozenset({"severe-asthma", "torsades"})


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

    def corrections(self, draft: DraftOrder) -> tuple[Offer, ...]:
        """What corrects a draft of which only the time or the rate is wrong (ruling 100)."""
        if self.indicated(draft) and not self.flags.met("life"):
            return ()
        return correct(
            draft,
            self.chart,
            self.flags,
            self.stops,
            self.protocol,
            self.offers,
            self.infusion_offers,
        )

    @property
    def day(self) -> timedelta:
        return timedelta(hours=24)

    @property
    def life_dose(self) -> Decimal:
        return self.protocol.file.limit.bedside_dose.value * 1000

    def obstetric(self, draft: DraftOrder) -> bool:
        """Whether it is given for pre-eclampsia, eclampsia or a preterm birth (rulings 124, 160)."""
        return in_obstetrics(self.chart, self.protocol) or protects_fetus(
            draft, self.chart, self.protocol
        )

    def indicated(self, draft: DraftOrder) -> bool:
        """Another coded indication, on file or as the order's reason: silences D2 and D7."""
        if self.chart.conditions.sure_state("severe-asthma") or self.flags.met("arrhythmia"):
            return True
        reasons = _REASONS if self.chart.sex == "male" else _REASONS | {"preeclampsia"}
        return self.obstetric(draft) or any(
            codes.condition_concepts(code.system, code.code) & reasons
            for reason in draft.reasons
            for code in read_codes(reason)
        )

    @property
    def urgent(self) -> bool:
        """Severe, symptomatic or life-threatening with a usable result, or torsades."""
        result = self.chart.magnesium.result
        severe = result is not None and result.usable and result.acts_as == "severe"
        return severe or any(self.flags.met(f) for f in ("symp", "life", "torsades"))


def bedside(draft: DraftOrder, context: DraftContext) -> bool:
    """A single emergency dose up to 2 g in torsades, or shortly after a cardiac arrest, is never
    deleted (rulings 7 and 113)."""
    urgent = context.flags.met("torsades") or context.flags.met("arrest")
    return urgent and single_dose(draft, context)


def emergency(draft: DraftOrder, context: DraftContext) -> bool:
    """One dose up to 2 g while ``life`` holds, or in torsades without a level, and none was given
    yet: right in every class that may be treated at all (ruling 117)."""
    result = context.chart.magnesium.result
    no_level = result is None or not result.usable
    holds = context.flags.met("life") or (no_level and context.flags.met("torsades"))
    return (
        holds
        and context.chart.kidney.id not in ("R3", "R4")
        and single_dose(draft, context)
        and not context.chart.medicines.emergency_spent(context.protocol)
    )


def single_dose(draft: DraftOrder, context: DraftContext) -> bool:
    return bool(draft.lines) and all(
        line.dose is not None and line.dose <= context.life_dose and line.doses_in_24h() == 1
        for line in draft.lines
    )


def label(draft: DraftOrder, context: DraftContext) -> str:
    """The name of a draft; beside another magnesium draft with its dose and time."""
    several = sum(d.magnesium is not None for d in context.session) > 1
    return record((draft.told if several else draft.label) or "magnesium", 70 if several else 50)


def grams(mg: Decimal) -> str:
    return f"{figures(mg / 1000)} g"
