"""Rows: decisions and patients as narrow tables of DuckDB, `d` and `p`, within bounded memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from service.replay.report.tally.tally import NO_CARD

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "512MB"
THREADS = 2


@contextmanager
def connected(folder: Path) -> Iterator[DuckDBPyConnection]:
    import duckdb  # an extra: only replay needs it

    spill = folder / ".report-spill"
    db = duckdb.connect(
        config={
            "memory_limit": MEMORY,
            "threads": THREADS,
            "temp_directory": str(spill),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    try:
        yield db
    finally:
        db.close()
        shutil.rmtree(spill, ignore_errors=True)


_SUGGESTION = (
    "STRUCT(label VARCHAR, regimen VARCHAR, route VARCHAR, dose DOUBLE, unit VARCHAR, "
    "recommended BOOLEAN, labs VARCHAR[], removes INTEGER, updates BOOLEAN)[]"
)
_REFUSAL = "STRUCT(stop VARCHAR, blocks VARCHAR, why VARCHAR, unknown BOOLEAN)[]"
_DECIDED = {
    "patient": "VARCHAR",
    "time": "VARCHAR",
    "hour": "INTEGER",
    "hook": "VARCHAR",
    "trigger": "STRUCT(id VARCHAR)",
    "exact": "BOOLEAN",
    "order": "STRUCT(magnesium BOOLEAN, laxative BOOLEAN, relevant BOOLEAN)",
    "magnesium": "STRUCT(acts_as VARCHAR, usable BOOLEAN, problems VARCHAR[])",
    "lead": "VARCHAR",
    "findings": "VARCHAR[]",
    "indicator": "VARCHAR",
    "suggestions": _SUGGESTION,
    "refusals": _REFUSAL,
    "gaps": "STRUCT(need VARCHAR, reason VARCHAR)[]",
    "hushed": "VARCHAR[]",
    "followed": "STRUCT(route VARCHAR, dose DOUBLE, same BOOLEAN)[]",
    "against": f"STRUCT(lead VARCHAR, indicator VARCHAR, suggestions {_SUGGESTION}, "
    "stage VARCHAR, visible BOOLEAN)",
}
_WALKED = {
    "patient": "VARCHAR",
    "days": "DOUBLE",
    "counted": "VARCHAR",
    "orders": "BIGINT",
    "lows": "STRUCT(acts_as VARCHAR, borderline BOOLEAN, hours DOUBLE, treated BOOLEAN, "
    "observed_h DOUBLE)[]",
    "undated": "MAP(VARCHAR, BIGINT)",
    "unread": "MAP(VARCHAR, BIGINT)",
    "conflicts": "MAP(VARCHAR, BIGINT)",
    "guessed_ends": "BIGINT",
    "patient_missing": "BOOLEAN",
}
_MG = "CASE WHEN s.unit = 'g' THEN s.dose * 1000 ELSE s.dose END"
# The suggestion a clinician would take: the recommended order, else the first order offered,
# else what else is suggested (a lab, a removal).
_TAKEN = """coalesce(
    list_filter({0}, lambda s: s.recommended AND s.regimen IS NOT NULL)[1],
    list_filter({0}, lambda s: s.regimen IS NOT NULL)[1],
    {0}[1])"""
# The follow-up level goes with nearly every order: it would only make labels long.
_LABEL = "regexp_replace({0}.label, ', with follow-up level$', '')"
_NARROW = f"""
CREATE TABLE d AS SELECT
    hash(patient) AS who,
    hook,
    hash(patient, trigger.id) AS what,
    time,
    CASE WHEN coalesce(exact, true) THEN printf('%02d', hour) ELSE '?' END AS hour,
    CASE WHEN "order" IS NULL THEN '' WHEN "order".magnesium THEN 'magnesium'
         WHEN coalesce("order".relevant, true) THEN 'other' ELSE 'irrelevant' END AS kind,
    CASE WHEN magnesium IS NULL THEN 'no result'
         WHEN magnesium.usable THEN coalesce(magnesium.acts_as, 'no band')
         ELSE 'not usable' END AS level,
    indicator,
    coalesce(findings[1], lead) AS lead,
    list_distinct(coalesce(findings, [])) AS findings,
    list_distinct(coalesce(hushed, [])) AS hushed,
    coalesce(refusals, []) AS refusals,
    coalesce(gaps, []) AS gaps,
    len(list_filter(coalesce(suggestions, []), lambda s: s.regimen IS NOT NULL)) > 0 AS drug,
    {_TAKEN.format("suggestions")}.route AS route,
    CASE WHEN NOT drug OR "order".magnesium THEN NULL
         WHEN followed IS NULL OR len(followed) = 0 THEN 'nothing'
         WHEN len(list_filter(followed, lambda f: coalesce(f.same, false))) > 0
             THEN 'as suggested'
         WHEN len(list_filter(followed, lambda f: list_contains(
             list_transform(suggestions, lambda s: s.route || {_MG}), f.route || f.dose))) > 0
             THEN 'same dose'
         WHEN len(list_filter(followed, lambda f: list_contains(
             list_transform(suggestions, lambda s: s.route), f.route))) > 0 THEN 'same route'
         WHEN len(list_filter(followed, lambda f: f.route IS NOT NULL)) > 0 THEN 'other route'
         ELSE 'route unknown' END AS outcome,
    against IS NOT NULL AS compared,
    against.indicator AS other,
    CASE WHEN coalesce(against.visible, false) THEN 'visible'
         WHEN against.stage IS NOT NULL THEN 'unseen' ELSE 'same' END AS differs,
    coalesce(against.stage, '') AS stage,
    CASE WHEN indicator IS NULL THEN '{NO_CARD}'
         ELSE indicator || ' ' || lead
              || coalesce(': ' || {_LABEL.format(_TAKEN.format("suggestions"))}, '')
         END AS said,
    CASE WHEN against.indicator IS NULL THEN '{NO_CARD}'
         WHEN against.indicator = indicator AND against.lead = lead
              AND {_TAKEN.format("against.suggestions")}.label
                  IS NOT DISTINCT FROM {_TAKEN.format("suggestions")}.label
         THEN 'the same at first sight: another finding or suggestion differs'
         ELSE against.indicator || ' ' || against.lead
              || coalesce(': ' || {_LABEL.format(_TAKEN.format("against.suggestions"))}, '')
         END AS other_said
FROM read_json(?, format = 'newline_delimited', columns = {{}})
"""


def _columns(shape: dict[str, str]) -> str:
    return "{" + ", ".join(f"\"{name}\": '{kind}'" for name, kind in shape.items()) + "}"


def load(db: DuckDBPyConnection, folder: Path) -> None:
    narrow = _NARROW.replace("columns = {}", f"columns = {_columns(_DECIDED)}")
    db.execute(narrow, [str(folder / "decisions.ndjson")])
    db.execute(
        "CREATE TABLE p AS SELECT hash(patient) AS who, "
        "CAST(round(coalesce(days, 0) * 86400) AS BIGINT) AS seconds, "
        "coalesce(counted, 'none') AS counted, coalesce(lows, []) AS lows, "
        "undated, unread, conflicts, coalesce(guessed_ends, 0) AS guessed_ends, "
        "coalesce(patient_missing, false) AS patient_missing "
        f"FROM read_json(?, format = 'newline_delimited', columns = {_columns(_WALKED)})",
        [str(folder / "patients.ndjson")],
    )
