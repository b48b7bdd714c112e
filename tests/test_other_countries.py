"""The drugs of every fixture spelt as other countries and systems spell them: the same cards."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.answer import answer
from service.cdshooks.fixture import read_fixture
from tests.contract.golden import HOOKS, response_path

Json = dict[str, Any]
# RxNorm code of a fixture -> ATC code, German name, NDC (of magnesium and potassium).
SPELT = {
    "6585": ("B05XA05", "Magnesiumsulfat Injektionslösung", "0409-6729-24"),
    "198741": ("A12CC10", "Magnesiumoxid 400 mg Tablette", "0603-0209-21"),
    "311427": ("A02AA04", "Magnesiumhydroxid Kautablette", "00121-0431-30"),
    "313988": ("C03CA01", "Furosemid 40 mg Tablette", None),
    "8591": ("A12BA01", "Kaliumchlorid Retardtablette", "58177-0001-04"),
    "6813": ("N07BC02", "Methadon 10 mg Tablette", None),
    "7646": ("A02BC01", "Omeprazol 20 mg Kapsel", None),
}
SYSTEM = {
    "atc": ("http://fhir.de/CodeSystem/bfarm/atc", 0),
    "atc of the WHO": ("http://www.whocc.no/atc", 0),
    "ndc": ("http://hl7.org/fhir/sid/ndc", 2),
    "ndc of a warehouse": ("http://warehouse.example/fhir/CodeSystem/medication-ndc", 2),
}
# The names that cards echo where a code has no display, by the drug that was found.
FOUND = """magnesium antacid|magnesium|magnesium hydroxide|magnesium oxide|magnesium sulfate
|furosemide|potassium chloride|methadone|omeprazole""".replace("\n", "").split("|")


def concepts(value: Any) -> Iterator[tuple[Json, Json]]:
    """(the order, its medication) wherever one stands."""
    if isinstance(value, list):
        for item in value:
            yield from concepts(item)
    elif isinstance(value, dict):
        if isinstance(value.get("medicationCodeableConcept"), dict):
            yield value, value["medicationCodeableConcept"]
        for item in value.values():
            yield from concepts(item)


def respelt(request: Any, way: str) -> set[str]:
    """Spells every drug of a request another way; every name that may be echoed."""
    names: set[str] = set(FOUND)
    for order, concept in concepts(request):
        code = concept["coding"][0]["code"]
        names |= {concept["text"], *(c["display"] for c in concept["coding"])}
        atc, german, ndc = SPELT[code]
        names.add(german)
        if way == "German names":
            order["medicationCodeableConcept"] = {"text": german}
            continue
        system, which = SYSTEM[way]
        spelt = (atc, german, ndc)[which]
        if spelt is not None:
            order["medicationCodeableConcept"] = {"coding": [{"system": system, "code": spelt}]}
    return names


def as_read(body: bytes, names: set[str]) -> Any:
    """A response without the names of drugs that it echoes, and without uuids."""
    value = json.loads(body)
    for _, concept in concepts(value):
        concept.clear()
    text = json.dumps(value, ensure_ascii=False)
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(re.escape(name), "DRUG", text, flags=re.IGNORECASE)
        if len(name) > 12:
            text = re.sub(
                re.escape(name[:12]) + r"[^:\"]{0,40}…", "DRUG", text, flags=re.IGNORECASE
            )
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID", text)
    return json.loads(text)


@pytest.mark.parametrize("way", [*SYSTEM, "German names"])
@pytest.mark.parametrize("hook", HOOKS, ids=lambda path: path.stem)
def test_the_same_cards_whatever_the_drugs_are_called(hook: Path, way: str) -> None:
    fixture = read_fixture(hook.read_bytes())
    assert fixture is not None
    request = json.loads(fixture.body(fixture.now))
    names = respelt(request, way)
    body = answer(json.dumps(request).encode(), fixture.service, fixture.now).body
    assert as_read(body, names) == as_read(response_path(hook).read_bytes(), names)
