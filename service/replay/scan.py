"""Scan: which patient a line belongs to, or why it cannot be used.

Only the envelope of a line is decoded here; the resource itself once, when its patient is
walked. Patients are spread over buckets by their pseudonym, in its order: buckets one after the
other give all patients in order.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

import msgspec
from msgspec import Raw, Struct

from cards.evidence import NEEDS
from cards.fhir import key_of
from cards.fhir.resource import Reference
from service.replay.names import LENGTH, Names
from service.replay.source import MOST, Chunk, InputLine, read_lines

USED = frozenset(need.type for need in NEEDS) | {"Medication", "Specimen"}
NOT_JSON = "not JSON"
NOT_UTF8 = "not UTF-8"
NOT_AN_OBJECT = "not a JSON object"
TOO_DEEP = "JSON nested too deeply"
NO_TYPE = "no resourceType"
NO_ID = "no id"
NO_PATIENT = "no readable patient"
A_BUNDLE = "a Bundle: one resource a line is expected"
TOO_LARGE = f"larger than {MOST // 1_000_000} MB"


class Kept(Struct, frozen=True):
    """A line of a patient: ``record`` is its pseudonym, then the line."""

    bucket: int
    record: bytes


class Shared(Struct, frozen=True):
    """A Medication: no patient's own."""

    id: str
    line: bytes


class Bad(Struct, frozen=True):
    """``line`` in its chunk; ``text`` parts of what ``Rejected`` holds after its ``line``,
    as JSON up to the closing brace (a line may be larger than memory)."""

    line: int
    reason: str
    text: Iterator[bytes]


class Scanned(Struct, frozen=True):
    """What a chunk held: lines, resources by type, of those the logic does not read by type."""

    lines: int
    held: dict[str, int]
    unused: dict[str, int]


class _Envelope(Struct, frozen=True, gc=False):
    resourceType: str | None = None
    id: str | None = None
    subject: Reference | None = None
    patient: Reference | None = None


class _Typed(Struct, frozen=True, gc=False):
    resourceType: Raw = Raw(b"")


_envelope = msgspec.json.Decoder(_Envelope)
_typed = msgspec.json.Decoder(_Typed)


def scan(chunk: Chunk, names: Names, buckets: int) -> Iterator[Kept | Shared | Bad | Scanned]:
    """Everything in a chunk, and last how much it was. Raises ReplayError as read_lines does."""
    pseudonym = lru_cache(maxsize=20_000)(names.patient)
    held: Counter[str] = Counter()
    unused: Counter[str] = Counter()
    lines = 0
    for line in read_lines(chunk):
        lines = line.number
        found = _read(line)
        if isinstance(found, str):
            yield Bad(line.number, found, _told(line, found))
        elif found is not None:
            type_, id_ = found
            if type_ not in USED:
                unused[type_] += 1
                continue
            held[type_] += 1
            if type_ == "Medication":
                yield Shared(id_, line.data)
            else:
                patient = pseudonym(id_)
                yield Kept(int(patient[:8], 16) * buckets >> 32, patient.encode() + line.data)
    yield Scanned(lines, dict(held), dict(unused))


def split(record: bytes) -> tuple[str, bytes]:
    """(pseudonym, line) of a record."""
    return record[:LENGTH].decode(), record[LENGTH:]


def patient_of(line: bytes) -> str | None:
    """The id of the patient of a kept line."""
    found = _read(InputLine(1, line))
    return found[1] if isinstance(found, tuple) else None


def _read(line: InputLine) -> tuple[str, str] | str | None:
    """(resource type, id of its patient or of the Medication); why not; None for an empty line."""
    data = line.data
    if line.rest is not None:
        return TOO_LARGE
    try:
        if not data.isascii():
            data.decode()  # msgspec does not look into the strings it skips
        envelope = _envelope.decode(data)
    except UnicodeDecodeError:
        return NOT_UTF8
    except RecursionError:
        return TOO_DEEP
    except msgspec.ValidationError:
        return _misshapen(data)
    except msgspec.DecodeError:
        return NOT_JSON if data.strip() else None
    type_ = envelope.resourceType
    if not type_:
        return NO_TYPE
    if type_ == "Bundle":
        return A_BUNDLE
    if type_ not in USED:
        return type_, ""
    if type_ in ("Patient", "Medication"):
        return (type_, envelope.id) if envelope.id else NO_ID
    who = envelope.subject or envelope.patient
    key = key_of(who)
    if key is None or key[0] != "Patient" or not key[1]:
        return NO_PATIENT
    return type_, key[1]


def _misshapen(data: bytes) -> str:
    """The reason of valid JSON whose envelope breaks the types."""
    if not data.lstrip().startswith(b"{"):
        return NOT_AN_OBJECT
    try:
        type_ = bytes(_typed.decode(data).resourceType)
    except RecursionError:
        return TOO_DEEP
    except msgspec.DecodeError:  # malformed after the place where the types broke
        return NOT_JSON
    return NO_PATIENT if type_.startswith(b'"') and type_ != b'""' else NO_TYPE


def _told(line: InputLine, reason: str) -> Iterator[bytes]:
    yield b'"reason":' + msgspec.json.encode(reason)
    if line.rest is None and reason != NOT_UTF8:
        yield b',"text":' + msgspec.json.encode(line.data.decode())
        return
    yield b',"base64":"'
    left = line.data
    for part in line.rest or ():
        left += part.removesuffix(b"\n")
        whole = len(left) // 3 * 3
        yield base64.b64encode(left[:whole])
        left = left[whole:]
    yield base64.b64encode(left) + b'"'
