"""Gather: from a HookRequest, and what is fetched for it, to Evidence and Orders."""

from service.gather.fetch import Fetch, Fetched, Fetches, Wanted, fetch_nothing
from service.gather.gather import gather, site_codes
from service.gather.reference import medication_references
from service.gather.value import holds_enough, is_anothers, next_page, wrong_type

__all__ = [
    "Fetch",
    "Fetched",
    "Fetches",
    "Wanted",
    "fetch_nothing",
    "gather",
    "holds_enough",
    "is_anothers",
    "medication_references",
    "next_page",
    "site_codes",
    "wrong_type",
]
