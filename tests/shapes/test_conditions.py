"""Conditions as records send them: statuses, dates, and problems that were only typed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.shapes import SEVERE, SNOMED, Card, Json, answer_to, resources

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
BLOCKED = ("critical", "no drug")


def rewritten(inputs: str, **elements: object) -> Card:
    def rewrite(request: Json) -> None:
        resources(request, "conditions")[0].update(elements)

    return answer_to(inputs, rewrite)


def status(*codings: tuple[str, str], text: str = "") -> Json:
    found = [{"system": s, "code": c} if s else {"code": c} for s, c in codings]
    return {"coding": found, "text": text}


@pytest.mark.parametrize(
    ("clinical", "frame"),
    [
        (status(("urn:oid:1.2.3", "A"), (CLINICAL, "active")), BLOCKED),
        (status(("urn:oid:1.2.3", "active"), (CLINICAL, "resolved")), SEVERE),
        (status((CLINICAL.replace("http:", "https:"), "inactive")), SEVERE),
        (status((CLINICAL + "/", "Resolved"), ("http://x.example", "active")), SEVERE),
        (
            status(
                ("http://x.example", "7"), ("http://hl7.org/fhir/condition-clinical", "resolved")
            ),
            SEVERE,
        ),
        (status(("http://x.example", "7"), (CLINICAL + "|4.0.1", "remission")), BLOCKED),
        (status(("", "resolved"), ("http://x.example", "active")), SEVERE),
        ("resolved", SEVERE),
        ("active", BLOCKED),
        ({"coding": {"system": CLINICAL, "code": "resolved"}}, SEVERE),
        # A status that nobody knows is no "resolved".
        (status(("http://x.example", "7")), BLOCKED),
        ({"text": "see notes"}, BLOCKED),
    ],
)
def test_the_bound_system_says_whether_it_is_over(clinical: object, frame: tuple[str, str]) -> None:
    found = rewritten("Mg 1.1 mg/dL | condition: mg_gravis", clinicalStatus=clinical)
    assert (found.indicator, "iv2/20" if "iv2/20" in found.starred else "no drug") == frame


def test_an_event_of_unknown_status_orders_nothing() -> None:
    unknown = status(("http://x.example", "7"))
    found = rewritten("Mg 1.9 mg/dL | condition: torsades", clinicalStatus=unknown)
    assert found.frame == ("no card", "no drug")


@pytest.mark.parametrize(
    "verification",
    [
        status(("http://x.example", "confirmed"), (VERIFICATION, "refuted")),
        status((VERIFICATION + "/", "refuted"), ("http://x.example", "confirmed")),
        status(("http://x.example", "1"), ("http://hl7.org/fhir/condition-ver-status", "refuted")),
        status((VERIFICATION.replace("http:", "https:"), "entered-in-error")),
        status((VERIFICATION + "|4.0.1", "refuted")),
        status(("", "refuted"), ("http://x.example", "confirmed")),
        "refuted",
        "entered-in-error",
    ],
)
def test_what_is_refuted_does_not_count(verification: object) -> None:
    found = rewritten("Mg 1.1 mg/dL | condition: mg_gravis", verificationStatus=verification)
    assert found.frame == SEVERE
    found = rewritten("Mg 1.9 mg/dL | condition: torsades", verificationStatus=verification)
    assert found.frame == ("no card", "no drug")


NIGHT = datetime(2026, 3, 14, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "onset", "current"),
    [
        (NIGHT, "2026-03-14", True),
        (NIGHT, "2026-03-13", True),
        (NIGHT, "2026-03-12", False),
        (NIGHT.replace(hour=5, minute=59), "2026-03-13", True),
        (NIGHT.replace(hour=6), "2026-03-13", False),
        # The night of the site: 05:30 in Berlin is 04:30 UTC; 06:30 there is 05:30 UTC.
        (datetime(2026, 3, 14, 5, 30, tzinfo=ZoneInfo("Europe/Berlin")), "2026-03-13", True),
        (datetime(2026, 3, 14, 6, 30, tzinfo=ZoneInfo("Europe/Berlin")), "2026-03-13", False),
        (NIGHT, "2026-03", False),
        (NIGHT, "2026", False),
        (NIGHT, "last night", False),
    ],
)
def test_a_bare_date_is_that_day_and_in_the_night_the_day_before(
    now: datetime, onset: str, current: bool
) -> None:
    def rewrite(request: Json) -> None:
        condition = resources(request, "conditions")[0]
        condition["onsetDateTime"] = onset
        del condition["recordedDate"]
        resources(request, "magnesium")[0]["effectiveDateTime"] = (
            now.astimezone(UTC) - timedelta(hours=1)
        ).isoformat()
        for key in ("creatinine", "egfr"):
            resources(request, key)[0]["effectiveDateTime"] = (
                now.astimezone(UTC) - timedelta(hours=1)
            ).isoformat()

    found = answer_to("Mg 1.6 mg/dL | condition: torsades", rewrite, now=now)
    assert (found.indicator == "critical") is current


def test_onset_as_a_period_and_the_time_of_an_earlier_version_are_read() -> None:
    undated = {"recordedDate": None}
    started = rewritten(
        "Mg 1.6 mg/dL | condition: torsades", **undated, onsetPeriod={"start": "2026-03-14T09:00Z"}
    )
    assert started.frame == ("critical", "iv2/15")
    asserted = rewritten(
        "Mg 1.6 mg/dL | condition: torsades", **undated, assertedDate="2026-03-14T09:00:00Z"
    )
    assert asserted.frame == ("critical", "iv2/15")


def typed(text: str, inputs: str = "Mg 1.1 mg/dL", **elements: object) -> Card:
    code = {"text": text}
    return rewritten(f"{inputs} | condition: hypomagnesaemia", code=code, **elements)


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("Myasthenia gravis", "myasthenia gravis"),
        ("MYASTHENIA GRAVIS, ocular, in remission", "myasthenia gravis"),
        ("h/o myasthenia gravis", "myasthenia gravis"),
        ("Miastenia grave", "myasthenia gravis"),
        ("rule out myasthenia gravis", "myasthenia gravis"),
        ("V. a. Myasthenie", "myasthenia gravis"),
        ("LEMS", "lambert-eaton syndrome"),
        ("Lambert Eaton myasthenic syndrome?", "myasthenia gravis"),
        ("Complete heart block", "heart block"),
        ("AV-Block III. Grades", "heart block"),
        ("3rd degree AV block, no symptoms", "heart block"),
        ("BAV complet", "heart block"),
        ("Bloqueo auriculoventricular completo", "heart block"),
        ("Pregnancy, 32 weeks", "pregnancy"),
        ("Schwangerschaft im 3. Trimenon", "pregnancy"),
        ("Grossesse en cours", "pregnancy"),
        ("severe preeclampsia", "pregnancy"),
        ("on haemodialysis Tue/Thu/Sat", "dialysis"),
        ("Dialysepflichtige Niereninsuffizienz", "dialysis"),
        ("Hämodialyse seit 2019", "dialysis"),
        ("ESRD", "dialysis"),
        ("NSTEMI", "acute myocardial infarction"),
        ("non-ST elevation myocardial infarction", "acute myocardial infarction"),
        ("Akuter Myokardinfarkt", "acute myocardial infarction"),
        ("infarto agudo de miocardio", "acute myocardial infarction"),
        ("Infarctus du myocarde", "acute myocardial infarction"),
        ("Zawał serca", "acute myocardial infarction"),
    ],
)
def test_a_stop_that_was_only_typed_may_be_there(text: str, group: str) -> None:
    """No infusion with a star, the words on the card, the band's indicator as it was."""
    found = typed(text, "Mg 1.1 mg/dL | sex female")
    assert (found.indicator, found.starred) == ("critical", [])
    assert "iv2/20" in found.offered
    assert f"May be there, known by its words alone: {group}" in found.words


@pytest.mark.parametrize(
    "text",
    [
        "Hypertension",
        "No myasthenia gravis",
        "Myasthenia gravis ruled out",
        "myasthenia gravis: excluded",
        "Family history of myasthenia gravis",
        "Mother: complete heart block",
        "Heart block: none",
        "First degree AV block",
        "AV-Block I. Grades",
        "Mobitz type I (Wenckebach)",
        "Right bundle branch block",
        "not pregnant",
        "Keine Schwangerschaft",
        "History of pregnancy",
        "Family planning, pregnancy prevention",
        "Old myocardial infarction",
        "s/p MI 2009",
        "Z. n. Myokardinfarkt",
        "Kein Anhalt für Myasthenie",
        "not on dialysis",
        "Renal stones",
    ],
)
def test_other_words_and_denied_ones_change_nothing(text: str) -> None:
    found = typed(text, "Mg 1.1 mg/dL | sex female")
    assert found.frame == SEVERE
    assert "May be there" not in found.words


def test_a_foreign_code_is_read_by_its_display() -> None:
    code = {
        "coding": [{"system": "urn:oid:1.2.276.0", "code": "9", "display": "Myasthenia gravis"}]
    }
    found = rewritten("Mg 1.1 mg/dL | condition: hypomagnesaemia", code=code)
    assert found.starred == []
    code = {"coding": [{"system": SNOMED, "code": "11399002", "display": "Pulmonary hypertension"}]}
    assert rewritten("Mg 1.1 mg/dL | condition: hypomagnesaemia", code=code).frame == SEVERE


def test_what_only_words_name_is_weighed_against_what_is_known() -> None:
    assert typed("pregnancy", "Mg 1.1 mg/dL | sex male").frame == SEVERE
    paced = answer_to(
        "Mg 1.1 mg/dL | condition: pacemaker, hypomagnesaemia",
        lambda request: resources(request, "conditions")[1].update(
            code={"text": "complete heart block"}
        ),
    )
    assert paced.frame == SEVERE
    for over in ("resolved", "inactive"):
        assert typed("myasthenia", clinicalStatus=status((CLINICAL, over))).frame == SEVERE
    refuted = status((VERIFICATION, "refuted"))
    assert typed("myasthenia", verificationStatus=refuted).frame == SEVERE
    assert typed("myasthenia", abatementDateTime="2025-01-01").frame == SEVERE
    # An infarction is a stop while it is fresh, or when nobody says since when.
    assert typed("STEMI", recordedDate="2019-05-01").frame == SEVERE
    assert typed("STEMI", recordedDate=None).starred == []
    here = {"encounter": {"reference": "Encounter/e1"}}
    assert typed("STEMI", recordedDate="2026-03-10", **here).starred == []


def test_the_oral_star_stays_and_a_drafted_infusion_is_told_beside_other_findings() -> None:
    assert typed("Myasthenia gravis", "Mg 1.6 mg/dL").starred == ["po500x1"]
    found = typed("Myasthenia gravis", "Mg 1.9 mg/dL")
    assert found.frame == ("no card", "no drug")

    def rewrite(request: Json) -> None:
        resources(request, "conditions")[0]["code"] = {"text": "Myasthenia gravis"}

    inputs = "Mg 1.9 mg/dL | condition: epilepsy | draft: MgSO4 2 g IV over 240 min"
    drafted = answer_to(inputs, rewrite, "order-sign")
    assert "May be there" in drafted.words
