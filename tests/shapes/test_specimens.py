"""Specimens: what a note or the specimen itself says of a result (rulings 14, 146, 153)."""

from __future__ import annotations

import pytest

from cards.fhir import read_handling
from cards.fhir.resource import Annotation, Resource
from tests.shapes import SEVERE, SNOMED, Card, Json, answer_to, resources

REPEAT = ("warning", "no drug")


def noted(text: str) -> tuple[bool, bool]:
    """(haemolysed, contaminated) of a result with one note."""
    found = read_handling(Resource(note=[Annotation(text)]), lambda target: None)
    return found.haemolysed, found.contaminated


@pytest.mark.parametrize(
    "text",
    [
        "Specimen hemolyzed",
        "haemolysed +",
        "Grossly haemolytic.",
        "Hämolytisch",
        "Probe stark hämolytisch, bitte wiederholen",
        "deutliche Haemolyse",
        "prélèvement hémolysé",
        "Hémolyse importante",
        "muestra hemolizada",
        "hemólisis moderada",
        "campione emolizzato",
        "emolisi ++",
        "amostra hemolisada",
        "sterk hemolytisch",
        "provet är hemolyserat",
        "prøven er hæmolyseret",
        "próbka z hemolizą",
        "Hemolysis index: 250",
        "Hemolysis: 2+ Lipemia: none",
        "Hemolysis 3 icterus 0",
        "Hemolysis: slight, lipemia: none",
        "No clots. Hemolyzed",
        "not lipaemic; haemolysed",
        "haemolysed, not recollected",
        "Hemolysis index 0.5 exceeded",
        "hémolysé".replace("é", "e\u0301"),  # accents sent apart
    ],
)
def test_haemolysed_in_the_shipped_languages(text: str) -> None:
    assert noted(text) == (True, False)


@pytest.mark.parametrize(
    "text",
    [
        "not hemolyzed",
        "No evidence of hemolysis",
        "non-haemolysed",
        "nicht hämolytisch",
        "keine Hämolyse",
        "ohne sichtbare Hämolyse",
        "pas d'hémolyse",
        "sin hemólisis",
        "non emolizzato",
        "sem hemólise",
        "geen hemolyse",
        "ej hemolyserat",
        "ikke hæmolyseret",
        "brak hemolizy",
        "Hemolysis index: 0 (none)",
        "Hemolysis: none",
        "Haemolysis index 0",
        "Hemolysis absent",
        "Hemolysis: negative; lipemia: 2+",
        "Hämolyse: keine",
        "Hämolyse nicht nachweisbar",
        "hémolyse: absente",
        "Hemolysis not detected",
        "hemolysis was not seen",
        "hemolysis index (H): 0+",
        "Hemolysis: no",
        "emolisi assente",
        "Hemoglobin 9.1, hemodialysis today",
    ],
)
def test_denied_before_or_after_within_the_clause(text: str) -> None:
    assert noted(text) == (False, False)


@pytest.mark.parametrize(
    "text",
    [
        "Contaminated with IV fluid?",
        "possible contamination by infusion",
        "drawn from drip arm",
        "specimen taken above IV site",
        "sample from the arm of the drip arm",
        "Specimen appears diluted",
        "suspected dilution with saline",
        "diluted with IV fluid",
        "Kontamination mit Infusionslösung",
        "Probe verdünnt?",
        "aus Infusionsarm entnommen",
        "échantillon dilué",
        "contaminación por suero",
        "campione diluito da infusione",
        "monster verdund",
        "utspädd?",
        "Verified. Specimen contaminated",
    ],
)
def test_contaminated_or_diluted(text: str) -> None:
    assert noted(text) == (False, True)


@pytest.mark.parametrize(
    "text",
    [
        "verified by dilution",
        "Result confirmed on dilution",
        "result after dilution",
        "Auto-dilution performed",
        "diluted 1:2",
        "1:5 dilution",
        "x10 dilution",
        "diluted and rerun: repeated",
        "Verdünnung 1:10",
        "durch Verdünnung bestätigt, nach Verdünnung",
        "vérifié par dilution",
        "verificado mediante dilución",
        "No contamination seen",
        "not diluted",
        "keine Kontamination",
    ],
)
def test_a_dilution_of_the_laboratory_is_none(text: str) -> None:
    assert noted(text) == (False, False)


def with_specimen(specimen: Json, inputs: str = "Mg 1.1 mg/dL", **elements: object) -> Card:
    """The vignette's result with a contained specimen, and other elements changed."""

    def rewrite(request: Json) -> None:
        result = resources(request, "magnesium")[0]
        result["contained"] = [{"resourceType": "Specimen", "id": "s", **specimen}]
        result["specimen"] = {"reference": "#s"}
        for name, value in elements.items():
            result[name] = value
            if value is None:
                del result[name]

    return answer_to(inputs, rewrite)


def test_contaminated_asks_for_another_site() -> None:
    found = with_specimen({"note": [{"text": "drawn above the drip"}]})
    assert found.frame == REPEAT
    assert "repeat from another site" in found.words
    con = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0493", "code": "CON"}]}
    assert with_specimen({"condition": [con]}).frame == REPEAT
    assert with_specimen({"condition": {"text": "Hemolyzed"}}).frame == REPEAT
    assert with_specimen({"condition": [{"text": "not haemolysed"}]}).frame == SEVERE
    # A toxic level of a doubtful specimen still stands against more magnesium (ruling 116).
    high = with_specimen({"note": {"text": "contaminated"}}, "Mg 6.0 mg/dL")
    assert high.indicator == "warning"


V2 = "http://terminology.hl7.org/CodeSystem/v2-0487"
URINE = {"coding": [{"system": SNOMED, "code": "122575003"}]}


@pytest.mark.parametrize(
    ("type_", "said"),
    [
        (URINE, "urine"),
        ({"text": "Urine, random"}, "Urine, random"),
        ({"text": "Sammelurin"}, "Sammelurin"),
        ({"coding": [{"system": "urn:oid:1.2", "code": "7", "display": "Orina de 24 h"}]}, "Orina"),
        ({"coding": [{"system": V2, "code": "CSF"}]}, "cerebrospinal"),
        ({"coding": [{"system": "urn:oid:1.2", "code": "X"}, URINE["coding"][0]]}, "urine"),
        ({"text": "Red blood cells"}, "Red blood cells"),
        ({"text": "Peritoneal dialysate"}, "dialysate"),
        ({"coding": [{"system": "https://snomed.info/sct/", "code": "119351004"}]}, "red cells"),
    ],
)
def test_a_specimen_that_is_no_blood_is_named_and_not_used(type_: Json, said: str) -> None:
    found = with_specimen({"type": type_})
    assert found.frame == ("info", "no drug")
    assert "another specimen" in found.words
    assert said in found.words


@pytest.mark.parametrize(
    "type_",
    [
        {"text": "Blood, venous"},
        {"text": "Serum"},
        {"text": "Blut (Serum-Röhrchen)"},
        {"coding": [{"system": SNOMED, "code": "119364003"}]},
        {"coding": [{"system": "urn:oid:1.2", "code": "77"}]},  # a kind nobody knows
        {"text": "Tube 3"},
        {"coding": [{"system": SNOMED, "code": "122555007"}], "text": "Saliva"},
        [{"text": "Urine"}],  # no CodeableConcept: not understood, not relied on
        {},
    ],
)
def test_blood_and_what_is_not_known_are_read(type_: object) -> None:
    assert with_specimen({"type": type_}).frame == SEVERE


def test_a_urine_beside_a_serum_is_named_and_the_serum_counts() -> None:
    def rewrite(request: Json) -> None:
        entries = request["prefetch"]["magnesium"]["entry"]
        urine = {**entries[0]["resource"], "id": "u", "specimen": {"display": "Urine"}}
        urine["valueQuantity"] = {"value": 8, "unit": "mg/dL"}
        urine["effectiveDateTime"] = "2026-03-14T11:30:00Z"
        entries.append({"resource": urine})

    found = answer_to("Mg 1.1 mg/dL", rewrite)
    assert found.frame == SEVERE
    assert "a magnesium of another specimen (Urine)" in found.words


def test_a_creatinine_of_urine_is_no_kidney_failure() -> None:
    def rewrite(request: Json) -> None:
        result = resources(request, "creatinine")[0]
        result["specimen"] = {"display": "Urine, spot"}

    found = answer_to("Mg 1.1 mg/dL | creat 14 | egfr None", rewrite)
    assert "Kidney RU" in found.words


@pytest.mark.parametrize(
    "collection",
    [
        {"collectedDateTime": "2026-03-14T10:00:00Z"},
        {"collectedPeriod": {"start": "2026-03-14T09:00:00Z", "end": "2026-03-14T10:00:00Z"}},
        {"collectedPeriod": {"start": "2026-03-14T09:00:00Z"}},
        {"collectedDateTime": "2026-03-14T11:00:00+01:00", "collector": {"display": "x"}},
    ],
)
def test_the_time_of_the_specimen_stands_in(collection: Json) -> None:
    found = with_specimen({"collection": collection}, effectiveDateTime=None)
    assert found.frame == SEVERE
    assert "no collection time" not in found.words


def test_the_result_s_own_time_goes_first_and_a_time_nobody_can_read_is_none() -> None:
    old = {"collection": {"collectedDateTime": "2026-03-01T10:00:00Z"}}
    assert with_specimen(old).frame == SEVERE
    assert with_specimen(old, effectiveDateTime=None).frame == REPEAT  # stale
    for collection in ([], "today", {"collectedDateTime": 3}, {"collectedDateTime": "today"}):
        found = with_specimen({"collection": collection}, effectiveDateTime=None)
        assert found.frame == REPEAT
        assert "no collection time" in found.words


@pytest.mark.parametrize(
    "reference",
    ["Specimen/s1", "https://ehr.example/fhir/Specimen/s1", "Specimen/s1/_history/2"],
)
def test_a_referenced_specimen(reference: str) -> None:
    def rewrite(request: Json, specimen: Json) -> None:
        result = resources(request, "magnesium")[0]
        del result["effectiveDateTime"]
        result["specimen"] = [{"reference": reference}]
        full = {"resourceType": "Specimen", "id": "s1", "subject": {"reference": "Patient/p1"}}
        request["prefetch"]["magnesium"]["entry"].append({"resource": {**full, **specimen}})

    timed = {"collection": {"collectedDateTime": "2026-03-14T10:00:00Z"}}
    assert answer_to("Mg 1.1 mg/dL", lambda r: rewrite(r, timed)).frame == SEVERE
    urine = timed | {"type": URINE}
    assert answer_to("Mg 1.1 mg/dL", lambda r: rewrite(r, urine)).indicator == "info"
    haemolysed = timed | {"condition": [{"coding": [{"code": "HEM"}]}]}
    assert answer_to("Mg 1.1 mg/dL", lambda r: rewrite(r, haemolysed)).frame == REPEAT


@pytest.mark.parametrize(
    "reference", ["#none", "Specimen/none", "Organization/1", "urn:uuid:1", "", None]
)
def test_a_specimen_that_did_not_come_says_nothing(reference: str | None) -> None:
    def rewrite(request: Json) -> None:
        resources(request, "magnesium")[0]["specimen"] = {"reference": reference}

    assert answer_to("Mg 1.1 mg/dL", rewrite).frame == SEVERE


@pytest.mark.parametrize(
    "element",
    [
        {"request": [{"reference": "ServiceRequest/1"}, {"reference": "ServiceRequest/2"}]},
        {"request": {"reference": "ServiceRequest/1"}},
        {"type": "urine?"},
        {"type": ["x"]},
        {"collection": {"method": {"text": "x"}, "fastingStatusDuration": {"value": 3}}},
        {"status": "available", "receivedTime": "2026-03-14T10:30:00Z"},
    ],
)
def test_no_element_of_a_specimen_makes_the_result_unreadable(element: Json) -> None:
    assert with_specimen(element).frame == SEVERE


def test_a_note_without_text_says_nothing() -> None:
    assert read_handling(Resource(note=[Annotation()]), lambda target: None).haemolysed is False
