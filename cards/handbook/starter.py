"""A starting file for a site's own protocol, with every comment a reader needs."""

from __future__ import annotations

import json
import re
from datetime import date

from cards.protocol.parse import shipped_bytes

_SHORT = """\
# The protocol of {name}. It builds on the shipped profile standard: what is not said here is the
# standard profile's. `repletion protocol show FILE --markdown` prints the whole decision table,
# `repletion protocol check FILE` reads it like a careful pharmacist. Point REPLETION_PROTOCOL at
# this file.
#
# What is said here replaces what is inherited:
#   [limit.x] [result.x] [rule.x] [stop.x] [product.x] [wording.x] [sources] x = "…"
#                                  the entry of that name, whole (value, unit, sources, why)
#   [[renal]] [[regimen]] [[interaction]]
#                                  all rows of that id (drug), in their place; new ids come last
#   [[band]] [[followup]] [[drug_list]] [[drug]] [[relaxed]]
#                                  the whole table
#   drops = ["regimen.oral", "followup.*"]
#                                  left out; "rule.N3" switches that rule off

{head}extends = "standard"
drops = []

# [sources]
# HOSP = "our policy, its number and year"

# The routine rate of the house, without an emergency: `check` remarks on what is faster. A limit
# has its unit, where it comes from, and why.
# [limit.fast_rate]
# value = 1
# unit = "g/h"
# sources = ["HOSP"]
# why = "policy"

# A severe level is treated with one slow infusion in every renal class that may have a full dose.
# Stating rows of the id "severe" replaces all standard rows of that id: state each one needed.
# [[regimen]]
# id = "severe"
# when = {{ classes = ["severe"], renal = ["R0", "R1"] }}
# offer = [{{ product = "sulfate-iv", dose = 4, minutes = 240, star = true }}]
# sources = ["HOSP"]
# why = "policy"

# A drug as this hospital calls it: its names and the codes of its own systems. `drug` is one of
# cards/codes/codes.toml, else `group` is one of its groups ("none": no drug of this protocol).
# [[drug]]
# drug = "magnesium sulfate"
# names = ["MAGSULF HOUSE BAG"]
# codes = [{{ system = "urn:oid:…", code = "4711" }}]
# form = "parenteral"
# mg_per_ml = 40
# sources = ["HOSP"]
# why = "our formulary"

# A stop is relaxed by name only, and every card says so: RU H4 H5 H7 H8 weight-unknown.
# [[relaxed]]
# stop = "RU"
# approver = "drugs and therapeutics committee"
# reason = "…"
"""


def template(name: str, today: date | None = None, *, short: bool = False) -> str:
    """A commented protocol file called ``name``, unsigned, that can be used as it is.

    The whole standard profile with its comments, or with ``short`` a file that extends it.
    ``today`` dates the review, due a year later; without it the shipped dates stand.
    """
    text = shipped_bytes("standard").decode("utf-8")
    head = _head(name, text, today)
    if short:
        return _SHORT.format(name=_line(name), head=head)
    start = text.index("[protocol]\n")
    end = text.index("\n[", start) + 1
    return f"{text[:start]}{head}\n{text[end:]}"


def _line(name: str) -> str:
    return " ".join(name.split())


def _head(name: str, text: str, today: date | None) -> str:
    stated = dict(re.findall(r"^(reviewed|review_due|notice) = (.+)$", text, re.MULTILINE))
    if today is not None:
        due = today.replace(month=2, day=28) if (today.month, today.day) == (2, 29) else today
        stated |= {
            "reviewed": today.isoformat(),
            "review_due": f"{due.replace(year=today.year + 1)}",
        }
    shown = json.dumps(_line(name), ensure_ascii=False)
    return f"""\
[protocol]
name = {shown}
version = "1"
title = {json.dumps(f"Magnesium replacement, {_line(name)}", ensure_ascii=False)}
authors = ["(who wrote this file)"]
# The pharmacist and the nephrologist who signed it.
reviewers = []
reviewed = {stated["reviewed"]}
# From the day after this one on every card says that the review is overdue.
review_due = {stated["review_due"]}
notice = {stated["notice"]}
"""
