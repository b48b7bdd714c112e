"""Shown: the rows of one decision, one for its card and one for each finding that was hushed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from typing import Any
from uuid import uuid5

import msgspec

from cards.assessment import Finding
from cards.card import NAMESPACE
from cards.protocol.rules import shown_rule
from cards.quiet import alarms, draft_key, result_key
from service.answer import Answer, Mode
from service.memory.pseudonym import Pseudonyms
from service.trust import Caller

Row = dict[str, Any]


def shown_rows(
    answer: Answer, caller: Caller, mode: Mode, names: Pseudonyms, at: int, correlation: str
) -> Iterator[Row]:
    """What is kept of ``answer``: no value, no name, no id that is not hashed."""
    decision, request, protocol = answer.decision, answer.request, answer.protocol
    if decision.plan is None and not decision.hushed:
        return
    assessment = decision.assessment
    result = assessment.chart.magnesium.result
    patient = names.patient(caller, request)
    common: Row = {
        "at": at,
        "client": caller.issuer or "",
        "tenant": names.tenant(caller),
        "service": request.service,
        "band": result.acts_as if result is not None else None,
        "alarms": ",".join(sorted(alarms(assessment))),
        "patient": patient,
        "result": names.result(patient, result_key(assessment)),
        "protocol": f"{protocol.name} {protocol.version}",
        "protocol_hash": protocol.hash,
        "software": _software(),
        "correlation": correlation,
    }

    def told(findings: tuple[Finding, ...]) -> str:
        keys = ((f.rule, draft_key(f.draft)) for f in findings)
        pairs = [(rule, names.draft(patient, key) if key else None) for rule, key in keys]
        return msgspec.json.encode(pairs).decode()

    plan = decision.plan
    if plan is not None:
        yield common | {
            "card": answer.response.card,
            "suggestions": ",".join(answer.response.suggestions),
            "state": "shadow" if mode == "shadow" else "shown",
            "rule": plan.rule,
            "rules": ",".join(plan.rules),
            "findings": told(plan.findings),
            "indicator": plan.indicator,
        }
    for number, finding in enumerate(decision.hushed):
        # No card was made: an id of the same kind, so that a repeated call counts once.
        name = "|".join((request.hook_instance, request.service, "hushed", finding.rule))
        yield common | {
            "card": str(uuid5(NAMESPACE, f"{name}|{number}")),
            "suggestions": "",
            "state": "hushed",
            "rule": shown_rule(finding.rule),
            "rules": shown_rule(finding.rule),
            "findings": told((finding,)),
            "indicator": finding.indicator or "info",
        }


@cache
def _software() -> str:
    return version("repletion")
