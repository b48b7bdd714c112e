"""Another hospital's protocol is a file and no code: its bands, its doses, its silence.

``protocols/site.toml`` states bands below 1.0, below 1.5 and up to 1.9 mg/dL compared unrounded;
4 g over 4 h, 2 g over 2 h, 1 g over 1 h IV; no renal and no weight requirement; results of 24 h,
silence about older ones; one suggestion; an NDC-coded product; no follow-up level; a local code
for magnesium.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cards.protocol import parse_protocol
from service.answer import answer
from tests.vignette import NOW, SERVICE_IDS, build_request
from tests.vignette.suggested import minutes

PROTOCOL = parse_protocol(
    (Path(__file__).parent / "protocols" / "site.toml").read_bytes(), "site.toml"
)
LOCAL = {"system": "urn:oid:2.999.1", "code": "MGSER"}
NOTHING_KNOWN = "creat None | egfr None | weight None"


def cards(inputs: str, hook: str = "patient-view", change: Any = None) -> list[dict[str, Any]]:
    request = build_request(hook, inputs)
    if change is not None:
        change(request)
    body = json.dumps(request).encode()
    found: list[dict[str, Any]] = json.loads(answer(body, SERVICE_IDS[hook], NOW, PROTOCOL).body)[
        "cards"
    ]
    return found


def suggested(found: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """(grams, minutes) of every suggested drug; any other suggested resource fails."""
    doses = []
    for card in found:
        for suggestion in card.get("suggestions", []):
            for action in suggestion["actions"]:
                order = action["resource"]
                assert order["resourceType"] == "MedicationRequest"
                dose = order["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]
                assert dose["code"] == "g"
                doses.append((float(dose["value"]), minutes(order)))
    return doses


def by_local_code(request: dict[str, Any]) -> None:
    for entry in request["prefetch"]["magnesium"]["entry"]:
        entry["resource"]["code"]["coding"] = [LOCAL]


VALUES = [
    ("0.99", "critical", (4, 240)),
    ("1.0", "warning", (2, 120)),
    ("1.49", "warning", (2, 120)),
    ("1.5", "info", (1, 60)),
    ("1.9", "info", (1, 60)),
    ("1.904", None, None),
    ("1.91", None, None),
]


@pytest.mark.parametrize("change", [None, by_local_code], ids=["loinc", "local code"])
@pytest.mark.parametrize(
    "patient",
    ["", NOTHING_KNOWN, "egfr 90", "egfr 45", "egfr 25", "weight 38", "age 85"],
)
@pytest.mark.parametrize(("value", "indicator", "dose"), VALUES, ids=[v[0] for v in VALUES])
def test_the_right_dose_or_silence(
    value: str,
    indicator: str | None,
    dose: tuple[float, float] | None,
    patient: str,
    change: Any,
) -> None:
    inputs = " | ".join(filter(None, (f"Mg {value} mg/dL", patient)))
    found = cards(inputs, change=change)
    assert [card["indicator"] for card in found] == ([indicator] if indicator else [])
    assert suggested(found) == ([dose] if dose else [])


@pytest.mark.parametrize(("value", "indicator", "dose"), VALUES[:5], ids=[v[0] for v in VALUES[:5]])
def test_results_of_24_hours_only(
    value: str, indicator: str | None, dose: tuple[float, float]
) -> None:
    assert suggested(cards(f"Mg {value} mg/dL, collected 24 h ago")) == [dose]
    assert cards(f"Mg {value} mg/dL, collected 24 h 1 min ago") == []
    assert cards(f"Mg {value} mg/dL, collected 24 h 1 min ago | ambulatory") == []


def test_the_order_is_the_pharmacys_product() -> None:
    (card,) = cards(f"Mg 0.99 mg/dL | {NOTHING_KNOWN}")
    (suggestion,) = card["suggestions"]
    (action,) = suggestion["actions"]
    assert suggestion["isRecommended"]
    codings = action["resource"]["medicationCodeableConcept"]["coding"]
    assert [(coding["system"], coding["code"]) for coding in codings] == [
        ("http://hl7.org/fhir/sid/ndc", "99999-0001-01"),
        ("urn:oid:2.999.2", "MAG-IV"),
    ]


def test_every_card_says_what_the_site_relaxed() -> None:
    for inputs in ("Mg 0.99 mg/dL", "Mg 1.4 mg/dL | egfr 15", "Mg 5.0 mg/dL"):
        (card,) = cards(inputs)
        for name in ("RU", "weight-unknown", "H8"):
            assert f"site-relaxed: {name}." in card["detail"]


@pytest.mark.parametrize(
    "patient",
    ["egfr 19", "condition: dialysis", "condition: mg_gravis", "condition: chb", "age 17"],
)
def test_what_is_never_relaxable_still_stops(patient: str) -> None:
    assert suggested(cards(f"Mg 0.99 mg/dL | {patient}")) == []


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize(("value", "indicator", "dose"), VALUES[:5], ids=[v[0] for v in VALUES[:5]])
def test_the_accepted_order_is_right(
    hook: str, value: str, indicator: str | None, dose: tuple[float, float]
) -> None:
    inputs = f"Mg {value} mg/dL | {NOTHING_KNOWN}"
    (card,) = cards(inputs)
    order = card["suggestions"][0]["actions"][0]["resource"]

    def accept(request: dict[str, Any]) -> None:
        request["context"]["draftOrders"]["entry"] = [{"resource": order}]
        if hook == "order-select":
            request["context"]["selections"] = [f"MedicationRequest/{order['id']}"]

    assert cards(inputs, hook, accept) == []
