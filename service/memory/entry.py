"""Entry: a ready part of a site's protocol file for something that was not recognised.

What it *is* no program knows: an entry names what was sent, and leaves to the reader what it
means. Taken over without a look it changes no advice to a bolder one.
"""

from __future__ import annotations

import json

from cards import codes
from cards.evidence import Unrecognised
from cards.units.quantity import magnesium_unit

SOURCE = '[sources]\nHOSP = "our laboratory and formulary"\n'
_SHORT = 60  # characters of a text that may have been cut
_SHORTEST = 3  # characters of a name in a protocol file


def site_entry(what: Unrecognised) -> str | None:
    """TOML that `repletion protocol check` accepts (a drug in a file that holds SOURCE); None when
    a site file has no place for it: then the interface maps it (``elsewhere``)."""
    if what.kind in ("result", "unit"):
        return _lab(what) if what.code and ":" in what.system else None
    return _drug(what) if what.kind == "drug" else None


def elsewhere(what: Unrecognised) -> str:
    """What to do about something that the site file has no place for."""
    if what.kind in ("result", "unit"):
        return "a code under a URI is needed: let the interface send one, best LOINC"
    if what.kind == "drug":
        return "a code under a URI or a name is needed: let the interface send one, best RxNorm"
    return {
        "condition": "let the interface send ICD-10-CM or SNOMED CT beside it",
        "status": "let the interface send the code that FHIR binds it to",
        "timing": "let the interface send Timing.repeat, or a code such as BID, Q6H",
    }[what.kind]


def _lab(what: Unrecognised) -> str:
    unit = f"unit = {_quoted(what.unit)}" if magnesium_unit(what.unit) is not None else None
    lines = [
        "# Only if it is magnesium in serum or plasma: other laboratories need LOINC.",
        *([f"# Sent as {_quoted(what.text)}."] if what.text else []),
        "[[result.site_codes]]",
        'lab = "magnesium"',
        f"system = {_quoted(what.system)}",
        f"code = {_quoted(what.code)}",
        unit or f'# unit = "mg/dL"  # ask the laboratory: mg/dL, mmol/L, mEq/L{_sent(what.unit)}',
        'why = "the code of our laboratory"',
    ]
    return "\n".join(lines) + "\n"


def _sent(unit: str) -> str:
    return f"; sent as {_quoted(unit)}" if unit else ""


def _drug(what: Unrecognised) -> str | None:
    name = _name(what.text)
    coded = bool(what.code) and ":" in what.system
    if name is None and not coded:
        return None
    lines = [
        "# What is it? A drug of this protocol as drug, else a group; none: it is no drug of it.",
        '# drug = "magnesium sulfate"  # with form = "parenteral" and mg_per_ml',
        "[[drug]]",
        'group = "none"',
        *([f"names = [{_quoted(name)}]"] if name is not None else []),
        *(
            [f"codes = [{{ system = {_quoted(what.system)}, code = {_quoted(what.code)} }}]"]
            if coded
            else []
        ),
        'sources = ["HOSP"]',
        'why = "our formulary"',
    ]
    return "\n".join(lines) + "\n"


def _name(text: str) -> str | None:
    """A text as a name that a file may hold: whole words, and none that names a drug already."""
    if len(text) >= _SHORT:
        text = text[:_SHORT].rpartition(" ")[0]
    text = text.strip()
    letters = "".join(filter(str.isalnum, text.lower()))
    if len(text) < _SHORTEST or letters in ("magnesium", "mag", "mg"):
        return None
    return None if codes.read_text(text).drugs else text


def _quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
