"""Gather: from a HookRequest, and what is fetched for it, to Evidence and Orders."""

from service.gather.enough import holds_enough
from service.gather.fetch import Fetch, Fetched, Fetches, Wanted, fetch_nothing
from service.gather.gather import gather, site_codes
from service.gather.judgement import fault_of, next_page
from service.gather.reference import medication_references

__all__ = [
    "Fetch",
    "Fetched",
    "Fetches",
    "Wanted",
    "fault_of",
    "fetch_nothing",
    "gather",
    "holds_enough",
    "medication_references",
    "next_page",
    "site_codes",
]
