"""Plan: what one card will say and suggest, before it becomes JSON."""

from cards.plan.plan import Line, Plan, make_plan
from cards.plan.proposal import (
    CreateDrug,
    CreateLab,
    DeleteOrder,
    Proposal,
    Step,
    UpdateDraft,
)

__all__ = [
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
