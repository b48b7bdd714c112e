"""Figures: the tables of the report (see figures.py)."""

from service.replay.report.figures.against import SAME, SEEN, UNSEEN
from service.replay.report.figures.figures import Figures, Wait, make_figures
from service.replay.report.figures.published import CALLED

__all__ = ["CALLED", "SAME", "SEEN", "UNSEEN", "Figures", "Wait", "make_figures"]
