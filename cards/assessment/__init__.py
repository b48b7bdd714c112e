"""Assessment: every question of the protocol asked of one chart and its drafts."""

from cards.assessment.assess import Assessment, assess
from cards.assessment.finding import RANK, Finding, worst_first
from cards.assessment.flags import Flags
from cards.assessment.offers import Cap, Offer, read_patient
from cards.assessment.stops import StopFinding, Stops, needs_parenteral

__all__ = [
    "RANK",
    "Assessment",
    "Cap",
    "Finding",
    "Flags",
    "Offer",
    "StopFinding",
    "Stops",
    "assess",
    "needs_parenteral",
    "read_patient",
    "worst_first",
]
