"""The sweep: every rule over the whole space of patients, by invariants recomputed from outside.

``axes`` names the axes and builds the request of a :class:`Cell`; ``oracle`` says from the axes
alone what may be offered at most; ``check`` reads the response JSON and lists every broken
invariant; ``grid`` is the exhaustive grid without draft, ``cover`` the 3-wise covering array with
drafts and needs not obtained. ``python -m tests.sweep`` (``make sweep``) draws random cells.

Nothing here imports the code under test but :func:`ask`.
"""

from __future__ import annotations

from tests.vignette import NOW, SERVICE_IDS

__all__ = ["ask"]


def ask(body: bytes, hook: str) -> bytes | None:
    """The response to a request; None when the service asks for the patient (412)."""
    from service.answer import answer  # the only door to the code under test
    from service.errors import PatientMissing

    try:
        return answer(body, SERVICE_IDS[hook], NOW).body
    except PatientMissing:
        return None
