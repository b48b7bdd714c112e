"""The ledger: every adopted or corrected statement stands in the protocol, and is shown to."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from cards.handbook.ledger import Statement, ledger
from cards.protocol import (
    PROFILES,
    Protocol,
    ProtocolError,
    build_protocol,
    shipped,
)
from cards.protocol.faults import cited
from cards.protocol.model import ProtocolFile, Relaxed
from cards.protocol.parse import shipped_bytes
from service.answer import answer
from tests.vignette import NOW, SERVICE_IDS, Row, all_rows, build_request, mismatches

ROWS = {row.id: row for row in all_rows()}
REACHED = [statement for statement in ledger() if statement.reached]
PAIRS = [(statement, entry) for statement in REACHED for entry in statement.entries]


def failing(statement: Statement, protocol: Protocol) -> list[str]:
    """The vignettes of a statement that fail under a protocol."""
    return [name for name in statement.vignettes if _mismatches(ROWS[name], protocol)]


def _mismatches(row: Row, protocol: Protocol) -> list[str]:
    request = json.dumps(build_request(row.hook, row.inputs)).encode()
    body = answer(request, SERVICE_IDS[row.hook], NOW, protocol).body
    return mismatches(row, json.loads(body))


def test_the_ledger_is_whole() -> None:
    count = Counter(statement.verdict for statement in ledger())
    assert count == {"adopted": 59, "corrected": 42, "optional": 11, "rejected": 13}
    assert len({statement.id for statement in ledger()}) == 125
    assert len(REACHED) == 101


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"verdict": "maybe"}, "no verdict 'maybe'"),
        ({"topic": "x"}, "no topic 'x'"),
        ({"seed": "seed 1"}, "not of 'seed 1'"),
        ({"fact": ""}, "a fact and a reason"),
        ({"reason": ""}, "a fact and a reason"),
        ({"entries": ()}, "entries and vignettes"),
        ({"vignettes": ()}, "entries and vignettes"),
        ({"verdict": "rejected"}, "entries and vignettes"),
    ],
)
def test_a_statement_checks_itself(change: dict[str, Any], says: str) -> None:
    good = {
        "id": "S0-01",
        "seed": "seed 0",
        "topic": "levels",
        "verdict": "adopted",
        "fact": "f",
        "reason": "r",
        "entries": ("band.severe",),
        "vignettes": ("x",),
    }
    assert Statement(**good).reached
    with pytest.raises(ValueError, match=re.escape(says)):
        Statement(**{**good, **change})


# -- both ways between ledger and protocol ----------------------------------------------------
def mentions(file: ProtocolFile) -> dict[str, set[str]]:
    """The statements each entry of a protocol lists, by the name the ledger calls it."""
    found: dict[str, set[str]] = {}
    for (table, key), entry in cited(file):
        name = key
        if isinstance(key, int):
            name = getattr(entry, {"band": "name", "interaction": "drug"}.get(table, "id"), key)
        found.setdefault(f"{table}.{name}", set()).update(entry.seeds)
    return found


@pytest.mark.parametrize("statement", REACHED, ids=lambda s: s.id)
def test_its_entries_list_it(statement: Statement) -> None:
    found = mentions(shipped("standard").file)
    for entry in statement.entries:
        assert statement.id in found.get(entry, set()), f"{entry} does not list {statement.id}"


@pytest.mark.parametrize("profile", PROFILES)
def test_every_mention_is_in_the_ledger(profile: str) -> None:
    known = {statement.id for statement in ledger()}
    listed = {s for seeds in mentions(shipped(profile).file).values() for s in seeds}
    assert listed <= known
    unreached = {s.id for s in REACHED} - listed
    if profile == "standard":
        assert unreached == set()


def test_every_vignette_exists() -> None:
    named = {name for statement in REACHED for name in statement.vignettes}
    assert named <= set(ROWS)
    own = {name for name in ROWS if name.startswith("ledger-")}
    assert own <= named, "a ledger vignette that no statement names"


# -- what a statement names is what makes its vignette pass -------------------------------------
@pytest.mark.parametrize("statement", REACHED, ids=lambda s: s.id)
def test_its_vignettes_pass(statement: Statement) -> None:
    assert failing(statement, shipped("standard")) == []


@pytest.mark.parametrize(("statement", "entry"), PAIRS, ids=[f"{s.id}-{e}" for s, e in PAIRS])
def test_deleting_its_entry_is_noticed(statement: Statement, entry: str) -> None:
    """The parser refuses the file without it, or a vignette fails."""
    raw = copy.deepcopy(tomllib.loads(shipped_bytes("standard").decode(), parse_float=Decimal))
    _delete(raw, entry)
    try:
        protocol = build_protocol(raw, "standard.toml")
    except ProtocolError:
        return
    assert failing(statement, protocol), f"nothing fails without {entry}"


@pytest.mark.parametrize(("statement", "entry"), PAIRS, ids=[f"{s.id}-{e}" for s, e in PAIRS])
def test_neutralising_its_entry_fails_its_vignette(statement: Statement, entry: str) -> None:
    """Also where the parser would refuse the deletion: the entry made powerless, unchecked."""
    found = [failing(statement, protocol) for protocol in neutralised(shipped("standard"), entry)]
    assert any(found), f"{entry} may be made powerless and {statement.vignettes} still pass"


def _delete(raw: dict[str, Any], entry: str) -> None:
    table, name = entry.split(".", 1)
    if isinstance(raw[table], dict):
        del raw[table][name]
        return
    key = {"band": "name", "interaction": "drug"}.get(table, "id")
    before = len(raw[table])
    raw[table] = [row for n, row in enumerate(raw[table]) if name not in (row.get(key), str(n))]
    assert len(raw[table]) < before


MILDER = {
    "severe": ("moderate", "warning"),
    "moderate": ("mild", "info"),
    "mild": ("normal", "none"),
    "toxic": ("high", "info"),
}
OTHER = {"critical": "info", "warning": "critical", "info": "warning"}


def neutralised(protocol: Protocol, entry: str) -> Iterator[Protocol]:
    """Protocols in which an entry has lost its meaning, past the checks of the parser."""
    file = protocol.file
    table, name = entry.split(".", 1)
    if table in ("limit", "result"):
        part = getattr(file, table)
        for value in ("0.0001", "1000000"):
            limit = getattr(part, name).model_copy(update={"value": Decimal(value)})
            yield _with(protocol, **{table: part.model_copy(update={name: limit})})
    elif table == "wording":
        blank = getattr(file.wording, name).model_copy(update={"text": "-"})
        yield _with(protocol, wording=file.wording.model_copy(update={name: blank}))
    elif table == "rule":
        rule = file.rule[name]
        if isinstance(rule.indicator, str):
            other: Any = OTHER[rule.indicator]
        else:
            other = {acts_as: OTHER[found] for acts_as, found in rule.indicator.items()}
        changed = rule.model_copy(update={"indicator": other})
        yield _with(protocol, rule={**file.rule, name: changed})
    elif table == "stop":
        relaxed = Relaxed.model_construct(
            stop="RU" if name == "H2-unknown" else name, approver="-", reason="-"
        )
        yield _with(protocol, relaxed=(relaxed,))
    elif table == "band":
        yield _with(
            protocol,
            band=tuple(
                band.model_copy(
                    update=dict(zip(("acts_as", "indicator"), MILDER[band.acts_as], strict=True))
                )
                if band.name == name
                else band
                for band in file.band
            ),
        )
    elif table == "renal":
        full = next(row for row in file.renal if row.id == "R0")
        yield _with(
            protocol,
            renal=tuple(
                full.model_copy(update={"id": row.id, "start": row.start})
                if row.id == name
                else row
                for row in file.renal
            ),
        )
    elif table == "regimen":
        yield _with(protocol, regimen=tuple(row for row in file.regimen if row.id != name))
    else:
        assert table == "followup"
        kept = tuple(row for n, row in enumerate(file.followup) if n != int(name))
        yield _with(protocol, followup=kept)


def _with(protocol: Protocol, **changes: Any) -> Protocol:
    return Protocol(protocol.file.model_copy(update=changes), protocol.origin, protocol.hash)


# -- the rejected numbers ----------------------------------------------------------------------
REJECTED = {
    "a target of 4.0 to 5.0 mEq/L": r"4(?:\.0)? ?(?:-|–|to) ?5(?:\.0)?\b",
    "20 to 60 mEq a day": r"20 ?(?:-|–|to) ?60\b",
    "alfacalcidol in milligrams": r"alfacalcidol[^.;,]*\d ?mg\b|9\.00 mg|\b9 mg\b",
    "480 mg elemental for 12 mmol": r"\b480\b|\b960\b",
    "an IV push": r"\bIV push\b|\bintravenous push\b",
    "250 mg/kg": r"\b250 ?mg ?/ ?kg\b",
    "0.85 mmol/L as a target": r"target[^.]*0\.85",
}


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from texts(item)


@pytest.mark.parametrize("name", REJECTED)
@pytest.mark.parametrize("profile", PROFILES)
def test_no_rejected_number_stands_in_a_protocol(profile: str, name: str) -> None:
    found = [
        t for t in texts(shipped(profile).file.model_dump()) if re.search(REJECTED[name], t, re.I)
    ]
    assert found == []


@pytest.mark.parametrize("name", REJECTED)
def test_the_search_for_rejected_numbers_finds_them(name: str) -> None:
    written = {
        "a target of 4.0 to 5.0 mEq/L": "Target 4.0-5.0 mEq/L",
        "20 to 60 mEq a day": "20-60 mEq/day",
        "alfacalcidol in milligrams": "alfacalcidol 0.25-9.00 mg daily",
        "480 mg elemental for 12 mmol": "480 mg elemental",
        "an IV push": "2 g IV push",
        "250 mg/kg": "250 mg/kg",
        "0.85 mmol/L as a target": "Target above 0.85 mmol/L",
    }
    assert re.search(REJECTED[name], written[name], re.I)


def test_no_rejected_number_is_said_on_a_card() -> None:
    for row in (ROWS[name] for statement in REACHED for name in statement.vignettes):
        request = json.dumps(build_request(row.hook, row.inputs)).encode()
        for card in json.loads(answer(request, SERVICE_IDS[row.hook], NOW).body)["cards"]:
            said = f"{card['summary']} {card['detail']}"
            for name, pattern in REJECTED.items():
                # What a clinician drafted may be named, as "an IV push exceeds 150 mg/min".
                assert not re.search(pattern, said, re.I), f"{row.id}: {name}"
