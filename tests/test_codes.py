"""cards.codes: what each code, name and route means. The traps are the point of these tables."""

import ast
import csv
import re
import time
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from cards import codes
from cards.codes import ICD10, ICD10CM, LOINC, RXNORM, SNOMED, drugs, named, tables
from cards.codes.named import SHIPPED_NAMES, Names, read_text

ROOT = Path(codes.__file__).parents[2]


def _drugs_in(text: str) -> tuple[codes.Drug, ...]:
    return read_text(text).drugs


# --- types --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "good"),
    [
        (codes.Loinc, "19123-9 2601-3 35249-2 108834-3 98979-8 LA15173-0"),
        (codes.Snomed, "31722008 251159007 440791000124100 292991000119106"),
        (codes.RxNorm, "6585 1658221"),
        (codes.Icd10cm, "I47.21 I21 I46* O* K90.8* J45.902 T82.110A F10.20"),
        (codes.Icd10pcs, "5A1D90Z"),
        (codes.Cpt, "90935"),
    ],
)
def test_a_well_formed_code_is_itself(kind: type[str], good: str) -> None:
    for code in good.split():
        assert kind(code) == code


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        (codes.Loinc, "19123-8|21601-3|19123|19123-99|LA15173|"),
        # 44054007 was seen as atrial fibrillation; 31720008 is a slip of 31722008.
        (codes.Snomed, "44054007|31720008|31722080|31722|0172200800|1.7461E+13|31722008 "),
        (codes.RxNorm, "0|06585|6585a|123456789|"),
        (codes.Icd10cm, "i47.21|I4721|47.21|I47.|I47.21345|I4*|*|I47.2345*"),
        (codes.Icd10pcs, "5A1D90|5A1D9OZ"),
        (codes.Cpt, "9093|J3475"),
    ],
)
def test_a_mistyped_code_is_refused(kind: type[str], bad: str) -> None:
    for code in bad.split("|"):
        with pytest.raises(ValueError, match="is not a"):
            kind(code)


def test_every_single_slip_in_a_code_with_a_check_digit_is_found() -> None:
    for kind, code in ((codes.Loinc, "19123-9"), (codes.Snomed, "251159007")):
        for place, old in enumerate(code):
            for new in "0123456789":
                if old.isdigit() and new != old:
                    with pytest.raises(ValueError, match="is not a"):
                        kind(code[:place] + new + code[place + 1 :])


def test_the_base_type_checks_nothing_by_itself() -> None:
    from cards.codes.systems import _Code

    with pytest.raises(NotImplementedError):
        _Code("1")


@pytest.mark.parametrize(
    ("uri", "system"),
    [
        (" http://snomed.info/sct", SNOMED),
        ("urn:oid:2.16.840.1.113883.6.88", RXNORM),
        ("urn:local", "urn:local"),
    ],
)
def test_system_of(uri: str, system: str) -> None:
    assert codes.system_of(uri) == system


def test_is_loinc() -> None:
    assert codes.is_loinc(" http://loinc.org ")
    assert codes.is_loinc("urn:oid:2.16.840.1.113883.6.1")
    assert not codes.is_loinc(SNOMED)


# --- the tables ---------------------------------------------------------------------------------

CHECKS = {
    codes.LOINC: codes.Loinc,
    codes.SNOMED: codes.Snomed,
    codes.ICD10CM: codes.Icd10cm,
    codes.RXNORM: codes.RxNorm,
    codes.ICD10PCS: codes.Icd10pcs,
    codes.CPT: codes.Cpt,
    codes.SPECIMEN_TYPE: codes.V2Specimen,
}


def test_every_code_passes_its_check_and_has_a_display_and_a_source() -> None:
    sets = codes.code_sets()
    assert len(sets) > 80
    assert sum(len(found.codes) for found in sets) > 300
    for found in sets:
        assert found.codes or found.prefixes, found.name
        for code, entry in found.codes.items():
            assert CHECKS[found.system](code) == code
            assert entry.display
            assert codes.SOURCES[entry.source]
            assert codes.display(found.system, code)
        for prefix, entry in found.prefixes.items():
            assert codes.Icd10cm(prefix + "*")
            assert entry.display


def test_every_source_is_used() -> None:
    used = {entry.source for found in codes.code_sets() for entry in found.codes.values()}
    used |= {row[3] for row in tables.TABLES["drug"].values()}
    assert used | {"icd10cm", "canvas"} == set(codes.SOURCES)


def test_a_laboratory_code_or_a_route_means_one_thing() -> None:
    for section in ("lab.", "route."):
        listed = [
            code for found in codes.code_sets() if found.name.startswith(section)
            for code in found.codes
        ]  # fmt: skip
        assert len(listed) == len(set(listed))


@pytest.mark.parametrize(
    "row", [["", "mii"], ["Magnesium", "nobody"], ["Magnesium", "mii", "volume"]]
)
def test_an_entry_without_display_source_or_sense_is_refused(row: list[str]) -> None:
    with pytest.raises(ValueError):
        codes.Entry(*row)  # type: ignore[arg-type]


def test_code_set() -> None:
    found = codes.code_set("condition.arrest.icd10cm")
    assert (found.system, list(found.prefixes), dict(found.codes)) == (ICD10CM, ["I46"], {})
    assert codes.code_set("lab.magnesium").codes["2601-3"].property == "molar"
    with pytest.raises(KeyError):
        codes.code_set("condition.none")


# --- laboratory ---------------------------------------------------------------------------------

LAB = {
    "magnesium": "19123-9 2601-3 35249-2 108834-3",
    "magnesium-whole-blood": "21377-7 2593-2 109594-2",
    "potassium": "2823-3 77142-8 6298-4",
    "calcium": "17861-6 2000-8 49765-1",
    "calcium-corrected": "29265-6 46099-8",
    "calcium-ionized": "1995-0 1994-3",
    "albumin": "1751-7 54347-0",
    "creatinine": "2160-0 14682-9 77140-2 38483-4 59826-8 21232-4",
    "egfr": "98979-8 98980-6 94677-2 62238-1",
    "weight": "29463-7 3141-9 8350-1 8351-9",
    "qtc": "76634-5 76635-2 8636-3",
    "qt-uncorrected": "8634-8",
    "qrs-duration": "8633-0",
    "platelets": "777-3 26515-7",
    "urine-magnesium": "2598-1 19124-7",
    "urine-creatinine": "2161-8",
    "pregnancy-status": "82810-3",
}
NO_LAB = {
    "red cells": "2597-3 26746-8 2824-1",
    "ionized magnesium": "2600-5 73572-0",
    "post-dialysis, albumin-corrected, deprecated (ruling 23)": "55937-7 65362-6 11554-3",
    "urine potassium": "2828-2",
    "24 h urine": "24447-5 2599-9",
    "measured and Cockcroft-Gault clearance": "2164-2 12195-4 35591-7 35592-5",
    "ideal, stated, usual and dialysis weight (rulings 12, 86)": "50064-5 3142-7 75292-3 8347-7",
    "panel without magnesium": "24321-2",
    "rubbish": "19123 magnesium 19123-8",
}


@pytest.mark.parametrize(("concept", "listed"), LAB.items())
def test_lab_concept(concept: str, listed: str) -> None:
    for code in listed.split():
        assert codes.lab_concept(f" {code}") == concept
    assert codes.lab_codes(concept)[: len(listed.split())] == tuple(listed.split())


@pytest.mark.parametrize(("why", "listed"), NO_LAB.items())
def test_no_lab_concept(why: str, listed: str) -> None:
    for code in listed.split():
        assert codes.lab_concept(code) is None, why
        assert codes.lab_property(code) is None, why


def test_the_table_of_laboratory_concepts_is_whole() -> None:
    assert list(tables.TABLES["lab"]) == list(LAB)
    exact = ("magnesium", "magnesium-whole-blood", "creatinine", "weight", "qtc", "platelets")
    for concept in exact:
        assert codes.lab_codes(concept) == tuple(LAB[concept].split())


@pytest.mark.parametrize(
    ("code", "expected"),
    [("19123-9", "mass"), ("2601-3", "molar"), ("35249-2", None), ("108834-3", None),
     ("2160-0", "mass"), ("14682-9", "molar"), ("98979-8", None), ("42569-4", None)],
)  # fmt: skip
def test_lab_property(code: str, expected: str | None) -> None:
    assert codes.lab_property(code) == expected


# --- conditions ---------------------------------------------------------------------------------

SCT, CM, WHO = SNOMED, ICD10CM, ICD10
CONDITIONS = [
    (SCT, "410429000", "arrest"),
    (CM, "I46.9", "arrest"),
    (WHO, "I469", "arrest"),
    (CM, "I46", "arrest"),
    (SCT, "405806007", "arrest"),  # pulseless ventricular tachycardia
    (SCT, "71908006", "vf"),
    (CM, "I49.01", "vf"),
    (SCT, "31722008", "torsades"),
    (SCT, "251159007", "torsades"),  # polymorphic VT (ruling 24)
    (CM, "I47.21", "torsades"),
    (SCT, "25569003", "vt"),
    (CM, "I47.2", "vt"),  # before October 2022, torsades had no code of its own
    (WHO, "I47.2", "vt"),
    (CM, "I47.29", "vt"),
    (SCT, "91175000", "seizure"),
    (SCT, "230456007", "seizure"),
    (CM, "R56.9", "seizure"),
    (CM, "g40.901 ", "seizure"),
    (SCT, "10629009", "tetany"),
    (CM, "R29.0", "carpopedal-spasm tetany"),
    (CM, "J38.5", "laryngeal-spasm"),
    (SCT, "27885002", "av-block-high"),
    (SCT, "28189009", "av-block-high"),
    (SCT, "195042002", "av-block-high"),  # type not stated (ruling 16)
    (CM, "I44.1", "av-block-high"),
    (CM, "I442", "av-block-high"),
    (SCT, "441509002", "pacemaker"),
    (CM, "Z95.0", "pacemaker"),
    (CM, "I21.A1", "acute-coronary-syndrome myocardial-damage"),
    (WHO, "I21.0", "acute-coronary-syndrome myocardial-damage"),
    (CM, "I20.0", "acute-coronary-syndrome myocardial-damage"),
    (SCT, "57054005", "acute-coronary-syndrome myocardial-damage"),
    (SCT, "394659003", "acute-coronary-syndrome"),
    (SCT, "91637004", "myasthenia"),
    (CM, "G70.01", "myasthenia"),
    (SCT, "56989000", "lambert-eaton"),
    (CM, "G73.1", "lambert-eaton"),
    (SCT, "77386006", "pregnancy"),
    (LOINC, "LA15173-0", "pregnancy"),
    (CM, "O26.90", "pregnancy"),
    (CM, "Z34.90", "pregnancy"),
    (CM, "O9A.211", "pregnancy"),
    (CM, "O14.93", "preeclampsia pregnancy"),
    (CM, "O14.22", "preeclampsia pregnancy"),  # HELLP, in every trimester
    (SCT, "15938005", "preeclampsia pregnancy"),
    (SCT, "303063000", "preeclampsia"),  # after delivery
    (CM, "O60.02", "pregnancy preterm-labour"),
    (CM, "J45.52", "severe-asthma"),
    (SCT, "708090002", "severe-asthma"),
    (CM, "K56.7", "ileus"),
    (SCT, "55525008", "ileus"),
    (SCT, "26629001", "short-bowel"),
    (CM, "K90.829", "malabsorption short-bowel"),
    (CM, "K91.2", "malabsorption short-bowel"),
    (SCT, "302111002", "ileostomy"),
    (CM, "Z93.2", "ileostomy"),
    (SCT, "236071009", "chronic-diarrhea"),
    (CM, "K90.0", "malabsorption"),
    (SCT, "707756004", "gitelman-bartter"),
    (CM, "F10.20", "alcohol"),
    (CM, "Z99.2", "dialysis"),
    (SCT, "105502003", "dialysis"),
    (CM, "N18.6", "esrd"),
    (SCT, "46177005", "esrd"),
    (SCT, "236435004", "dialysis esrd"),
    (CM, "Z94.0", "kidney-transplant"),
    (CM, "N17.9", "aki"),
    (SCT, "14669001", "aki"),
    (SCT, "9651007", "long-qt"),
    (CM, "E83.42", "hypomagnesemia"),
    (CM, "E83.41", "hypermagnesemia"),
    (SCT, "66978005", "hypermagnesemia"),
    (SCT, "10370003", "paced-rhythm"),
    (RXNORM, "6582", "oral-magnesium-intolerance"),
    (" http://snomed.info/sct", " 31722008 ", "torsades"),
    ("urn:oid:2.16.840.1.113883.6.96", "31722008", "torsades"),
]
NO_CONDITIONS = [
    (CM, "G40.909", "epilepsy is not a seizure (ruling 4)"),
    (SCT, "128613002", "seizure disorder"),
    (CM, "R56.00", "febrile convulsion"),
    (SCT, "54016002", "Mobitz I is no stop (ruling 16)"),
    (SCT, "164905008", "Mobitz I on ECG"),
    (SCT, "270492004", "first-degree block"),
    (SCT, "233917008", "block, degree not stated"),
    (CM, "I44.0", "first-degree block"),
    (CM, "I44.30", "block, degree not stated"),
    (CM, "I25.2", "old myocardial infarction"),
    (CM, "I20.9", "stable angina"),
    (CM, "O80", "delivery (ruling 36)"),
    (CM, "O82", "delivery"),
    (CM, "Z33.2", "termination of pregnancy"),
    (CM, "J45.909", "asthma that is not severe"),
    (SCT, "60853003", "magnesium disorder, direction unknown"),
    (CM, "E83.40", "magnesium disorder, direction unknown"),
    (CM, "R79.0", "abnormal mineral"),
    (SCT, "62315008", "diarrhoea of any duration"),
    (CM, "R19.7", "diarrhoea of any duration"),
    (CM, "F10.21", "alcohol dependence in remission"),
    (CM, "N18.5", "stage 5 without dialysis"),
    (CM, "R94.31", "abnormal ECG"),
    (RXNORM, "6585", "the intravenous salt"),
    (RXNORM, "283742", "esomeprazole"),
    ("urn:local", "31722008", "another system"),
    (SNOMED, "I46.9", "another system"),
    (CM, "", "nothing"),
    (SNOMED, "", "nothing"),
]


@pytest.mark.parametrize(("system", "code", "expected"), CONDITIONS)
def test_condition_concepts(system: str, code: str, expected: str) -> None:
    assert codes.condition_concepts(system, code) == set(expected.split())


@pytest.mark.parametrize(("system", "code", "why"), NO_CONDITIONS)
def test_no_condition_concepts(system: str, code: str, why: str) -> None:
    assert codes.condition_concepts(system, code) == frozenset(), why


def test_every_concept_of_conditions_is_reached_and_every_undetected_one_is_not() -> None:
    reached = {concept for *_, concepts in CONDITIONS for concept in concepts.split()}
    assert reached == set(tables.TABLES["condition"])
    assert reached.isdisjoint(codes.NOT_DETECTED)
    assert {"npo", "vomiting", "high-output-stoma"} <= set(codes.NOT_DETECTED)


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        (SNOMED, "302497006", "dialysis"),
        (SNOMED, "714749008", "crrt dialysis"),
        (codes.CPT, "90935", "dialysis"),
        (codes.ICD10PCS, "5A1D90Z", "crrt dialysis"),
        (codes.ICD10PCS, "5A1D70Z", "dialysis"),
        (SNOMED, "66402002", ""),  # education
        (SNOMED, "105502003", ""),  # a finding
        (codes.CPT, "80048", ""),
    ],
)
def test_procedure_concepts(system: str, code: str, expected: str) -> None:
    assert codes.procedure_concepts(system, code) == set(expected.split())


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        (LOINC, "19123-9", "magnesium"),
        (SNOMED, "63571001", "magnesium"),
        (codes.CPT, "83735", "magnesium"),
        (codes.CPT, "84132", "potassium"),
        (LOINC, "2160-0", "creatinine"),
        (SNOMED, "268400002", "ecg"),
        (codes.CPT, "80048", ""),  # the basic panel has no magnesium
        (LOINC, "24323-8", ""),
    ],
)
def test_order_concepts(system: str, code: str, expected: str) -> None:
    assert codes.order_concepts(system, code) == set(expected.split())


# --- drugs by code ------------------------------------------------------------------------------

BY_CODE = [
    ("6585", "magnesium sulfate", "magnesium", None, None),
    ("829757", "magnesium sulfate", "magnesium", "parenteral", None),
    ("1658221", "magnesium sulfate", "magnesium", "parenteral", None),
    ("1666549", "magnesium sulfate", "magnesium-laxative", "oral", None),
    ("1053346", "magnesium sulfate", "magnesium-laxative", "oral", None),  # Epsom salt
    ("6582", "magnesium oxide", "magnesium", None, None),
    ("198741", "magnesium oxide", "magnesium", "oral", "400 salt"),
    ("329952", "magnesium oxide", "magnesium", None, "400 salt"),
    ("198936", "magnesium lactate", "magnesium", "oral", "84 elemental"),
    ("1245389", "magnesium chloride", "magnesium", "oral", "596 salt"),  # Slow-Mag
    ("849497", "magnesium glycinate", "magnesium", "oral", "100 ?"),
    ("253017", "magnesium hydroxide", "magnesium-laxative", "oral", None),
    ("52356", "magnesium citrate", "magnesium-laxative", None, None),
    ("1052760", "magnesium citrate", "magnesium-laxative", "oral", None),
    ("1313985", "magnesium citrate", "magnesium", "oral", "100 ?"),
    ("307746", "magnesium antacid", "magnesium-laxative", "oral", None),
    ("1120068", "magnesium bowel preparation", "magnesium-laxative", "oral", None),
    ("2465554", "magnesium bowel preparation", "magnesium-laxative", "oral", None),
    ("800985", "multi-electrolyte fluid", "magnesium-fluid", "parenteral", None),
    ("8591", "potassium chloride", "potassium", None, None),
    ("204520", "potassium chloride", "potassium", "parenteral", None),
    ("237367", "potassium chloride", "potassium-fluid", "parenteral", None),
    ("34322", "potassium phosphate", "potassium", None, None),
    ("1668250", "calcium gluconate", "calcium", "parenteral", None),
    ("4603", "furosemide", "cause loop", None, None),
    ("62349", "ethacrynic acid", "cause loop", None, None),
    ("310812", "hydrochlorothiazide / triamterene", "cause k-sparing thiazide", "oral", None),
    ("236486", "omeprazole", "cause ppi", None, None),  # omeprazole magnesium
    ("283562", "esomeprazole", "cause ppi", None, None),  # esomeprazole magnesium
    ("1295655", "magnesium antacid / omeprazole", "cause magnesium-laxative ppi", "oral", None),
    ("309305", "ciprofloxacin", "", "other", None),  # eye drops
    ("2059184", "amikacin", "", "other", None),  # inhaled
    ("197736", "gentamicin", "cause", "parenteral", None),
    ("2555", "cisplatin", "cause cause-always platinum-egfr", None, None),
    ("40048", "carboplatin", "cause-tier2", None, None),
    ("35302", "sirolimus", "cause", None, None),
    ("314230", "sirolimus", "cause", "oral", None),
    ("5093", "haloperidol", "qt-haloperidol qt-known", None, None),
    ("703", "amiodarone", "qt-known qt-strong", None, None),
    ("3407", "digoxin", "cause-tier2 chelated digoxin", None, None),
    ("68139", "rocuronium", "neuromuscular-blocker", None, None),
    ("7417", "nifedipine", "dihydropyridine", None, None),
    ("1812011", "nifedipine", "dihydropyridine", "oral", None),  # "Osmotic" is not "otic"
    ("797279", "doxycycline", "", "other", None),  # periodontal gel
    ("439804", "furosemide", "cause loop", "oral", None),  # "Extended Release Capsule"
    ("855296", "warfarin", "anticoagulant", "oral", None),
    ("10582", "levothyroxine", "chelated", None, None),
]
NO_DRUG = {
    "2001254": "pitavastatin magnesium is a statin",
    "52364": "magnesium salicylate is an analgesic",
    "333962": "50 mg of oxide exists only in multivitamins",
    "475968": "liraglutide: GLP-1 is no cause (S3-17)",
    "723": "amoxicillin",
    "": "nothing",
}


def content(found: codes.Drug) -> str | None:
    if found.strength is None:
        return None
    return f"{found.strength} { {True: 'elemental', False: 'salt', None: '?'}[found.elemental] }"


@pytest.mark.parametrize(("code", "name", "groups", "form", "strength"), BY_CODE)
def test_drug(code: str, name: str, groups: str, form: str | None, strength: str | None) -> None:
    found = codes.drug(f" {RXNORM}", code)
    assert found is not None
    assert (found.name, found.groups, found.form, content(found)) == (
        name, set(groups.split()), form, strength,
    )  # fmt: skip
    assert found.ingredients == tuple(name.split(" / "))
    assert (found.systemic is False) == (not groups)


@pytest.mark.parametrize(("code", "why"), NO_DRUG.items())
def test_no_drug(code: str, why: str) -> None:
    assert codes.drug(RXNORM, code) is None, why


def test_drug_of_other_systems() -> None:
    found = codes.drug(codes.HCPCS, "J3475")
    assert found is not None
    assert (found.name, found.form) == ("magnesium sulfate", "parenteral")
    assert codes.drug(codes.HCPCS, "J1940") is None
    assert codes.drug("urn:local", "6585") is None


def test_the_fields_of_a_drug() -> None:
    found = codes.drug(RXNORM, "310812")
    assert found is not None
    assert (found.rxcui, found.salt, found.systemic) == (None, None, True)
    found = codes.drug(RXNORM, "1313985")
    assert found is not None
    assert (found.rxcui, found.salt, found.systemic) == ("52356", "citrate", True)
    found = codes.drug(RXNORM, "307746")
    assert found is not None
    assert found.salt is None
    found = codes.drug(RXNORM, "6574")
    assert found is not None
    assert (found.name, found.salt) == ("magnesium", None)


@pytest.mark.parametrize(
    ("groups", "systemic", "message"),
    [({"diuretic"}, None, "unknown groups"), ({"loop"}, False, "not systemic")],
)
def test_a_drug_checks_itself(groups: set[str], systemic: bool | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        codes.Drug("x", frozenset(groups), systemic=systemic)


def test_every_group_has_a_drug_and_every_qt_strong_drug_is_known_risk() -> None:
    assert {group for found in codes.known_drugs() for group in found.groups} == codes.GROUPS
    for found in codes.known_drugs():
        if "qt-strong" in found.groups or "qt-haloperidol" in found.groups:
            assert "qt-known" in found.groups
        assert not ("cause" in found.groups and "cause-tier2" in found.groups)


# --- drugs by name ------------------------------------------------------------------------------

NAMED = [
    ("LASIX", "furosemide: cause loop", None),
    ("4 ML VIAL : FUROSEMIDE 10 MG/ML INJ SOLN", "furosemide: cause loop", "parenteral"),
    ("MAGNESIUM SULFATE 2 GM/50 ML IVPB", "magnesium sulfate: magnesium", "parenteral"),
    ("MAGNESIUM SULFATE 2GM/50ML", "magnesium sulfate: magnesium", "parenteral"),
    ("magnesium sulfate", "magnesium sulfate: magnesium", None),
    ("magnesium sulfate 2 g po", "magnesium sulfate: magnesium-laxative", "oral"),
    ("Epsom salt", "magnesium sulfate: magnesium-laxative", None),
    ("MAG-OX 400 mg tab", "magnesium oxide: magnesium", "oral"),
    ("MAGOX 400", "magnesium oxide: magnesium", None),
    ("Slow-Mag 64 mg po", "magnesium chloride: magnesium", "oral"),
    ("Milk of Magnesia", "magnesium hydroxide: magnesium-laxative", None),
    ("magnesium citrate 296 ml bottle", "magnesium citrate: magnesium-laxative", None),
    ("magnesium citrate 100 mg tablet", "magnesium citrate: magnesium", "oral"),
    ("Maalox 30 ml po", "magnesium antacid: magnesium-laxative", "oral"),
    ("Plasma-Lyte A 1000 mL", "multi-electrolyte fluid: magnesium-fluid", None),
    ("potassium CHLORide liquid 20 mEq", "potassium chloride: potassium", "oral"),
    ("K-Dur", "potassium chloride: potassium", None),
    ("KLOR-CON M20", "potassium chloride: potassium", None),
    ("KCL 20 MEQ IN D5W 1000 ML", "potassium chloride: potassium-fluid", "parenteral"),
    ("POTASSIUM CHLORIDE IN NACL 20-0.9 MEQ/L-% IV SOLN",
     "potassium chloride: potassium-fluid", "parenteral"),
    ("potassium chloride 40 mEq in 250 mL NS ivpb", "potassium chloride: potassium", "parenteral"),
    ("potassium phosphate 30 mmol in 500 mL D5W", "potassium phosphate: potassium", "parenteral"),
    ("pantoprazole (PROTONIX) 40 mg EC tab", "pantoprazole: cause ppi", "oral"),
    ("PANTOPRAZOLE 40 MG TABLET,DELAYED RELEASE", "pantoprazole: cause ppi", "oral"),
    ("esomeprazole magnesium 40 mg cap", "esomeprazole: cause ppi", "oral"),
    ("OMEPRAZOLE MAGNESIUM 20 MG PO TBEC", "omeprazole: cause ppi", "oral"),
    ("triamterene-hydrochlorothiazide 37.5-25 mg cap",
     "triamterene: k-sparing|hydrochlorothiazide: cause thiazide", "oral"),
    ("Dyazide", "hydrochlorothiazide: cause thiazide|triamterene: k-sparing", None),
    ("TPN: magnesium sulfate 8 mEq, potassium chloride 40 mEq, calcium gluconate 10 mEq",
     "parenteral nutrition: magnesium-fluid|magnesium sulfate: magnesium-fluid"
     "|potassium chloride: potassium-fluid|calcium gluconate: ", None),
    ("ciprofloxacin 0.3 % ophthalmic", "ciprofloxacin: ", "other"),
    ("tobramycin 300 mg inhalation", "tobramycin: ", "other"),
    ("tacrolimus 0.1 % topical ointment", "tacrolimus: ", "other"),
    ("fentanyl 25 mcg/hr patch", "fentanyl: opioid", "other"),
    ("furosemide 20 mg po/iv", "furosemide: cause loop", None),
    ("heparin 5000 unit/ml inj", "heparin: anticoagulant", "parenteral"),
    ("Magnesium Replacement (Critical Care)", "magnesium: magnesium", None),
    ("Potassium Chl 40 mEq / 1000 mL NS", "potassium chloride: potassium-fluid", None),
    ("Aluminum-Magnesium Hydrox.-Simethicone", "magnesium antacid: magnesium-laxative", None),
]  # fmt: skip
NOT_NAMED = [
    "magnesium", "naproxen magnesium", "magnesium level",
    "magnesium salicylate 600 mg tab", "losartan potassium 50 mg", "digoxin immune fab 40 mg vial",
    "heparin lock flush 100 unit/ml", "vitamin K tab 5 mg", "lasixium", "", "   ",
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected", "form"), NAMED)
def test_drug_named(text: str, expected: str, form: str | None) -> None:
    found = _drugs_in(text)
    assert [f"{one.name}: {' '.join(sorted(one.groups))}" for one in found] == expected.split("|")
    assert {one.form for one in found} == {form}
    for one in found:
        assert one.systemic is (False if not one.groups and form else True if form else None)


@pytest.mark.parametrize("text", NOT_NAMED)
def test_not_named(text: str) -> None:
    assert _drugs_in(text) == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Magnesium Oxide 400 (241.3 mg) mg tab", "400 salt"),
        ("magnesium oxide 400 mg (241.3 mg magnesium) tablet", "400 salt"),
        ("magnesium oxide 241.3 mg tab", "241.3 elemental"),
        ("Slow-Mag 64 mg po", "64 elemental"),
        ("Mag-Tab SR 84 mg", "84 elemental"),
        ("magnesium bisglycinate 200 mg elemental tab", "200 elemental"),
        ("magnesium glycinate 100 mg cap", "100 ?"),
        ("magnesium aspartate 615 (61 mg) mg tab", "615 salt"),
        ("MAGNESIUM HYDROXIDE 2400 MG/10ML PO SUSP", None),
        ("magnesium oxide 1 tab po", None),
        ("magnesium sulfate 2000 mg ivpb", None),
        ("furosemide 40 mg tab", None),
    ],
)
def test_strength_of_a_tablet(text: str, expected: str | None) -> None:
    (found,) = _drugs_in(text)
    assert content(found) == expected
    assert found.strength is None or isinstance(found.strength, Decimal)


def test_every_name_of_the_table_is_found_in_text() -> None:
    for key, (_, _, names, _) in tables.TABLES["drug"].items():
        named = [key] if "(" not in key and key not in ("magnesium", "magnesium antacid") else []
        for name in named + [name for name in names.split("|") if name]:
            found = _drugs_in(f"GIVE {name.upper()} NOW")
            assert key.split(" (")[0] in [one.name for one in found], name
            spaced = _drugs_in(name.replace("-", " "))
            assert key.split(" (")[0] in [one.name for one in spaced], name


# The order texts of the eICU demo data (PhysioNet, ODbL) that hold a drug of the protocol.
EICU = """\
10 ML CUP : MAGNESIUM HYDROXIDE 2400 MG/10ML PO SUSP = magnesium hydroxide oral
100 ML  -  MAGNESIUM SULFATE IN D5W 10-5 MG/ML-% IV SOLN = magnesium sulfate parenteral
100 ml flex cont : magnesium sulfate in d5w 10-5 mg/ml-% iv soln = magnesium sulfate parenteral
15 ML CUP : POTASSIUM CHLORIDE 10 % ORAL LIQD = potassium chloride oral
AMIODARONE 900 MG in 500 mL D5W = amiodarone parenteral
CALCIUM GLUCONATE 1 GRAM/D5W 50ML = calcium gluconate parenteral
FUROSEMIDE 10 MG/1 ML 2ML SDV INJ = furosemide parenteral
HALOPERIDOL LACTATE = haloperidol None
MAGNESIUM OXIDE 400 (241.3 MG) MG PO TABS = magnesium oxide oral
MAGNESIUM SULFATE 2 G IN NS PREMIX = magnesium sulfate parenteral
MAGNESIUM SULFATE 2 GRAM/50 ML IV PIGGY BACK : 50 ML FLEX CONT = magnesium sulfate parenteral
magnesium sulfate 1 g in d5w 100mL **LOCKED DOSE = magnesium sulfate parenteral
MILK OF MAGNESIA UD LIQ 30 ML = magnesium hydroxide oral
OMEPRAZOLE 20 MG PO CAP-DEL-REL = omeprazole oral
PANTOPRAZOLE SOD = pantoprazole None
pantoprazole sodium 40 mg iv solr = pantoprazole parenteral
potassium CHLORIDE 20 MEQ TR TAB = potassium chloride oral
POTASSIUM CHLORIDE CRYS ER 20 MEQ PO TBCR = potassium chloride oral
POTASSIUM CHLORIDE SA = potassium chloride oral
Potassium Chloride Inj 2 MEQ/ML VIAL = potassium chloride parenteral
potassium phosphate 3 mmol/mL15 mL Inj = potassium phosphate parenteral
TACROLIMUS 1 MG PO CAPS = tacrolimus oral
"""


@pytest.mark.parametrize("line", EICU.splitlines())
def test_real_order_texts(line: str) -> None:
    text, expected = line.split(" = ")
    (found,) = _drugs_in(text)
    assert f"{found.name} {found.form}" == expected


# --- names as a site adds them, and what they cost -----------------------------------------------


def test_names_of_a_site_stand_before_the_shipped_ones_and_beside_them() -> None:
    sulfate = codes.known_drugs()[0]
    ours = Names(
        {"---": (sulfate,), "house bag": (sulfate,), "輸液四号": (sulfate,)}, SHIPPED_NAMES
    )
    assert read_text("HOUSE-BAG 50 ml", ours).drugs[0].name == "magnesium sulfate"
    assert read_text("新輸液四号錠", ours).drugs[0].name == "magnesium sulfate"
    assert read_text("硫酸マグネシウム補正液", ours).drugs[0].name == "magnesium sulfate"
    assert read_text("---", ours) == codes.Reading()
    assert read_text("mag 2 g", ours).drugs == ()  # an amount
    assert read_text("MAG 2 comprimé", ours).drugs[0].name == "magnesium"


def test_a_mention_adds_what_another_left_open() -> None:
    vague = _drugs_in("magnesium oxide")
    exact = _drugs_in("magnesium oxide 400 mg tab")
    (found,) = codes.united([*vague, *exact])
    assert (found.form, found.strength, found.elemental) == ("oral", Decimal(400), False)
    more = codes.united([*_drugs_in("magnesium replacement"), *vague,
                         *_drugs_in("furosemide")])  # fmt: skip
    assert [drug.name for drug in more] == ["magnesium oxide", "furosemide"]
    injected = codes.united([*_drugs_in("MgSO4 2 g IVPB"), *_drugs_in("Maalox")])
    assert [drug.groups for drug in injected] == [{"magnesium"}]


WORST = """magnesium sulfate |a |m|magnesium |magnesium amino acid |1 |é|硫酸マグネシウ|(|tab|amp|12
|á|1,000 ml |magnes a |multivitamin magnesium 1|magnesia x d|2 g/50 ml |potassium chloride (in """


@pytest.mark.parametrize("part", WORST.replace("\n", "").split("|"))
@pytest.mark.parametrize("start", ["", "magnesium ", "magnesium sulfate protocol "])
def test_the_worst_text_is_read_in_20_ms(part: str, start: str) -> None:
    text = (start + part * (100_000 // len(part)))[:100_000]
    spent = []
    for _ in range(3):
        begun = time.process_time()
        read_text(text)
        spent.append(time.process_time() - begun)
    assert min(spent) <= 0.02


def test_long_texts_are_no_keys_of_a_cache() -> None:
    before = named._kept.cache_info().currsize
    read_text("magnesium sulfate " * 20)
    assert named._kept.cache_info().currsize == before


# --- routes and displays ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("listed", "route"),
    [
        ("IV|IVPB|IV Push|IVP|Intravenous|INTRAVEN|PERIPH IV|CENTRAL IV|i.v.|piggyback", "iv"),
        ("IM|intramuscular|I.M.", "im"),
        ("PO|Oral|ORAL|Feeding Tube|NGT|PER NG TUBE|NG-TUBE|G-tube|by mouth|enteral|p.o.", "po"),
        ("SC|subcutaneous|SUBCUT|SQ|sub-q", "sc"),
        ("topical|EYE|ophthalmic|inhalation|PR|rectal|epidural", "other"),
        ("MISC|DEVICE|.ROUTE|IV or IM|PO/IV||parenteral|chest tube", None),
    ],
)
def test_route_named(listed: str, route: str | None) -> None:
    for text in listed.split("|"):
        assert codes.route_named(text) == route, text


@pytest.mark.parametrize(
    ("system", "code", "route"),
    [
        (SNOMED, "47625008", "iv"),
        (SNOMED, "78421000", "im"),
        (SNOMED, " 26643006", "po"),
        (SNOMED, "127492001", "po"),  # nasogastric
        (SNOMED, "34206005", "sc"),
        (SNOMED, "37839007", None),
        (codes.V3_ROUTE, "IVPUSH", "iv"),
        (codes.V3_ROUTE, "PO", "po"),
        ("urn:local", "47625008", None),
    ],
)
def test_route_code(system: str, code: str, route: str | None) -> None:
    assert codes.route_code(system, code) == route


@pytest.mark.parametrize(
    ("system", "code", "expected"),
    [
        (LOINC, " 19123-9", "Magnesium [Mass/volume] in Serum or Plasma"),
        (ICD10CM, "I4721", "Torsades de pointes"),
        (ICD10, "I47.21", "Torsades de pointes"),
        (SNOMED, "31722008", "Torsades de pointes (disorder)"),
        (RXNORM, "6585", "magnesium sulfate"),
        (RXNORM, "0", None),
    ],
)
def test_display(system: str, code: str, expected: str | None) -> None:
    assert codes.display(system, code) == expected


# --- files --------------------------------------------------------------------------------------


def test_the_product_table_is_sorted_whole_and_without_a_code_twice() -> None:
    lines = (ROOT / "cards" / "codes" / "rxnorm.csv").read_text("utf-8").splitlines()
    rows = list(csv.DictReader(lines))
    assert len(rows) > 250
    facts = [tuple(row.values())[:-1] for row in rows]
    assert facts == sorted(set(facts))
    listed = [code for row in rows for code in row["rxcuis"].split()]
    assert len(listed) > 5000
    assert len(listed) == len(set(listed))
    assert all(codes.RxNorm(code) for code in listed)
    known = tables.TABLES["drug"]
    assert all(name in known for row in rows for name in row["drug"].split(" + "))


def test_the_international_table_is_sorted_sourced_and_without_a_code_twice() -> None:
    lines = (ROOT / "cards" / "codes" / "international.csv").read_text("utf-8").splitlines()
    rows = list(csv.DictReader(lines))
    assert len(rows) > 1000
    keys = [(row["system"], row["code"]) for row in rows]
    assert keys == sorted(set(keys))
    assert all(row["meaning"] and row["source"] for row in rows)
    known = tables.TABLES["drug"]
    assert all(name in known for row in rows for name in row["drug"].split(" + ") if name)
    assert all(codes.Snomed(row["code"]) for row in rows if row["system"] == "snomed")
    # A class says no strength, and no salt but magnesium as such.
    for row in rows:
        if row["system"] == "atc":
            assert not row["strength"]
            assert not re.fullmatch("magnesium (?!antacid|laxative|bowel).*", row["drug"])


SPELT = """http://fhir.de/CodeSystem/bfarm/atc|https://www.whocc.no/atc/|ATC
|urn:oid:2.16.840.1.113883.6.73|http://fhir.de/CodeSystem/dimdi/atc"""


@pytest.mark.parametrize("uri", SPELT.replace("\n", "").split("|"))
def test_spellings_of_one_system(uri: str) -> None:
    assert codes.system_of(uri) == codes.ATC


def test_a_source_that_is_not_declared_stops_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tables.TABLES, "drug", {"x": ["", "", "", "nobody"]})
    with pytest.raises(ValueError, match="no source"):
        drugs._read_ingredients()


def test_the_tables_are_pure() -> None:
    banned = {"os", "time", "random", "logging", "pathlib", "datetime"}
    for path in (ROOT / "cards" / "codes").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert banned.isdisjoint(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.module not in banned


def test_codes_toml_says_a_code_once_in_a_table() -> None:
    # tomllib refuses a repeated key: a second reading shows that the file is what was read.
    text = (ROOT / "cards" / "codes" / "codes.toml").read_text("utf-8")
    assert tomllib.loads(text) == tables.TABLES
