"""Quiet: which findings are hushed, from what was answered to earlier cards (section 11).

Advice that was answered stays quiet for a day; safety checks of an order are never quiet,
except for the identical draft. An accepted card is quiet only while its order can be seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import timedelta

from cards.assessment import Assessment, Finding, needs_parenteral
from cards.evidence import Answered
from cards.orders import DraftOrder
from cards.protocol import CLASSES, Protocol
from cards.protocol.flags import URGENT
from cards.protocol.rules import RULES


def hush(
    assessment: Assessment, answered: Iterable[Answered], protocol: Protocol
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """(findings to show, findings hushed), each worst first."""
    recent = [a for a in answered if _within(a, assessment, protocol)]
    shown: list[Finding] = []
    hushed: list[Finding] = []
    for finding in assessment.findings:
        quiet = any(_quiets(a, finding, assessment, protocol) for a in recent)
        (hushed if quiet else shown).append(finding)
    return tuple(shown), tuple(hushed)


def result_key(assessment: Assessment) -> str:
    """Identifies the deciding result of a finding, as it was sent: an amended one is newer."""
    result = assessment.chart.magnesium.result
    return result.version if result is not None else ""


def draft_key(draft: DraftOrder | None) -> str | None:
    """Identifies a draft by its content: the identical draft, not merely its id."""
    return digest(draft.raw) if draft is not None and draft.raw else None


def digest(draft: bytes) -> str:
    """The key of a draft as received."""
    return hashlib.sha256(draft).hexdigest()


def alarms(assessment: Assessment) -> frozenset[str]:
    """The stops and urgent flags that hold: a new one ends the quiet."""
    names = {stop.id for stop in assessment.stops.holding} - {"accepted"}
    names |= {flag for flag in (*URGENT, "torsades") if assessment.flags.met(flag)}
    return frozenset(names)


def _within(answer: Answered, assessment: Assessment, protocol: Protocol) -> bool:
    span = protocol.file.limit.quiet.span
    if answer.rule == "maintenance":
        span = protocol.file.limit.maintenance_window.span
    return timedelta(0) <= assessment.chart.now - answer.at < span


def _quiets(answer: Answered, finding: Finding, assessment: Assessment, protocol: Protocol) -> bool:
    if answer.rule != finding.rule or answer.result != result_key(assessment):
        return False
    if not RULES[finding.rule].quiet:
        key = draft_key(finding.draft)
        return answer.outcome == "overridden" and key is not None and answer.draft == key
    if alarms(assessment) - answer.alarms or _worse(answer, assessment):
        return False
    if answer.outcome == "overridden":
        return True
    if _order_seen(assessment):
        return True
    result = assessment.chart.magnesium.result
    # Taken as placed for an hour, though no resource shows it; never for a severe level (149).
    unseen = protocol.file.limit.accepted_unseen.span
    severe = result is not None and result.acts_as == "severe"
    return not severe and assessment.chart.now - answer.at < unseen


def _worse(answer: Answered, assessment: Assessment) -> bool:
    result = assessment.chart.magnesium.result
    acts_as = result.acts_as if result is not None else None
    if acts_as is None or answer.acts_as is None:
        return False
    order: tuple[str, ...] = CLASSES
    now, then, normal = (order.index(c) for c in (acts_as, answer.acts_as, "normal"))
    return now < then if now < normal else now > then


def _order_seen(assessment: Assessment) -> bool:
    """Whether magnesium is in the session, active or administered; by mouth it is no treatment of
    a severe level (ruling 96)."""
    medicines = assessment.chart.medicines
    result = assessment.chart.magnesium.result
    only = needs_parenteral(assessment.chart, assessment.flags)
    return bool(
        any(d.magnesium is not None and not (only and d.route == "po") for d in assessment.drafts)
        or medicines.running_parenteral
        or (medicines.running_oral and not only)
        or medicines.given_since(result.collected if result else None, parenteral=only)
    )
