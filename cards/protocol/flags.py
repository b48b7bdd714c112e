"""Flags: what makes a patient different; each in words, and when the core finds it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

# The names of the file format, in words.
LIFE = "life"
SYMPTOMS = "symp"
NO_ENTERAL = "noent"
GUT_LOSS = "giloss"
URGENT = frozenset({LIFE, SYMPTOMS})


class FlagKind(Struct, frozen=True, gc=False):
    """``words`` as a card or a page names it; ``meaning`` when it is met, with places as sentences
    of the file have them; ``in_rows`` whether a row of the file may ask for it."""

    words: str
    meaning: str
    in_rows: bool = True


FLAGS: Mapping[str, FlagKind] = MappingProxyType(
    {
        LIFE: FlagKind(
            "life-threatening arrhythmia or seizure",
            "torsades or polymorphic VT at any level that is not high; another ventricular "
            "tachycardia with a pulse or a seizure at a low one; within {limit.new_event}",
        ),
        SYMPTOMS: FlagKind(
            "symptoms",
            "tetany, carpopedal or laryngeal spasm, or QTc of {limit.qtc_long} or more "
            "({limit.qtc_wide_allowance} more with a QRS of {limit.qrs_wide} or more, or paced)",
        ),
        "risk": FlagKind(
            "cardiac risk",
            "digoxin, a strong QT drug or haloperidol IV; two known-risk QT drugs, or one with "
            "potassium below {limit.potassium_low}; QTc of {limit.qtc_borderline} or more; "
            "earlier VT or torsades; arrest or ventricular fibrillation earlier in this encounter; "
            "acute coronary syndrome in this encounter; potassium below {limit.potassium_urgent}",
        ),
        NO_ENTERAL: FlagKind("enteral route out", "ileus, vomiting, intolerance of oral magnesium"),
        GUT_LOSS: FlagKind(
            "gastrointestinal loss", "short bowel, ileostomy, high-output stoma, chronic diarrhoea"
        ),
        "oral-first-step": FlagKind(
            "first oral step already active",
            "oral magnesium was running before the result, below {limit.oral_full_dose} a day",
        ),
        "oral-full-dose": FlagKind(
            "full oral dose already active",
            "oral magnesium was running before the result, {limit.oral_full_dose} a day or more",
        ),
        "potassium-urgent": FlagKind(
            "potassium very low", "potassium below {limit.potassium_urgent}"
        ),
        "anticoagulant": FlagKind("anticoagulant", "an anticoagulant is active"),
        "platelets-low": FlagKind("low platelets", "platelets below {limit.platelets}"),
        "arrest": FlagKind(
            "cardiac arrest",
            "cardiac arrest or ventricular fibrillation within {limit.recent_arrest}: follow ACLS; "
            "no trigger speaks, and an emergency dose is not held up",
            in_rows=False,
        ),
        "arrhythmia": FlagKind(
            "a dangerous arrhythmia in this encounter",
            "torsades, ventricular tachycardia or fibrillation or an arrest, now or earlier in "
            "this encounter: no order is “not indicated” and none too fast for comfort",
            in_rows=False,
        ),
        "torsades": FlagKind(
            "torsades de pointes or polymorphic VT",
            "torsades or polymorphic VT, recorded as above",
            in_rows=False,
        ),
        "life-event": FlagKind(
            "life-threatening arrhythmia or seizure, at any level",
            "the arrhythmia or seizure itself, whatever the level: an outpatient needs emergency "
            "evaluation",
            in_rows=False,
        ),
        "drafted-risk": FlagKind(
            "cardiac risk by a drafted drug alone",
            "cardiac risk that only a drug of the orders at hand makes: it changes the regimen, "
            "not the indicator",
            in_rows=False,
        ),
    }
)
