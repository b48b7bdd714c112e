"""cards.units.quantity: numbers, units and the few conversions that are certain."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from cards.fhir.resource import RawQuantity
from cards.units.quantity import (
    MG_DL_PER_MEQ_L,
    MG_DL_PER_MMOL_L,
    Quantity,
    SaltMass,
    dose_mg,
    has_value,
    lab_value,
    least_minutes,
    magnesium_mg_dl,
    magnesium_unit,
    minutes,
    places,
    plain,
    quantise,
    read_number,
    stated_units,
)
from tests.contract.shapes import UCUM


def quantity(value: str = "1", **more: str) -> RawQuantity:
    return RawQuantity(value=msgspec.Raw(value.encode()), **more)


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.20", "1.20"), ("-3", "-3"), ("0", "0"), ("1e-3", "0.001"), ("1E+12", "1E+12")],
)
def test_a_number_keeps_its_own_text(text: str, number: str) -> None:
    found = read_number(msgspec.Raw(text.encode()))
    assert found is not None
    assert str(found) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        '"1.2"',
        '"NaN"',
        "true",
        "[1]",
        "{}",
        "1e13",
        "1e-13",
        "1e999999",
        "1e-99999999999999999999",
    ],
)
def test_no_number_of_what_is_none_or_absurd(text: str) -> None:
    assert read_number(msgspec.Raw(text.encode())) is None


def test_there_is_a_value_even_if_it_cannot_be_read() -> None:
    assert has_value(msgspec.Raw(b'"x"'))
    assert not has_value(msgspec.Raw(b"null"))
    assert not has_value(msgspec.Raw(b""))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_a_quantity_is_finite(value: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        Quantity(Decimal(value), "mg/dL")


def test_a_quantity_shows_its_comparator() -> None:
    assert str(Quantity(Decimal("0.50"), "mg/dL", "<")) == "<0.5 mg/dL"
    assert str(Quantity(Decimal(3), "")) == "3"


def test_half_up_then_compare() -> None:
    assert quantise(Decimal("1.205"), Decimal("0.01")) == Decimal("1.21")
    assert quantise(Decimal("1.2049"), Decimal("0.01")) == Decimal("1.20")
    assert quantise(Decimal("1.2049"), Decimal(0)) == Decimal("1.2049")


def test_a_number_as_people_write_it() -> None:
    assert plain(Decimal("1E+2")) == "100"
    assert plain(Decimal("1.50")) == "1.5"
    assert plain(Decimal("10")) == "10"
    assert places(Decimal("8.115"), 2) == "8.12"
    assert places(Decimal("8.04"), 1) == "8"


# --- the arithmetic of the protocol -------------------------------------------------------------


def test_twelve_millimoles_of_oxide_are_not_480_mg_elemental() -> None:
    """S1-02: 12 mmol = 291.7 mg elemental = 483.6 mg magnesium oxide."""
    oxide = SaltMass(Decimal("483.648"), "oxide")
    assert oxide.mmol == 12
    assert oxide.elemental.mg == Decimal("291.660")
    assert places(SaltMass(Decimal(400), "oxide").mmol, 2) == "9.92"
    assert places(SaltMass(Decimal(500), "oxide").elemental.mg, 1) == "301.5"


def test_a_gram_of_sulfate() -> None:
    gram = SaltMass(Decimal(1000), "sulfate")
    assert places(gram.mmol, 2) == "4.06"
    assert places(gram.meq, 2) == "8.11"
    assert places(gram.elemental.mg, 1) == "98.6"


@pytest.mark.parametrize("salt", ["glycinate", "elemental", ""])
def test_the_content_of_another_salt_is_not_guessed(salt: str) -> None:
    with pytest.raises(ValueError, match="not known"):
        SaltMass(Decimal(1), salt)


def test_one_result_in_four_units() -> None:
    assert magnesium_mg_dl(Decimal("0.5"), "mmol/L") == Decimal("0.5") * MG_DL_PER_MMOL_L
    assert magnesium_mg_dl(Decimal(1), "meq/L") == MG_DL_PER_MEQ_L
    assert magnesium_mg_dl(Decimal("0.494"), "mmol/L") == Decimal("1.2006670")
    assert magnesium_mg_dl(Decimal(12), "mg/L") == Decimal("1.2")
    assert MG_DL_PER_MMOL_L == 2 * MG_DL_PER_MEQ_L


@pytest.mark.parametrize(
    ("spelling", "unit"),
    [
        ("mg/dL", "mg/dL"),
        ("MG/DL", "mg/dL"),
        ("Mg/dL", "mg/dL"),  # UCUM "mega": milli here (ruling 19)
        ("mg%", "mg/dL"),
        ("mg/100 mL", "mg/dL"),
        ("Mmol/L", "mmol/L"),
        ("mM", "mmol/L"),
        ("Meq/L", "meq/L"),
        ("ug/mL", "mg/L"),
        ("µg/mL", "mg/L"),
        ("g/dL", None),
        ("mol/L", None),
        ("", None),
    ],
)
def test_spellings_of_magnesium_units(spelling: str, unit: str | None) -> None:
    assert magnesium_unit(spelling) == unit


def test_a_code_counts_under_ucum_and_where_no_unit_is_stated() -> None:
    assert stated_units(quantity(code="mg/dL", system=UCUM, unit=" mg ")) == ("mg/dL", "mg")
    assert stated_units(quantity(code="mg/dL", unit="mmol/L")) == ("mmol/L",)
    assert stated_units(quantity(code="x", system="urn:other", unit=" ")) == ("x",)
    assert stated_units(quantity(code=" ", unit=" ")) == ()


@pytest.mark.parametrize(
    ("concept", "value", "unit", "shown"),
    [
        ("potassium", "4.2", "mEq/L", "4.2 mmol/L"),
        ("calcium", "2.0", "mmol/L", "8.016 mg/dL"),
        ("calcium-ionized", "2", "meq/L", "1 mmol/L"),
        ("albumin", "40", "g/L", "4 g/dL"),
        ("creatinine", "88.4", "umol/L", "1 mg/dL"),
        ("weight", "154", "lb", "69.85322498 kg"),
        ("weight", "70000", "g", "70 kg"),
        ("qtc", "0.48", "s", "480 ms"),
        ("platelets", "50000", "/uL", "50 10*9/L"),
        ("egfr", "59.9", "mL/min/1.73m2", "59.9 mL/min"),
        ("urine-creatinine", "1", "g/L", "100 mg/dL"),
        ("calcium-corrected", "8.5", "mg/dL", "8.5 mg/dL"),
    ],
)
def test_a_lab_in_the_unit_the_rules_speak(concept: str, value: str, unit: str, shown: str) -> None:
    found = lab_value(concept, quantity(value, unit=unit))
    assert found is not None
    assert f"{plain(found.value.quantize(Decimal('1e-8')))} {found.unit}" == shown


def test_a_lab_without_number_or_unit_is_none() -> None:
    assert lab_value("potassium", quantity('"4"', unit="mmol/L")) is None
    assert lab_value("potassium", quantity("4")) is None
    assert lab_value("potassium", quantity("4", unit="mg/dL")) is None
    blank = lab_value("potassium", quantity("4", unit="mmol/L", comparator=" "))
    assert blank is not None
    assert blank.comparator is None
    bound = lab_value("potassium", quantity("3", unit="mmol/L", comparator=" < "))
    assert bound is not None
    assert bound.comparator == "<"


@pytest.mark.parametrize(
    ("value", "unit", "found"),
    [("2", "h", "120"), ("90", "s", "1.5"), ("1", "D", "1440"), ("2", "wk", "20160")],
)
def test_durations_in_minutes(value: str, unit: str, found: str) -> None:
    assert places(minutes(Decimal(value), unit) or Decimal(-1), 4) == found


def test_no_duration_without_number_or_unit() -> None:
    assert minutes(None, "h") is None
    assert minutes(Decimal(1), None) is None
    assert minutes(Decimal(1), "fortnight") is None


@pytest.mark.parametrize(
    ("value", "unit", "salt", "mg"),
    [
        ("2", "g", "sulfate", "2000"),
        ("2", "Gm", "sulfate", "2000"),  # a gigametre in UCUM, grams here
        ("500", "mg", "oxide", "500"),
        ("8.11", "mEq", "sulfate", "1000"),
        ("4.06", "mmol", "sulfate", "1000"),
    ],
)
def test_a_dose_in_milligrams_of_salt(value: str, unit: str, salt: str, mg: str) -> None:
    assert places(dose_mg(Decimal(value), unit, salt) or Decimal(-1), 6) == mg


def test_equivalents_of_other_salts_and_volumes_are_not_read() -> None:
    assert dose_mg(Decimal(10), "mEq", "oxide") is None
    assert dose_mg(Decimal(10), "mmol", None) is None
    assert dose_mg(Decimal(10), "mL", "sulfate") is None
    assert dose_mg(Decimal(1), "{pill}", "oxide") is None


def test_the_shortest_infusion_is_rounded_up() -> None:
    assert least_minutes(Decimal(2000), Decimal(150)) == 14  # 13.33: S3-05
    assert least_minutes(Decimal(3000), Decimal(150)) == 20
