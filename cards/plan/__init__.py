"""Plan: what one card will say and suggest, before it becomes JSON."""

from cards.plan.plan import Plan, make_plan
from cards.plan.proposal import (
    LAB_NAMES,
    CreateDrug,
    CreateLab,
    DeleteOrder,
    Proposal,
    Step,
    UpdateDraft,
)
from cards.plan.words import Line

__all__ = [
    "LAB_NAMES",
    "CreateDrug",
    "CreateLab",
    "DeleteOrder",
    "Line",
    "Plan",
    "Proposal",
    "Step",
    "UpdateDraft",
    "make_plan",
]
