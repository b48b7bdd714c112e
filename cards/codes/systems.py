"""Code systems: their URIs, and one type for each that refuses a mistyped code.

LOINC and SNOMED CT codes carry a check digit; it is verified (LOINC: Luhn, modulus 10; SNOMED CT:
Verhoeff). A check digit proves that a code is well formed, not what it means.
"""

import re
from collections.abc import Callable
from functools import lru_cache
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
ATC = "http://www.whocc.no/atc"
ASK = "http://fhir.de/CodeSystem/ask"
DMD = "https://dmd.nhs.uk"
YJ = "http://capstandard.jp/iyaku.info/CodeSystem/YJ-code"
V3_ROUTE = "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONDITION_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
CONDITION_VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
SPECIMEN_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0487"
ALLERGY_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
ALLERGY_VERIFICATION = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"

# Other spellings of the same system in real resources: object identifiers and labels. Of a URI
# the scheme, "www.", a trailing slash and a version fold before these are looked at.
_LABELS = {
    "loinc": LOINC,
    "ln": LOINC,
    "rxnorm": RXNORM,
    "snomed": SNOMED,
    "snomedct": SNOMED,
    "sct": SNOMED,
    "icd10cm": ICD10CM,
    "icd10": ICD10,
    "icd10who": ICD10,
    "ndc": NDC,
    "ucum": UCUM,
    "cpt": CPT,
    "cpt4": CPT,
    "hcpcs": HCPCS,
    "atc": ATC,
    "actcode": ACT_CODE,
    "v3actcode": ACT_CODE,
}
_OIDS = {
    "2.16.840.1.113883.6.1": LOINC,
    "2.16.840.1.113883.6.88": RXNORM,
    "2.16.840.1.113883.6.96": SNOMED,
    "2.16.840.1.113883.6.90": ICD10CM,
    "2.16.840.1.113883.6.3": ICD10,
    "2.16.840.1.113883.6.4": ICD10PCS,
    "2.16.840.1.113883.6.8": UCUM,
    "2.16.840.1.113883.6.12": CPT,
    "2.16.840.1.113883.6.69": NDC,
    "2.16.840.1.113883.6.73": ATC,
    "2.16.840.1.113883.6.285": HCPCS,
    "2.16.840.1.113883.5.4": ACT_CODE,
    "2.16.840.1.113883.12.487": SPECIMEN_TYPE,
}
_SYSTEMS = (
    LOINC,
    RXNORM,
    SNOMED,
    ICD10CM,
    ICD10,
    ICD10PCS,
    UCUM,
    NDC,
    HCPCS,
    CPT,
    ATC,
    ASK,
    DMD,
    YJ,
    V3_ROUTE,
    ACT_CODE,
    CONDITION_CLINICAL,
    CONDITION_VERIFICATION,
    ALLERGY_CLINICAL,
    ALLERGY_VERIFICATION,
    SPECIMEN_TYPE,
)
# What earlier versions of FHIR called them.
_FORMER = {
    "hl7.org/fhir/v3/actcode": ACT_CODE,
    "hl7.org/fhir/v2/0487": SPECIMEN_TYPE,
    "hl7.org/fhir/condition-clinical": CONDITION_CLINICAL,
    "hl7.org/fhir/condition-ver-status": CONDITION_VERIFICATION,
    "hl7.org/fhir/allergy-clinical-status": ALLERGY_CLINICAL,
    "hl7.org/fhir/allergy-verification-status": ALLERGY_VERIFICATION,
}
# Systems that every country and every server names in its own way (".../bfarm/atc").
_BY_LAST = {"ndc": NDC, "atc": ATC}


def _bare(uri: str) -> str:
    """A URI without what writers vary: scheme, "www.", version, trailing slash, case."""
    uri = uri.partition("|")[0].rstrip("/").lower()
    return uri.removeprefix("https://").removeprefix("http://").removeprefix("www.")


_BY_BARE = {_bare(uri): uri for uri in _SYSTEMS} | _FORMER
_LONGEST = 256  # a longer one is no system of ours, and never a key of the cache


@lru_cache(maxsize=1024)
def _folded(uri: str) -> str:
    uri = uri.strip()
    bare = _bare(uri)
    known = _BY_BARE.get(bare) or _OIDS.get(bare.removeprefix("urn:oid:"))
    if known is None and "/" not in bare and ":" not in bare:
        known = _LABELS.get(re.sub(r"[ _.()-]", "", bare))
    if known is None and bare.startswith("snomed.info/sct/"):  # an edition of SNOMED CT
        known = SNOMED
    if known is None:
        known = _BY_LAST.get(re.split(r"[/:#._-]", bare)[-1])
    return uri if known is None else known


def system_of(uri: str) -> str:
    """The URI as written above, however a record spells it: http or https, a trailing slash, a
    version, an object identifier, the usual labels (ICD10, LOINC). Any other as it was sent,
    trimmed."""
    return _folded(uri) if len(uri) <= _LONGEST else uri.strip()


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


class V2Specimen(_Code):
    """A code of HL7 v2 table 0487: capitals and digits."""

    __slots__ = ()

    @staticmethod
    def _well_formed(code: str) -> bool:
        return re.fullmatch(r"[A-Z][A-Z0-9]{1,5}", code) is not None


# The last part of a table's name in codes.toml: the system and the type of its codes.
TABLE_SYSTEMS: dict[str, tuple[str, Callable[[str], str]]] = {
    "loinc": (LOINC, Loinc),
    "snomed": (SNOMED, Snomed),
    "rxnorm": (RXNORM, RxNorm),
    "icd10cm": (ICD10CM, Icd10cm),
    "icd10pcs": (ICD10PCS, Icd10pcs),
    "cpt": (CPT, Cpt),
    "v2": (SPECIMEN_TYPE, V2Specimen),
}
