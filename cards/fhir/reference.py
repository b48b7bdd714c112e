"""Reference: where a FHIR reference leads, in whatever form it was written."""

from __future__ import annotations

from functools import lru_cache

from msgspec import Struct

from cards.fhir.resource import Reference, Resource


class Target(Struct, frozen=True, gc=False):
    """What a reference points to.

    ``type`` and ``id`` of a literal one (relative, absolute or versioned), the version left out;
    ``url`` is how it was written, trimmed and without version: with it an entry is found by its
    fullUrl. ``inside`` is the id of a contained resource (``#id``), "" when it is none.
    """

    url: str
    type: str = ""
    id: str = ""
    inside: str = ""

    @property
    def key(self) -> tuple[str, str] | None:
        """("Medication", "m1"); None of a contained or a ``urn:`` reference."""
        return (self.type, self.id) if self.id else None


@lru_cache(maxsize=4096)
def _read(reference: str) -> Target | None:
    url = reference.strip()
    if not url:
        return None
    if url.startswith("#"):
        return Target(url, inside=url[1:]) if len(url) > 1 else None
    if url.lower().startswith("urn:"):
        return Target(url.lower())
    url = url.split("/_history/")[0].split("?")[0].rstrip("/")
    *_, type_, id_ = ["", "", *url.split("/")]
    return Target(url, type_, id_) if type_ and id_ and type_.isalpha() else Target(url)


_LONGEST = 256  # a longer one leads nowhere we can go; it is never kept as a key


def read_reference(reference: str | None) -> Target | None:
    """The Target of ``Reference.reference``; None when it is absent, empty or absurdly long."""
    if not reference or len(reference) > _LONGEST:
        return None
    return _read(reference) if reference.isascii() else _read.__wrapped__(reference)


def target_of(reference: Reference | None) -> Target | None:
    """The Target of a Reference; None when there is none."""
    return read_reference(reference.reference) if reference is not None else None


def key_of(reference: Reference | None) -> tuple[str, str] | None:
    """("Medication", "m1") of a Reference by type and id, in whatever form; else None."""
    target = target_of(reference)
    return target.key if target is not None else None


def medication_reference(resource: Resource) -> Reference | None:
    """Where an order or administration says that its medication stands (R4, else R5)."""
    if resource.medicationReference is not None or resource.medication is None:
        return resource.medicationReference
    return resource.medication.reference
