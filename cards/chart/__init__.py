"""Chart: the typed clinical facts of one patient at one moment."""

from cards.chart.chart import Chart, read_chart
from cards.chart.conditions import ConditionFact, Conditions
from cards.chart.kidney import Kidney
from cards.chart.labs import Lab
from cards.chart.magnesium import HEADINGS, PROBLEMS, Magnesium, MagnesiumReading, UnreadResult
from cards.chart.medicines import Medicines, Treatment, order_mmol

__all__ = [
    "HEADINGS",
    "PROBLEMS",
    "Chart",
    "ConditionFact",
    "Conditions",
    "Kidney",
    "Lab",
    "Magnesium",
    "MagnesiumReading",
    "Medicines",
    "Treatment",
    "UnreadResult",
    "order_mmol",
    "read_chart",
]
