"""Obstetrics: whether magnesium is given for pre-eclampsia, eclampsia or a preterm birth now.

There other amounts are right than in replacement (rulings 124 and 160), so what makes it so is
judged closely: of this encounter, or recent enough for what it is.
"""

from __future__ import annotations

from datetime import timedelta

from cards.chart import Chart, ConditionFact
from cards.fhir import words_of
from cards.orders import DraftOrder
from cards.protocol import Protocol

_NEUROPROTECTION = ("neuroprotect", "neuroprophyla")


def in_obstetrics(chart: Chart, protocol: Protocol) -> bool:
    """Whether pre-eclampsia, eclampsia or threatened preterm labour counts now."""
    if chart.sex == "male":
        return False
    found = chart.conditions.sure_states("preeclampsia")
    if any(_counts(fact, chart, protocol) for fact in found):
        return True
    labour = chart.conditions.sure_states("preterm-labour")
    return any(_counts(fact, chart, protocol) for fact in labour)


def protects_fetus(draft: DraftOrder, chart: Chart, protocol: Protocol) -> bool:
    """Whether an order's reason is fetal neuroprotection, beside an active pregnancy."""
    if chart.sex == "male" or not _pregnant(chart, protocol):
        return False
    said = [text.casefold() for reason in draft.reasons for text in words_of(reason)]
    return any(word in text for text in said for word in _NEUROPROTECTION)


def _counts(fact: ConditionFact, chart: Chart, protocol: Protocol) -> bool:
    if fact.belongs:
        return True
    limit = protocol.file.limit
    if fact.when is None:
        return not fact.elsewhere and _pregnant(chart, protocol)
    since = chart.now - fact.when
    if since <= limit.obstetric_recent.span:
        return True
    return since <= limit.obstetric_pregnancy.span and _pregnant(chart, protocol)


def _pregnant(chart: Chart, protocol: Protocol) -> bool:
    """An active pregnancy finding that is no complication which itself asks, and not too old."""
    lasts: timedelta = protocol.file.limit.pregnancy_lasts.span
    asks = {fact.source for fact in chart.conditions.sure_states("preeclampsia")}
    if chart.pregnant is not None and chart.pregnant_by_status:
        return True
    return any(
        fact.source not in asks and (fact.when is None or chart.now - fact.when <= lasts)
        for fact in chart.conditions.sure_states("pregnancy")
    )
