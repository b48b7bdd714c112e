"""Which drug an order is, as records really say it: whole requests through the service.

The union of everything said (ruling 136), what cannot be identified (137), the codes and names of
other countries (138), carriers (150) and replacement protocols (111, 162).
"""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest

from cards.codes import SHIPPED
from cards.fhir.resource import Resource
from cards.orders import Identity, identify
from cards.protocol import cited_anchor, shipped
from service.answer import answer
from tests.contract.shapes import NOW, RXNORM, SERVICE, ago, bundle, magnesium, request

Json = dict[str, Any]
NDC = "http://hl7.org/fhir/sid/ndc"
ATC = "http://www.whocc.no/atc"
IV = {"coding": [{"system": "http://snomed.info/sct", "code": "47625008"}]}
PO = {"coding": [{"system": "http://snomed.info/sct", "code": "26643006"}]}
SULFATE = {"coding": [{"system": RXNORM, "code": "6585"}]}
SALT_WATER = {"text": "sodium chloride 0.9 % bag"}


def grams(amount: float, minutes: int = 60, route: Json | None = IV) -> Json:
    line: Json = {
        "timing": {"repeat": {"count": 1, "duration": minutes, "durationUnit": "min"}},
        "doseAndRate": [{"doseQuantity": {"value": amount, "unit": "g"}}],
    }
    return line | ({"route": route} if route else {})


def order(medication: Json, line: Json | None = None, **more: Any) -> Json:
    value: Json = {
        "resourceType": "MedicationRequest",
        "id": "o1",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "authoredOn": ago(1),
        "dosageInstruction": [line or grams(2)],
    }
    return value | medication | more


def concept(**said: Any) -> Json:
    return {"medicationCodeableConcept": said}


def coded(system: str, code: str, **more: Any) -> Json:
    return concept(coding=[{"system": system, "code": code} | more])


def draft(medication: Json, line: Json | None = None, **more: Any) -> Json:
    return order(medication, line, **({"status": "draft", "id": "draft-1"} | more))


def cards(hook: str, *drafts: Json, level: float = 1.1, **needs: Json) -> list[Json]:
    value = request(hook, *drafts)
    value["prefetch"]["magnesium"] = bundle(magnesium(level))
    for need, resources in needs.items():
        value["prefetch"][need] = bundle(resources)
    found: list[Json] = json.loads(answer(json.dumps(value).encode(), SERVICE[hook], NOW).body)[
        "cards"
    ]
    return found


def text(found: list[Json]) -> str:
    return " ".join(card["summary"] + " " + card.get("detail", "") for card in found)


def drugs(found: list[Json]) -> list[str]:
    """The labels of the suggestions that hold a drug."""
    return [
        suggestion["label"]
        for card in found
        for suggestion in card.get("suggestions", [])
        if any(
            action["type"] != "delete" and action["resource"]["resourceType"] == "MedicationRequest"
            for action in suggestion["actions"]
        )
    ]


def infusions(found: list[Json]) -> list[str]:
    return [label for label in drugs(found) if "over" in label]


def identity(value: Json, held: dict[str, Json] | None = None) -> Identity:
    medications = {
        key: msgspec.convert(item, Resource, strict=False) for key, item in (held or {}).items()
    }
    return identify(msgspec.json.decode(json.dumps(value), type=Resource), medications)


def medication(*ingredients: Json, id_: str = "m1", **code: Any) -> Json:
    value: Json = {"resourceType": "Medication", "id": id_, "ingredient": list(ingredients)}
    return value | ({"code": code} if code else {})


def refers(reference: str, **more: Any) -> Json:
    return {"medicationReference": {"reference": reference} | more}


# --- the union of everything said (136) -----------------------------------------------------------

NESTED = order(refers("#outer")) | {
    "contained": [
        medication({"itemReference": {"reference": "#inner"}}, id_="outer", text="bag"),
        medication({"itemReference": {"reference": "#salt"}}, id_="inner"),
        {"resourceType": "Substance", "id": "salt", "code": SULFATE},
    ]
}
HELD = "Medication/m1"
UNIONS = {
    "the code of the second coding": concept(
        coding=[{"system": "urn:house", "code": "77"}, {"system": RXNORM, "code": "1658259"}]
    ),
    "the text beside another code": concept(
        coding=[{"system": RXNORM, "code": "8591"}], text="magnesium sulfate 2 g in 50 mL"
    ),
    "a display beside another code": concept(
        coding=[
            {"system": RXNORM, "code": "8591"},
            {"system": "urn:house", "code": "7", "display": "Magnesium sulfate bag"},
        ]
    ),
    "the display of the reference alone": refers("Medication/none", display="Magnesiumsulfat 10 %"),
    "both places of two versions": concept(text="bag 4") | {"medication": {"concept": SULFATE}},
    "a reference of the later version": {"medication": {"reference": {"reference": HELD}}},
    "an absolute reference": refers("https://fhir.example/r4/Medication/m1/_history/3"),
}  # fmt: skip


@pytest.mark.parametrize("said", UNIONS.values(), ids=UNIONS)
def test_one_magnesium_said_anywhere_makes_it_magnesium(said: Json) -> None:
    held = {"m1": medication({"itemCodeableConcept": SULFATE}, text="compounded bag")}
    found = identity(order(said), held)
    assert found.find("magnesium") is not None
    assert not found.unidentified


def test_ingredients_are_followed_as_deep_as_they_go_and_round_a_circle_once() -> None:
    assert identity(NESTED).find("magnesium") is not None
    ring = order(refers("#a")) | {
        "contained": [
            medication({"itemReference": {"reference": "#b"}}, id_="a"),
            medication({"item": {"reference": {"reference": "#a"}}}, id_="b"),
        ]
    }
    assert identity(ring).unidentified
    chain = [
        medication({"itemReference": {"reference": f"#{n + 1}"}}, id_=str(n)) for n in range(40)
    ]
    deep = order(refers("#0")) | {"contained": [*chain, medication(id_="40", **SULFATE)]}
    assert identity(deep).unidentified


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("urn:uuid:0b1c", "URN:UUID:0B1C"),
        ("https://fhir.example/x/Medication/9", "https://fhir.example/x/Medication/9/_history/2"),
        ("0b1c", "urn:uuid:0b1c"),  # the id of a Medication that came without its fullUrl
    ],
)
def test_a_reference_may_be_the_full_url_of_an_entry(key: str, written: str) -> None:
    bag = medication({"item": {"concept": SULFATE}}, text="house bag")
    assert identity(order(refers(written)), {key: bag}).find("magnesium") is not None


def test_an_excipient_is_no_ingredient_to_give() -> None:
    tablet = medication(
        {"itemCodeableConcept": {"text": "metformin"}},
        {"itemCodeableConcept": {"text": "magnesium oxide"}, "isActive": False},
        {"itemCodeableConcept": {"text": "magnesium stearate"}},
        text="Metformin 500 mg",
    )
    found = identity(order(refers("Medication/m1")), {"m1": tablet})
    assert (found.drugs, found.possible, found.unidentified) == ((), False, False)


def test_a_bag_of_several_ingredients_is_judged_by_its_magnesium() -> None:
    def bag(mg: float) -> Json:
        strength = {
            "numerator": {"value": mg, "unit": "mg"},
            "denominator": {"value": 1, "unit": "mL"},
        }
        return draft(refers("#m1")) | {
            "contained": [
                medication(
                    {"itemCodeableConcept": {"text": "glucose 5 %"}},
                    {"itemCodeableConcept": SULFATE, "strength": strength},
                )
            ],
            "dosageInstruction": [
                grams(1, 30) | {"doseAndRate": [{"doseQuantity": {"value": 500, "unit": "mL"}}]}
            ],
        }

    (card,) = cards("order-sign", bag(20))
    assert card["indicator"] == "critical"
    assert "10 g in 24 h" in card["detail"]
    assert identity(bag(500)).mg_per_ml is None  # a vial, with what it is diluted in


def test_more_exact_words_win_over_a_class() -> None:
    found = identity(
        order(concept(coding=[{"system": ATC, "code": "B05XA05"}], text="Magnesiumsulfat"))
    )
    (drug,) = found.drugs
    assert (drug.name, drug.salt, drug.form) == ("magnesium sulfate", "sulfate", "parenteral")
    found = identity(
        order(concept(coding=[{"system": ATC, "code": "A12CC"}], text="magnesium hydroxide"))
    )
    assert found.groups == {"magnesium"}  # a supplement, as its class says
    (drug,) = identity(order(coded(ATC, "B05XA05"))).drugs
    assert (drug.salt, drug.strength) == (None, None)  # a class says neither


# --- what cannot be identified (137) --------------------------------------------------------------

NAMELESS = {
    "a reference to nothing": refers("Medication/gone"),
    "a reference without a name": {"medicationReference": {"identifier": {"value": "1"}}},
    "a code nobody knows": coded("urn:house", "77"),
    "a code as its own name": coded("urn:house", "MED7", display="MED7"),
    "a number as a name": concept(text="100 234"),
    "nothing": {},
    "an NDC that is in no list": coded(NDC, "11111-2222-33"),
}  # fmt: skip


@pytest.mark.parametrize("said", NAMELESS.values(), ids=NAMELESS)
def test_a_nameless_parenteral_order_stops_the_infusion_and_is_named(said: Json) -> None:
    found = cards("patient-view", medications=order(said))
    (card,) = found
    assert card["indicator"] == "critical"
    assert "could not be identified" in card["summary"]
    assert not infusions(found)
    oral = order(said, grams(2, route=PO))
    assert infusions(cards("patient-view", medications=oral))


def test_a_nameless_administration_since_the_result_stops_it_too() -> None:
    given: Json = {
        "resourceType": "MedicationAdministration",
        "id": "g1",
        "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": ago(1),
        "medicationReference": {"reference": "Medication/gone"},
        "dosage": {"route": IV, "dose": {"value": 50, "unit": "mL"}},
    }
    assert not infusions(cards("patient-view", administrations=given))
    before = given | {"effectiveDateTime": ago(3)}
    assert infusions(cards("patient-view", administrations=before))
    undated = copy.deepcopy(given)
    del undated["effectiveDateTime"]
    assert not infusions(cards("patient-view", administrations=undated))
    running = before | {"status": "in-progress"}
    assert not infusions(cards("patient-view", administrations=running))


def test_the_emergency_dose_stands_beside_a_nameless_order() -> None:
    torsades: Json = {
        "resourceType": "Condition",
        "id": "c1",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "31722008"}]},
        "subject": {"reference": "Patient/p1"},
        "onsetDateTime": ago(1),
    }
    found = cards("patient-view", medications=order(refers("Medication/gone")), conditions=torsades)
    assert infusions(found)
    assert "could not be identified: Medication/gone" in text(found)


@pytest.mark.parametrize("said", NAMELESS.values(), ids=NAMELESS)
def test_a_draft_of_which_nothing_is_known_is_named_and_silences_nothing(said: Json) -> None:
    found = cards("order-sign", draft(said))
    assert found[0]["indicator"] == "critical"
    assert "the order was not checked" in text(found)
    assert not drugs(found)
    asked = cards("order-select", draft(said))
    # A form that was only just opened names nothing yet: the Sandbox's first call.
    assert [card["indicator"] for card in asked] == ([] if not said else ["info"])


POSSIBLE = {
    "the bare word": "magnesium",
    "a trial": "Magnesium/Placebo study drug",
    "a brand of nobody's list": "Magnofort forte",
    "other letters": "Препарат магния",
    "in a long text": "x " * 800 + "magnesium",
    "an infusion of it": "magnesium 2 gm/hr",
}  # fmt: skip


@pytest.mark.parametrize("name", POSSIBLE.values(), ids=POSSIBLE)
def test_a_possible_source_stops_every_drug_unless_it_is_taken_by_mouth(name: str) -> None:
    for route in (IV, None):
        found = cards("patient-view", medications=order(concept(text=name), grams(2, route=route)))
        assert not drugs(found)
        assert "a possible magnesium source" in text(found)
    found = cards("patient-view", medications=order(concept(text=name), grams(2, route=PO)))
    assert drugs(found)
    assert "Possible magnesium source" in text(found)
    (card,) = cards("order-select", draft(concept(text=name)), level=1.4)
    assert "it may be magnesium" in card["detail"]


FRIENDS = """esomeprazole magnesium 40 mg cap|Nexium (esomeprazole as magnesium trihydrate)
|omeprazole magnesium DR 20 mg|naproxen magnesium|magnesium salicylate 600 mg tab|Magnevist 20 mL
|Magnesium phosphoricum D6 Globuli|Magnesia phosphorica C30|flucloxacilline magnesium
|Magnesium stearate|check magnesium in the morning|pitavastatin magnesium 2 mg
|Magnesium carbonicum 9 CH|magnetic resonance contrast|Hypomagnesemia education""".replace("\n", "")


@pytest.mark.parametrize("name", FRIENDS.split("|"))
def test_false_friends_stop_nothing(name: str) -> None:
    found = cards("patient-view", medications=order(concept(text=name)))
    assert infusions(found)
    assert "possible" not in text(found).lower()
    assert not identity(order(concept(text=name))).possible


# --- the codes and names of other countries (138) -------------------------------------------------

PARENTERAL = """Addex-Magnesium 1 mmol/ml|Cormagnesin 400|Magnesiumsulfat 50 %|magnesiumsulfaat
|sulfate de magnésium 15 %|SULFATE DE MAGNESIUM LAVOISIER|Sulfato de magnesio 150 mg/ml
|solfato di magnesio|siarczan magnezu|magnesiumsulfaatti|硫酸マグネシウム補正液|Mg 5-Sulfat Amp. 10%
|Магния сульфат 25 %|Magnesii sulfas|MAGNESIO SULFATO 25%""".replace("\n", "")


@pytest.mark.parametrize("name", PARENTERAL.split("|"))
def test_sulfate_of_other_countries_is_sulfate(name: str) -> None:
    found = cards("order-sign", draft(concept(text=name), grams(4, 15)), level=3.5)
    assert found[0]["indicator"] == "critical"
    assert "magnesium is high: remove this order" in found[0]["summary"]


@pytest.mark.parametrize(
    ("code", "mg_per_ml"),
    [
        ("0409-6729-24", 40), ("00409672924", 40), ("0409672924", 40), ("0409-6729", 40),
        ("0409-6730-13", 80), ("0409-6730-99", 80), ("63323-064-03", 500), ("0338-1715-40", None),
    ],
)  # fmt: skip
def test_an_ndc_in_any_of_its_forms(code: str, mg_per_ml: int | None) -> None:
    found = identity(order(coded(NDC, code)))
    drug = found.find("magnesium")
    assert drug is not None
    assert (drug.salt, drug.form, found.mg_per_ml) == ("sulfate", "parenteral", mg_per_ml)


def test_a_premix_known_by_its_ndc_is_dosed_in_millilitres() -> None:
    line = grams(1, 15) | {"doseAndRate": [{"doseQuantity": {"value": 100, "unit": "mL"}}]}
    (card,) = cards("order-sign", draft(coded(NDC, "0409-6729-23"), line))
    assert (card["indicator"], "267 mg/min" in card["detail"]) == ("critical", True)


@pytest.mark.parametrize(
    ("system", "code", "groups"),
    [
        ("http://fhir.de/CodeSystem/bfarm/atc", "C03CA01", "cause loop"),
        (ATC, "c03ca01", "cause loop"),
        (ATC, "A02BC99", "cause ppi"),  # of a class that is known
        (ATC, "C03DA01", ""),  # potassium-sparing
        (ATC, "C03AB01", "cause thiazide"),  # with potassium in the tablet: a diuretic
        (ATC, "A02BC08", ""),  # no proton pump inhibitor, in their class
        ("http://snomed.info/sct", "81609008", "cause loop"),
        ("https://dmd.nhs.uk", "36061411000001102", "cause loop"),
        ("http://fhir.de/CodeSystem/ask", "12538", "magnesium"),
        ("http://fhir.de/CodeSystem/ask", "03748-6", "magnesium"),
        (ATC, "N02BE01", ""),
    ],
)
def test_codes_of_other_countries(system: str, code: str, groups: str) -> None:
    found = identity(order(coded(system, code)))
    assert found.groups == set(groups.split())
    assert not found.unidentified


@pytest.mark.parametrize(
    ("system", "code"),
    [(ATC, "B05XX99"), (ATC, "x"), (NDC, "1-2"), (NDC, "12"), (NDC, "A409-6729-24"), (NDC, "")],
)
def test_a_code_that_may_hold_anything_identifies_nothing(system: str, code: str) -> None:
    assert identity(order(coded(system, code))).unidentified


# --- carriers (150) -------------------------------------------------------------------------------

CARRIERS = """TPN ADULT STANDARD|Nieuwe TPV|SmofKabiven NL 1500 ml +F,+E|parenterale Ernährung
|Plasma-Lyte A 1000 mL|Sterofundin ISO 1000 ml|Cardioplegia with magnesium sulfate 16 mmol
|TPN: magnesium sulfate 8 mEq, potassium chloride 40 mEq|ACCUSOL 35
|1/2 NS WITH KCL AND MAGNESIUM SULFATE (+MANNITOL) IV INFUSION|ELECTROLYTE-A IV SOLP
""".replace("\n", "")


@pytest.mark.parametrize("name", CARRIERS.split("|"))
def test_a_carrier_is_no_order_and_is_named_while_it_runs(name: str) -> None:
    running = order(concept(text=name), grams(1, 600))
    found = cards("patient-view", medications=running)
    assert infusions(found)
    assert "Contains magnesium" in text(found)
    high = cards("patient-view", medications=running, level=3.2)
    assert high[0]["indicator"] == "warning"
    assert not cards("patient-view", medications=running, level=2.8)
    # Drafted it is in nobody's way, and no replacement.
    (signed,) = cards("order-sign", draft(concept(text=name)))
    assert "not being treated" in signed["summary"]


@pytest.mark.parametrize("code", ["800985", "801109", "800925"])
def test_balanced_fluids_by_code(code: str) -> None:
    found = identity(order(coded(RXNORM, code)))
    assert found.carrier is not None
    assert not found.groups & {"magnesium", "potassium"}


def test_a_carrier_by_its_ingredients_stays_one() -> None:
    fluid = medication(
        {"itemCodeableConcept": {"text": "magnesium chloride"}},
        {"itemCodeableConcept": {"text": "potassium chloride"}},
        text="Plasma-Lyte 148",
    )
    found = identity(order(refers("Medication/m1")), {"m1": fluid})
    assert found.groups == {"magnesium-fluid", "potassium-fluid"}
    # The same fluid with magnesium sulfate given in it is an order of that.
    mixed = identity(order(concept(text="magnesium sulfate 4 g in Plasma-Lyte 250 mL")))
    assert mixed.find("magnesium") is not None
    assert mixed.carrier is None


def test_a_drafted_carrier_is_warned_of_above_3_and_without_a_kidney() -> None:
    kabiven = draft(concept(text="SmofKabiven 1500 ml +F,+E"), grams(1, 600))
    (card,) = cards("order-sign", kabiven, level=3.2)
    assert (card["indicator"], card.get("suggestions")) == ("warning", None)
    assert "contains magnesium" in card["summary"]
    assert not cards("order-sign", kabiven, level=2.9)
    dialysate = draft(concept(text="Prismasol BGK 4/2.5"), grams(1, 600))
    assert not cards("order-sign", dialysate, level=3.2)


@pytest.mark.parametrize(
    ("name", "warned"),
    [("TPN with magnesium sulfate 8 mEq", True), ("SmofKabiven 1500 ml +F,+E", False)],
)
def test_in_renal_failure_the_name_decides(name: str, warned: bool) -> None:
    creatinine: Json = {
        "resourceType": "Observation", "id": "k", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "98979-8"}]},
        "subject": {"reference": "Patient/p1"}, "effectiveDateTime": ago(3),
        "valueQuantity": {"value": 12, "unit": "mL/min/{1.73_m2}", "code": "mL/min/{1.73_m2}"},
    }  # fmt: skip
    found = cards("order-sign", draft(concept(text=name)), level=2.0, egfr=creatinine)
    assert ("contains magnesium" in text(found)) is warned


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("multivitamin with minerals tablet", "magnesium-fluid"),
        ("Calcium-Magnesium-Zinc 333-133-5 mg tab", "magnesium-fluid"),
        ("multivitamin with magnesium oxide 50 mg", "magnesium-fluid"),
        ("multivitamin-minerals, magnesium 100 mg", "magnesium-fluid"),
        ("prenatal vitamins with magnesium oxide 250 mg", "magnesium"),
        ("multivitamin tablet", ""),
    ],
)
def test_a_little_magnesium_among_vitamins(name: str, groups: str) -> None:
    assert identity(order(concept(text=name))).groups == set(groups.split())


# --- replacement protocols (111, 162) -------------------------------------------------------------

PROTOCOLS = """MAGNESIUM SULFATE IV SCALE |Magnesium Sulfate Replacement (Oncology)
|Electrolyte replacement protocol|Adult Electrolyte Protocol|IP ELECTROLYTE REPLACEMENT SCALES
|magnesium IV per protocol|Elektrolytsubstitution nach Schema|CRRT Magnesium Replacement Protocol
|Potassium, Magnesium, and Phosphate replacement per SICU protocol""".replace("\n", "")


@pytest.mark.parametrize("name", PROTOCOLS.split("|"))
def test_a_protocol_is_magnesium_as_needed_in_whatever_form_it_stands(name: str) -> None:
    bare = order(concept(text=name)) | {"dosageInstruction": []}
    service: Json = {
        "resourceType": "ServiceRequest", "id": "s1", "status": "active", "intent": "order",
        "subject": {"reference": "Patient/p1"}, "authoredOn": ago(5), "code": {"text": name},
    }  # fmt: skip
    for found in (
        cards("patient-view", medications=bare),
        cards("patient-view", laborders=service),
    ):
        (card,) = found
        assert card["indicator"] == "critical"
        assert "a PRN or protocol order is active: was it given?" in card["detail"]
        # Offered beside it, for it proves no dose; recommended only once somebody looked.
        assert infusions(found)
        assert not any(s.get("isRecommended") for s in card["suggestions"])
    ended = service | {"status": "completed"}
    assert infusions(cards("patient-view", laborders=ended))


NO_PROTOCOL = """Potassium Replacement Protocol|POTASSIUM CHLORIDE IV SCALE|REPLACEMENT FLUID
|Magnesium level per protocol|ELECTROLYTE PANEL|Insulin sliding scale|Hormone replacement therapy
|Electrolyte replacement drink|Phosphorus Replacement Protocol|Replete with Fiber (Full)
|magnesium sulfate 2 g IV replacement once""".replace("\n", "")


@pytest.mark.parametrize("name", NO_PROTOCOL.split("|"))
def test_no_protocol_of_magnesium(name: str) -> None:
    assert not identity(order(concept(text=name))).protocol_order


def test_the_shipped_names_stand_where_nobody_adds_any() -> None:
    assert SHIPPED.read("Magnesiumoxid 400 mg Tablette").drugs[0].strength == 400


def test_every_stop_of_a_card_has_its_place_on_the_page() -> None:
    """A stop that no page explains must not break the answer."""
    file = shipped("standard").file
    for cited in ("PRN", "do-not-perform", "unidentified", "unidentified-draft"):
        assert cited_anchor(file, cited) == f"unread-{cited}"
