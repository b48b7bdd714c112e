"""cards.evidence.place and cards.evidence.whose: where references lead, and whose they are."""

from __future__ import annotations

import msgspec
import pytest

from cards.chart.unread import unread_conditions, unread_medicines
from cards.codes import SHIPPED
from cards.evidence import Places, Unread, collect, read_whose
from cards.fhir.resource import Reference, Resource
from tests.vignette import NOW

SPECIMENS = (Resource(resourceType="Specimen", id="a"), Resource(resourceType="Specimen", id="b"))
PLACES = Places(SPECIMENS, [("https://x/Specimen/z", SPECIMENS[0]), (" ", SPECIMENS[1])])


def refers(text: str) -> Reference:
    return Reference(reference=text)


def test_where_a_reference_leads() -> None:
    assert PLACES.find(None) is None
    assert PLACES.find(refers("#a")) is None
    assert PLACES.find(refers("Specimen/a")) is SPECIMENS[0]
    assert PLACES.find(refers("https://x/Specimen/z")) is SPECIMENS[0]
    assert PLACES.find(refers("https://y/Specimen/b")) is SPECIMENS[1]
    assert PLACES.find(Reference(display="x")) is None
    assert PLACES.find(Reference(identifier=msgspec.Raw(b"[3]"))) is None


def test_several_specimens_are_settled_each() -> None:
    result = Resource(
        resourceType="Observation",
        specimen=[refers("https://x/Specimen/z"), refers("Specimen/b"), refers("urn:uuid:9")],
    )
    settled = PLACES.settled(result).specimen
    assert isinstance(settled, list)
    assert [one.reference for one in settled] == ["Specimen/a", "Specimen/b", "urn:uuid:9"]
    near = Resource(specimen=[refers("Specimen/b")])
    assert PLACES.settled(near) is near


@pytest.mark.parametrize("link", [b'{"type":"replaces"}', b'{"other":{"reference":"urn:uuid:5"}}'])
def test_a_link_that_says_too_little_names_nobody(link: bytes) -> None:
    text = b'{"resourceType":"Patient","id":"p","link":[' + link + b"]}"
    whose = read_whose("p", [msgspec.json.decode(text, type=Resource)])
    assert whose.urls == {"urn:uuid:p"}
    urn = text.replace(b'{"other"', b'{"type":"refer","other"')
    named = read_whose("p", [msgspec.json.decode(urn, type=Resource)]).urls
    assert named == ({"urn:uuid:p", "urn:uuid:5"} if b"other" in link else {"urn:uuid:p"})


def test_what_is_lost_whole_may_be_anything() -> None:
    lost = [Unread("conditions", "?", "broken"), Unread("medications", "?", "broken")]
    evidence = collect("p", (), unread=lost)
    assert unread_conditions(evidence) is not None
    assert unread_medicines(evidence, {}, NOW, SHIPPED) == (lost[1],)
    medicine = Resource(resourceType="Medication")
    evidence = collect("p", (), unread=[Unread("medications", "?", "broken", medicine)])
    assert len(unread_medicines(evidence, {}, NOW, SHIPPED)) == 1
