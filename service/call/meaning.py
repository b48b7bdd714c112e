"""Meaning: what an HTTP status of a CDS Hooks service means, and the exit code of the call."""

from __future__ import annotations

CARD, NONE, REFUSED, NO_ANSWER = 0, 3, 4, 5

_MEANS = {
    200: "The service took the request.",
    400: "The service could not read the request: something in the body is not as it expects."
    " Mend what the issues name.",
    401: "The service does not know who calls, and says to nobody why: its own log does. Check"
    " that a key was given, that issuer and kid are those registered at the service, that both"
    " clocks are right, and that the service knows itself by the very URL that was called (the"
    " token's audience).",
    403: "The service knows who calls, and does not allow it.",
    404: "No CDS service is at this URL. Compare with discovery.",
    405: "Something else than a CDS service is at this URL: it takes no POST.",
    412: "The service has too little data to decide: neither the request brought what it needs,"
    " nor could it be had from the FHIR server. Send it as prefetch.",
    413: "The request is larger than the service, or a proxy before it, takes.",
    415: "The service, or a proxy before it, takes no JSON at this URL.",
    421: "The service does not answer to this host name: call it by the one it is set up for.",
    422: "The service could read the request and not use it. Mend what the issues name.",
    429: "Too many calls in a short time. Wait, then call again.",
    502: "A proxy answered: the service behind it does not.",
    503: "The service, or its database, is not ready. Wait, then call again.",
    504: "A proxy answered: the service behind it was too slow.",
}


def meaning(status: int) -> str:
    """What a status means to whoever called, in words."""
    if status in _MEANS:
        return _MEANS[status]
    if 200 <= status < 300:
        return "A success, but CDS Hooks answers 200: this may be no CDS service."
    if 300 <= status < 400:
        return (
            "A redirect. It is not followed, as the request holds patient data: call the URL"
            " that the Location header names, if you trust it."
        )
    if 400 <= status < 500:
        return "The service, or a proxy before it, refused the request."
    return "The service failed. Its log says more: look for the correlation id, if it sent one."


def exit_code(status: int, cards: int | None) -> int:
    """The exit code of an answer; ``cards`` None when its body is no CDS Hooks answer."""
    if status != 200:
        return REFUSED
    if cards is None:
        return NO_ANSWER
    return CARD if cards else NONE
