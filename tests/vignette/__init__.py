"""Executable clinical vignettes: one table row is a patient, a hook and what the card must be.

``tables`` reads the rows, ``request`` builds the CDS Hooks request a row describes, ``check``
reads the response JSON and lists every mismatch. Nothing here imports the code under test but
:func:`cards_for`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from .check import mismatches
from .replaced import broken_by
from .request import NOW, build_request
from .suggested import offers
from .tables import Row, all_rows, read_table

SERVICE_IDS = {
    "order-select": "magnesium-order-select",
    "order-sign": "magnesium-order-sign",
    "patient-view": "magnesium-patient-view",
}

__all__ = [
    "NOW",
    "SERVICE_IDS",
    "Row",
    "all_rows",
    "broken_by",
    "build_request",
    "cards_for",
    "mismatches",
    "offers",
    "read_table",
    "run",
]


def cards_for(request: dict[str, Any], service_id: str, now: datetime) -> dict[str, Any]:
    """The response JSON of the service under test; the only place that imports it."""
    from service.answer import answer  # here, so that the harness loads without it

    result = answer(json.dumps(request).encode(), service_id, now.astimezone(UTC))
    response: dict[str, Any] = json.loads(result.body)
    return response


def run(row: Row) -> list[str]:
    """Send the row through the production reading; return its mismatches (empty = pass)."""
    request = build_request(row.hook, row.inputs)
    response = cards_for(request, SERVICE_IDS[row.hook], NOW)
    return [*mismatches(row, response), *broken_by(request, response)]
