"""cards.fhir: what a concept says and where a reference leads, however they are written."""

from __future__ import annotations

import msgspec
import pytest

from cards import codes
from cards.fhir import Code, Target, read_codes, read_reference, status_of, words_of
from cards.fhir.resource import CodeableConcept, Coding


def concept(text: str) -> CodeableConcept:
    return msgspec.json.decode(text, type=CodeableConcept)


@pytest.mark.parametrize(
    ("written", "system"),
    [
        ("http://loinc.org", codes.LOINC),
        ("https://www.loinc.org/", codes.LOINC),
        ("LOINC", codes.LOINC),
        ("2.16.840.1.113883.6.1", codes.LOINC),
        ("urn:oid:2.16.840.1.113883.6.96", codes.SNOMED),
        ("http://snomed.info/sct|http://snomed.info/sct/731000124108", codes.SNOMED),
        ("http://snomed.info/sct/900000000000207008", codes.SNOMED),
        ("SNOMED-CT", codes.SNOMED),
        ("ICD10", codes.ICD10),
        ("ICD-10-CM", codes.ICD10CM),
        ("https://hl7.org/fhir/sid/icd-10-cm", codes.ICD10CM),
        ("http://www.nlm.nih.gov/research/umls/rxnorm/", codes.RXNORM),
        ("RXNORM", codes.RXNORM),
        ("https://www.whocc.no/atc", codes.ATC),
        (" http://example.org/labs ", "http://example.org/labs"),
        ("LAB", "LAB"),
        ("", ""),
    ],
)
def test_a_system_however_it_is_spelt(written: str, system: str) -> None:
    assert codes.system_of(written) == system


def test_an_absurd_system_is_not_kept() -> None:
    long = "http://loinc.org/" + "x" * 100_000
    assert codes.system_of(long) == long


def test_every_coding_and_word_of_a_concept() -> None:
    found = concept(
        '{"text": " Mg ", "coding": [{"code": " q6hr "}, {"system": "LOINC", "code": "19123-9",'
        ' "display": "Magnesium"}, {"display": "Mg"}, {}]}'
    )
    assert read_codes(found) == (
        Code("", "q6hr"),
        Code(codes.LOINC, "19123-9", "Magnesium"),
        Code("", "", "Mg"),
    )
    assert words_of(found) == ("Mg", "Magnesium")
    assert read_codes(None) == words_of(None) == ()


def test_one_coding_a_list_of_concepts_or_a_string() -> None:
    assert read_codes(Coding("LOINC", "x")) == (Code(codes.LOINC, "x"),)
    assert read_codes(concept('{"coding": {"code": "a"}}')) == (Code("", "a"),)
    two = [concept('{"coding": [{"code": "a"}]}'), concept('{"coding": [{"code": "b"}]}')]
    assert [code.code for code in read_codes(two)] == ["a", "b"]
    assert read_codes([" ", "c"]) == (Code("", "c"),)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ('{"coding": [{"system": "urn:local", "code": "OPEN"}, {"system": "http://s",'
         ' "code": "Resolved"}]}', "resolved"),
        ('{"coding": [{"system": "urn:local", "code": "OPEN"}, {"code": "active"}]}', "active"),
        ('{"coding": [{"system": "urn:local", "code": "OPEN"}]}', "open"),
        ('{"text": "Active"}', None),
    ],
)  # fmt: skip
def test_of_a_status_the_coding_of_the_bound_system_counts(written: str, code: str | None) -> None:
    assert status_of(concept(written), "http://s") == code


def test_a_status_as_a_string_or_none() -> None:
    assert status_of(" Active ") == "active"
    assert status_of(" ") is status_of(None) is None


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("Medication/m1", Target("Medication/m1", "Medication", "m1")),
        (
            "https://ehr.example/fhir/Medication/m1/_history/3",
            Target("https://ehr.example/fhir/Medication/m1", "Medication", "m1"),
        ),
        ("#m1", Target("#m1", inside="m1")),
        ("urn:uuid:9B-1", Target("urn:uuid:9b-1")),
        ("m1", Target("m1")),
        ("#", None),
        (" ", None),
        (None, None),
        ("Medication/" + "x" * 300, None),
    ],
)
def test_where_a_reference_leads(written: str | None, target: Target | None) -> None:
    found = read_reference(written)
    assert found == target
    if found is not None:
        assert found.key == ((found.type, found.id) if found.id else None)
