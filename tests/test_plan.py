"""cards.plan: when a level is drawn, what is replaced, what the summary says."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from service.answer import answer
from tests.contract.shapes import (
    NOW,
    SERVICE,
    Json,
    body,
    bundle,
    changed,
    draft,
    magnesium,
    request,
    without,
)


def card(value: Json, zone: timezone | ZoneInfo | None = None) -> Json:
    now = NOW.astimezone(zone) if zone else NOW
    (found,) = json.loads(answer(body(value), SERVICE[value["hook"]], now).body)["cards"]
    assert isinstance(found, dict)
    return found


def labs(found: Json) -> list[str]:
    starred = next(s for s in found["suggestions"] if s.get("isRecommended"))
    return [
        a["resource"]["occurrenceDateTime"]
        for a in starred["actions"]
        if a.get("resource", {}).get("resourceType") == "ServiceRequest"
    ]


@pytest.mark.parametrize(
    ("zone", "times"),
    [
        # 2 g over 20 min at 08:00 UTC: 6 h after the end, then the next morning of the site.
        (None, ["2026-03-01T14:20:00+00:00", "2026-03-02T06:00:00+00:00"]),
        (
            ZoneInfo("Europe/Berlin"),
            ["2026-03-01T15:20:00+01:00", "2026-03-02T06:00:00+01:00"],
        ),
        (
            timezone(timedelta(hours=-8)),
            ["2026-03-01T06:20:00-08:00", "2026-03-02T06:00:00-08:00"],
        ),
        # Two draws within the hour are one.
        (timezone(timedelta(hours=-9)), ["2026-03-01T05:20:00-09:00"]),
    ],
)
def test_a_level_is_drawn_at_six_in_the_site_s_morning(
    zone: timezone | ZoneInfo | None, times: list[str]
) -> None:
    assert labs(card(request(), zone)) == times


def test_the_lab_asks_for_the_code_the_laboratory_sends() -> None:
    molar = magnesium() | {
        "code": {"coding": [{"system": "http://loinc.org", "code": "2601-3"}]},
        "valueQuantity": {"value": 0.45, "unit": "mmol/L"},
    }
    found = card(changed(request(), "prefetch/magnesium", bundle(molar)))
    codes = {
        a["resource"]["code"]["coding"][0]["code"]
        for s in found["suggestions"]
        for a in s["actions"]
        if a.get("resource", {}).get("resourceType") == "ServiceRequest"
    }
    assert codes == {"2601-3"}


def oral(**more: object) -> Json:
    dosage = {
        "route": {"text": "oral"},
        "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
        "doseAndRate": [{"doseQuantity": {"value": 500, "unit": "mg"}}],
    }
    value = draft("311431", "Magnesium Oxide 500 MG", dosageInstruction=[dosage])
    return value | {"id": "old", "status": "active", "authoredOn": "2026-02-20"} | more


def test_the_second_oral_step_replaces_the_first_when_its_id_is_known() -> None:
    value = changed(request(), "prefetch/magnesium", bundle(magnesium(1.4)))
    value = changed(value, "prefetch/medications", bundle(oral()))
    starred = card(value)["suggestions"][0]
    assert starred["isRecommended"]
    assert starred["label"].startswith("Magnesium oxide 400 mg twice daily")
    assert starred["actions"][-1]["resourceId"] == "MedicationRequest/old"
    nameless = without(value, "prefetch/medications/entry/0/resource/id")
    found = card(nameless)
    assert "stop it" in found["detail"]
    kinds = [a["type"] for s in found["suggestions"] for a in s["actions"]]
    assert "delete" not in kinds


@pytest.mark.parametrize("label", ["x" * 10_000, "<b>*" * 3000, "\u202e" * 500, "a\nb" * 1000])
def test_a_summary_is_one_short_plain_line(label: str) -> None:
    furosemide = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm"}]}
    furosemide["coding"][0] |= {"code": "4603", "display": label}
    value = request("order-select", draft(medicationCodeableConcept=furosemide))
    found = card(value)
    assert 0 < len(found["summary"]) < 140
    assert found["summary"].isprintable()
    assert len(found["detail"]) <= 1500
    for suggestion in found["suggestions"]:
        assert len(suggestion["label"]) <= 100
