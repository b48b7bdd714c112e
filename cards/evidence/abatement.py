"""Abatement: whether a Condition or an allergy is said to be over, in whichever type it is said."""

from __future__ import annotations

from cards.fhir.resource import Resource
from cards.units.quantity import has_value


def abated(resource: Resource) -> bool:
    """Whether any ``abatement[x]`` is stated."""
    return bool(
        resource.abatementDateTime
        or resource.abatementPeriod
        or resource.abatementString
        or resource.abatementBoolean
        or has_value(resource.abatementAge)
        or has_value(resource.abatementRange)
    )
