"""Discovery: what the service offers and which data it asks a client to prefetch."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from cards.evidence import NEEDS
from cards.protocol import Protocol
from service.cdshooks.request import SERVICES
from service.gather import site_codes

# The specification's own name for its releases (3.0: "STU1 | STU2 | STU3").
CDS_HOOKS_VERSION = "STU3"
# Versions of the hook definitions in the CDS Hooks Library that we read.
_HOOK_VERSIONS = {"patient-view": "1.0", "order-select": "1.1", "order-sign": "1.1"}

_TITLES = {
    "patient-view": "Magnesium: what the latest result asks for",
    "order-select": "Magnesium: check of the selected order",
    "order-sign": "Magnesium: check of the orders to sign",
}
_DESCRIPTIONS = {
    "patient-view": (
        "Suggests magnesium replacement for an adult with a low serum or plasma magnesium, and"
        " warns of a high one."
    ),
    "order-select": (
        "Checks selected magnesium orders (rate, dose, kidney function, level) and says when a"
        " low magnesium matters for another selected order, such as potassium."
    ),
    "order-sign": (
        "Checks magnesium orders before they are signed and says when a low magnesium matters"
        " for another order, or has been left untreated."
    ),
}
_USAGE = (
    "Only the Patient is required; whatever else is not prefetched is named on the card as not"
    " evaluated. For professionals: a suggestion is reviewed and signed by a clinician. A"
    " pharmacist and a nephrologist of the site sign the protocol (see /protocol) before use."
)


def discovery(protocol: Protocol, only: Collection[str] = ()) -> bytes:
    """The body of ``GET /cds-services``: the three services with their prefetch templates.

    The templates carry the codes that the site's protocol maps to our labs. ``only`` names the
    services that the client may use, none of them all: what it may not call it is not offered.
    """
    prefetch = {need.name: need.template(site_codes(need, protocol)) for need in NEEDS}
    services = [
        {
            "hook": hook,
            "title": _TITLES[hook],
            "description": _DESCRIPTIONS[hook],
            "id": id_,
            "prefetch": prefetch,
            "usageRequirements": _USAGE,
            "version": CDS_HOOKS_VERSION,
            "hookVersion": _HOOK_VERSIONS[hook],
        }
        for id_, hook in SERVICES.items()
        if not only or id_ in only
    ]
    return msgspec.json.encode({"services": services})
