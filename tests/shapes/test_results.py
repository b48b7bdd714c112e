"""Results as laboratories send them: codes, ranges, units, numbers sent as text."""

from __future__ import annotations

import pytest

from tests.shapes import LOINC, SEVERE, Card, Json, answer_to, resources

LOCAL = "urn:oid:1.2.3.4"
UNREAD = ("info", "no drug")


def with_code(code: object, inputs: str = "Mg 1.1 mg/dL") -> Card:
    return answer_to(inputs, lambda request: resources(request, "magnesium")[0].update(code=code))


def coding(*rows: tuple[str, str, str]) -> Json:
    keys = ("system", "code", "display")
    return {"coding": [dict(zip(keys, row, strict=True)) for row in rows]}


@pytest.mark.parametrize(
    "code",
    [
        coding((LOCAL, "MG", "Magnesium"), (LOINC, "19123-9", "")),
        coding((LOCAL, "1", ""), (LOCAL, "2", ""), ("LOINC", "19123-9", "Mg")),
        coding(("urn:oid:2.16.840.1.113883.6.1", "19123-9", "")),
        coding(("", "19123-9", "Magnesium [Mass/volume] in Serum or Plasma")),
        {"coding": [{"code": "19123-9", "display": "magnesium [mass/volume] in serum or plasma"}]},
        {"coding": {"code": "19123-9", "display": "Magnesium"}},
        coding((LOCAL, "X", ""), ("", "35249-2", "Magnesium [Mass or Moles/volume]")),
        coding(("https://loinc.org/", " 19123-9 ", "")),
    ],
)
def test_a_magnesium_wherever_its_code_stands(code: object) -> None:
    assert with_code(code).frame == SEVERE


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (coding((LOCAL, "MG-S", "")), "MG-S of urn:oid:1.2.3.4"),
        (coding((LOCAL, "LAB103", "")), "LAB103"),
        (coding((LOCAL, "LAB103", "Magnesium, serum")), "LAB103"),
        (coding(("", "19123-9", "")), "19123-9, no system"),
        (coding(("", "19123-9", "Sodium")), "19123-9, no system"),
        ({"text": "S-Magnesium"}, "S-Magnesium"),
        ({"text": "Magnesio sérico"}, "Magnesio"),
        ({"text": "Mg (Serum)"}, "Mg (Serum)"),
        ({"coding": [{"display": "Magnésium plasmatique"}]}, "Magnésium"),
        (coding((LOCAL, "MAG", "")), "MAG"),
    ],
)
def test_a_magnesium_of_an_unknown_code_is_a_gap_with_its_code(code: object, said: str) -> None:
    found = with_code(code)
    assert found.frame in (UNREAD, ("info", "no drug"))
    assert "could not be read" in found.words
    assert said[:20] in found.words


@pytest.mark.parametrize(
    "code",
    [
        coding((LOINC, "2951-2", "Sodium [Moles/volume] in Serum or Plasma")),
        coding((LOCAL, "NA", "Sodium")),
        {"text": "Magnesium, 24 h urine"},
        {"text": "Magnesium, ionized"},
        {"text": "Magnesium RBC"},
        {"text": "MRI: magnetic resonance of the knee"},
        {"text": "MG antibodies"},
        coding((LOINC, "2600-5", "Magnesium.ionized [Moles/volume] in Serum")),
    ],
)
def test_another_test_is_not_taken_for_a_magnesium(code: object) -> None:
    assert with_code(code).frame == ("no card", "no drug")


def test_a_server_that_answers_with_everything_makes_no_gap() -> None:
    """Results of local codes beside tests that are plainly others: the query was not heeded."""

    def rewrite(request: Json) -> None:
        entries = request["prefetch"]["magnesium"]["entry"]
        for number, code in enumerate(
            [coding((LOCAL, "K1", "")), coding((LOINC, "2951-2", "Sodium")), {"text": "Glucose"}]
        ):
            result = {**entries[0]["resource"], "id": f"other-{number}", "code": code}
            entries.append({"resource": result})

    assert answer_to("Mg 1.1 mg/dL", rewrite).frame == SEVERE


def test_an_unknown_code_beside_a_known_one_matters_when_it_is_newer() -> None:
    def beside(when: str) -> Card:
        def rewrite(request: Json) -> None:
            entries = request["prefetch"]["magnesium"]["entry"]
            other = {**entries[0]["resource"], "id": "x", "code": {"text": "Magnesium"}}
            entries.append({"resource": {**other, "effectiveDateTime": when}})

        return answer_to("Mg 1.1 mg/dL", rewrite)

    assert beside("2026-03-14T11:00:00Z").frame == UNREAD
    assert beside("2026-03-13T11:00:00Z").frame == SEVERE
    assert beside("2026-03-14").frame == UNREAD  # any time of the day


def test_a_magnesium_that_is_named_counts_under_any_key() -> None:
    def rewrite(request: Json) -> None:
        found = request["prefetch"]["magnesium"]["entry"].pop()
        found["resource"]["code"] = {"text": "Magnesium"}
        request["prefetch"]["labs"] = {"resourceType": "Bundle", "entry": [found]}

    assert "could not be read" in answer_to("Mg 1.1 mg/dL", rewrite).words


def test_codes_of_mass_and_of_moles_together_fix_no_unit() -> None:
    both = coding((LOINC, "2601-3", ""), (LOINC, "19123-9", ""))
    assert with_code(both).frame == SEVERE
    assert with_code(coding((LOINC, "2601-3", ""))).indicator == "warning"


def with_result(inputs: str = "Mg 1.1 mg/dL", key: str = "magnesium", **elements: object) -> Card:
    return answer_to(inputs, lambda request: resources(request, key)[0].update(elements))


def mg_dl(low: float | None, high: float | None, **rest: object) -> Json:
    limits = {"low": low, "high": high}
    found: Json = {k: {"value": v, "unit": "mg/dL"} for k, v in limits.items() if v is not None}
    return found | rest


CRITICAL = {"coding": [{"code": "critical"}]}


@pytest.mark.parametrize(
    "ranges",
    [
        [{"text": "1.6-2.6 mg/dL"}],
        [{"text": "0.66-1.07 mmol/L"}],  # neither corroborates nor conflicts
        [{"text": "see report"}, mg_dl(1.6, 2.6)],
        [mg_dl(1.0, 8.0, type=CRITICAL), mg_dl(1.6, 2.6)],
        [
            mg_dl(1.0, 8.0, type={"text": "Critical"}),
            mg_dl(1.6, 2.6, type={"text": "Normal Range"}),
        ],
        [mg_dl(1.0, 8.0, type={"text": "Panic"})],
        [mg_dl(1.0, 8.0, text="critical values")],
        [mg_dl(4.0, 8.4, type={"text": "therapeutic (eclampsia)"}), mg_dl(1.6, 2.6)],
        [mg_dl(0.8, 9.0, type={"coding": [{"system": LOCAL, "code": "CRIT"}]}), mg_dl(1.6, 2.6)],
        {"text": "1.6-2.6"},
    ],
)
def test_a_range_that_is_none_says_nothing(ranges: object) -> None:
    assert with_result(referenceRange=ranges).frame == SEVERE


@pytest.mark.parametrize(
    "type_",
    [
        {"text": "Normal Range"},
        {"text": "Reference range"},
        {"text": "normal"},
        {"text": "Referenzbereich"},
        {"coding": [{"system": "http://x.example", "code": "N"}, {"code": "normal"}]},
        {},
    ],
)
def test_a_range_of_a_typed_type_counts(type_: Json) -> None:
    found = with_result("Mg 1.6 mg/dL", referenceRange=[mg_dl(1.5, 2.6, type=type_)])
    assert found.frame == ("no card", "no drug")  # borderline
    found = with_result(referenceRange=[mg_dl(4.0, 8.0, type=type_)])
    assert found.indicator == "warning"  # a conflict


@pytest.mark.parametrize(
    ("quantity", "frame"),
    [
        ({"code": "mg/dL"}, SEVERE),
        ({"system": LOCAL, "code": "mg/dL"}, SEVERE),
        ({"system": LOCAL, "code": "MGDL"}, ("info", "no drug")),
        ({"system": "https://unitsofmeasure.org/", "code": "mg/dL"}, SEVERE),
        ({"unit": "mg/dL", "system": LOCAL, "code": "77"}, SEVERE),
        ({"unit": "  ", "code": "mg/dL"}, SEVERE),
        ({"unit": "", "system": LOCAL, "code": "mg/dl"}, SEVERE),
    ],
)
def test_without_a_unit_the_code_stands_in(quantity: Json, frame: tuple[str, str]) -> None:
    found = with_result(valueQuantity={"value": 1.1, **quantity})
    assert found.starred == ([frame[1]] if frame == SEVERE else [])


def test_the_unit_of_another_laboratory_by_its_code_alone() -> None:
    found = with_result(
        "Mg 1.1 mg/dL | k 3.9", "potassium", valueQuantity={"value": 2.8, "code": "mmol/L"}
    )
    assert "Potassium 2.8" in found.words


EGFR = "Mg 1.1 mg/dL | creat None | egfr 90"


@pytest.mark.parametrize(
    ("text", "class_"),
    [
        (">60 mL/min/1.73m2", "R0"),
        ("> 90 mL/min/1.73 m²", "R0"),
        (">60mL/min", "R0"),
        ("<15 mL/min/1.73m2", "R3"),
        (">=60  ml/min/1.73_m2", "R0"),
        (">59 mL/min/1,73m²", "R1"),
        (">60 mL/s", "RU"),
        (">60 per cent", "RU"),
        ("60-89 mL/min", "RU"),
        ("normal", "RU"),
    ],
)
def test_an_egfr_as_a_string_may_carry_its_unit(text: str, class_: str) -> None:
    def rewrite(request: Json) -> None:
        result = resources(request, "egfr")[0]
        del result["valueQuantity"]
        result["valueString"] = text

    found = answer_to(EGFR, rewrite)
    assert f"Kidney {class_}" in found.words
    assert ("cannot be read" in found.words or "is a text" in found.words) is (
        class_ == "RU" and text != "normal"
    )


def newer_creatinine(element: Json, inputs: str = "Mg 1.1 mg/dL") -> Card:
    """A creatinine of 1 h ago beside those of 4 h ago."""

    def rewrite(request: Json) -> None:
        entries = request["prefetch"]["creatinine"]["entry"]
        code = {"coding": [{"system": LOINC, "code": "2160-0"}]}
        subject = {"reference": "Patient/p1"}
        newer = {
            "resourceType": "Observation",
            "id": "newer",
            "status": "final",
            "code": code,
            "subject": subject,
            "effectiveDateTime": "2026-03-14T11:00:00Z",
        }
        entries.append({"resource": newer | element})

    return answer_to(inputs, rewrite)


@pytest.mark.parametrize(
    "element",
    [
        {"valueString": "4.0"},
        {"valueString": "4,0 mg/dL (haemolytic)"},
        {"valueQuantity": {"value": "4.0", "unit": "mg/dL"}},
        {"valueQuantity": {"value": 400, "unit": "mcmol per litre"}},
        {"valueQuantity": {"value": 4.0}},
        {"valueQuantity": {"value": 88, "unit": "mg/dL"}},
        {"valueString": ">3.5"},
    ],
)
def test_a_newer_creatinine_that_cannot_be_read_leaves_the_kidney_unknown(element: Json) -> None:
    found = newer_creatinine(element)
    assert found.frame == ("critical", "no drug")
    assert "Kidney RU" in found.words
    assert "a creatinine" in found.words
    assert "none recent on file" not in found.words


@pytest.mark.parametrize(
    "element",
    [
        {"valueString": "test not performed"},
        {"valueString": "haemolysed, please repeat"},
        {"valueQuantity": {"value": "4.0", "unit": "mg/dL"}, "status": "preliminary"},
        {"valueQuantity": {"value": 4.0, "unit": "x"}, "status": "entered-in-error"},
        {"dataAbsentReason": {"text": "not asked"}},
        {"valueString": "4.0", "effectiveDateTime": "2026-03-14T07:00:00Z"},
    ],
)
def test_a_text_without_a_number_or_an_older_one_does_not(element: Json) -> None:
    assert newer_creatinine(element).frame == SEVERE


def test_an_egfr_as_new_is_enough_and_a_failing_kidney_stays_failing() -> None:
    inputs = "Mg 1.1 mg/dL | egfr 90, collected 1 h 30 min ago"
    found = newer_creatinine({"valueString": "4.0"}, inputs)
    assert found.frame == SEVERE
    assert "a creatinine is a text" in found.words
    found = newer_creatinine({"valueString": "0.8"}, "Mg 1.1 mg/dL | egfr 25 | creat 2.5")
    assert "Kidney R2" in found.words
    assert found.starred == ["iv1/20"]
    assert "a creatinine is a text" in found.words


def test_a_creatinine_alone_of_which_the_unit_is_unknown_is_not_none_on_file() -> None:
    inputs = "Mg 1.1 mg/dL | egfr None | creat 400 mcmol/L"
    found = answer_to(inputs, lambda request: None)
    assert found.frame == ("critical", "no drug")
    assert "unit that cannot be read" in found.words
    found = answer_to("Mg 1.1 mg/dL | creat None | egfr 1.2 mL/s", lambda request: None)
    assert "an eGFR is in a unit that cannot be read" in found.words


@pytest.mark.parametrize(
    "element",
    [
        {"valueString": "2.4"},
        {"valueQuantity": {"value": "2.4", "unit": "mmol/L"}},
        {"valueQuantity": {"value": 2.4, "unit": "mval"}},
    ],
)
def test_a_potassium_that_cannot_be_read_is_named_and_no_older_one_stands_in(element: Json) -> None:
    def rewrite(request: Json) -> None:
        entries = request["prefetch"]["potassium"]["entry"]
        newer = {
            **entries[0]["resource"],
            "id": "newer",
            "effectiveDateTime": "2026-03-14T11:30:00Z",
        }
        newer.pop("valueQuantity")
        entries.append({"resource": {**newer, **element}})

    found = answer_to("Mg 1.6 mg/dL | k 2.8", rewrite)
    assert found.frame == ("info", "po500x1")  # 2.8 would be a risk
    assert "Not read: potassium" in found.words


def test_an_answer_as_a_concept_is_named() -> None:
    def answered(value: Json) -> str:
        def rewrite(request: Json) -> None:
            entries = request["prefetch"]["magnesium"]["entry"]
            newer = {
                **entries[0]["resource"],
                "id": "x",
                "effectiveDateTime": "2026-03-14T11:30:00Z",
            }
            newer.pop("valueQuantity")
            entries.append({"resource": {**newer, "valueCodeableConcept": value}})

        return answer_to("Mg 1.9 mg/dL", rewrite).words

    assert "LT 0.5" in answered({"text": "LT 0.5"})
    displayed = [{"system": LOCAL, "code": "L"}, {"display": "below range"}]
    assert "below range" in answered({"coding": displayed})
    assert '"LL"' in answered({"coding": [{"system": LOCAL, "code": "LL"}]})
