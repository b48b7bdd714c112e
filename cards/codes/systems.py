"""Code systems: their URIs, and one type for each that refuses a mistyped code.

LOINC and SNOMED CT codes carry a check digit; it is verified (LOINC: Luhn, modulus 10; SNOMED CT:
Verhoeff). A check digit proves that a code is well formed, not what it means.
"""

import re
from collections.abc import Callable
from typing import Self

LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SNOMED = "http://snomed.info/sct"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
ICD10PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
UCUM = "http://unitsofmeasure.org"
NDC = "http://hl7.org/fhir/sid/ndc"
HCPCS = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
CPT = "http://www.ama-assn.org/go/cpt"
V3_ROUTE = "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration"

# Other spellings of the same system, seen in real resources.
_ALIASES = {
    "urn:oid:2.16.840.1.113883.6.1": LOINC,
    "urn:oid:2.16.840.1.113883.6.88": RXNORM,
    "urn:oid:2.16.840.1.113883.6.96": SNOMED,
    "urn:oid:2.16.840.1.113883.6.90": ICD10CM,
    "urn:oid:2.16.840.1.113883.6.3": ICD10,
    "urn:oid:2.16.840.1.113883.6.4": ICD10PCS,
    "urn:oid:2.16.840.1.113883.6.12": CPT,
    "urn:oid:2.16.840.1.113883.6.285": HCPCS,
    "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets": HCPCS,
}


def system_of(uri: str) -> str:
    """The URI as written above: spaces trimmed, object identifiers replaced."""
    uri = uri.strip()
    return _ALIASES.get(uri, uri)


def is_loinc(uri: str) -> bool:
    """Whether a coding's system is LOINC, however it is written."""
    return system_of(uri) == LOINC


class _Code(str):
    """A code checked when it is made; ValueError when it cannot be one."""

    __slots__ = ()

    def __new__(cls, code: str) -> Self:
        if not cls._well_formed(code):
            raise ValueError(f"{code!r} is not a {cls.__name__} code")
        return super().__new__(cls, code)

    @staticmethod
    def _well_formed(code: str) -> bool:
        raise NotImplementedError


class Loinc(_Code):
    """A LOINC code (19123-9), with its check digit, or answer code (LA15173-0: form only)."""

    __slots__ = ()

    @staticmethod
    def _well_formed(code: str) -> bool:
        found = re.fullmatch(r"(\d{1,7})-(\d)", code, re.ASCII)
        if found is None:
            return re.fullmatch(r"LA\d{1,7}-\d", code, re.ASCII) is not None
        total = 0
        for place, digit in enumerate(reversed(found[1])):
            value = int(digit) * (2 if place % 2 == 0 else 1)
            total += value - 9 if value > 9 else value
        return -total % 10 == int(found[2])


# Verhoeff: the dihedral group of ten elements, and one permutation with its powers.
_TIMES = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_STEP = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _powers() -> tuple[tuple[int, ...], ...]:
    row: tuple[int, ...] = tuple(range(10))
    rows = []
    for _ in range(8):
        rows.append(row)
        row = tuple(_STEP[value] for value in row)
    return tuple(rows)


_PERMUTED = _powers()


class Snomed(_Code):
    """A SNOMED CT concept identifier, 6 to 18 digits, with its check digit."""

    __slots__ = ()

    @staticmethod
    def _well_formed(code: str) -> bool:
        if re.fullmatch(r"[1-9]\d{5,17}", code, re.ASCII) is None:
            return False
        check = 0
        for place, digit in enumerate(reversed(code)):
            check = _TIMES[check][_PERMUTED[place % 8][int(digit)]]
        return check == 0


class RxNorm(_Code):
    """An RxNorm concept identifier: digits, no check digit."""

    __slots__ = ()

    @staticmethod
    def _well_formed(code: str) -> bool:
        return re.fullmatch(r"[1-9]\d{0,7}", code, re.ASCII) is not None


class Icd10cm(_Code):
    """An ICD-10-CM code or category with its dot (I47.21, I21), or a prefix of codes (I21*)."""

    __slots__ = ()

    @staticmethod
    def _well_formed(code: str) -> bool:
        if code.endswith("*"):
            return re.fullmatch(r"[A-Z](\d[0-9A-Z](\.[0-9A-Z]{1,3})?)?\*", code) is not None
        return re.fullmatch(r"[A-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?", code, re.ASCII) is not None


class Icd10pcs(_Code):
    """An ICD-10-PCS code: seven characters, neither I nor O."""

    __slots__ = ()

    @staticmethod
    def _well_formed(code: str) -> bool:
        return re.fullmatch(r"[0-9A-HJ-NP-Z]{7}", code) is not None


class Cpt(_Code):
    """A CPT code: five digits."""

    __slots__ = ()

    @staticmethod
    def _well_formed(code: str) -> bool:
        return re.fullmatch(r"\d{5}", code, re.ASCII) is not None


# The last part of a table's name in codes.toml: the system and the type of its codes.
TABLE_SYSTEMS: dict[str, tuple[str, Callable[[str], str]]] = {
    "loinc": (LOINC, Loinc),
    "snomed": (SNOMED, Snomed),
    "rxnorm": (RXNORM, RxNorm),
    "icd10cm": (ICD10CM, Icd10cm),
    "icd10pcs": (ICD10PCS, Icd10pcs),
    "cpt": (CPT, Cpt),
}
