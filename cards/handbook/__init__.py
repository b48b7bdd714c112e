"""Handbook: the protocol as people read it: sheet, tables, remarks on a site's file, a starter."""

from cards.handbook.markdown import show
from cards.handbook.remarks import check, checks_off
from cards.handbook.sheet import Section, Sheet, sheet
from cards.handbook.starter import template

__all__ = ["Section", "Sheet", "check", "checks_off", "sheet", "show", "template"]
