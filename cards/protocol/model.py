"""The types of a protocol file: frozen, strict, every number with unit, source and why.

A file may build on a shipped profile (``extends``, see ``cards/protocol/merge.py``). A reader
of a file meets: ``[protocol]``, ``[sources]``, ``[result]``, ``[limit.*]``, ``[[band]]``,
``[[renal]]``, ``[rule.*]``, ``[stop.*]``, ``[product.*]``, ``[[regimen]]``, ``[[followup]]``,
``[[interaction]]``, ``[[drug_list]]``, ``[[drug]]``, ``[wording.*]``, ``[[relaxed]]``. There is
no rule language: bands, tables and switches only; the logic is in ``cards/assessment`` and
``cards/plan``.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Literal

from msgspec import Struct
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
)

from cards.protocol.flags import FLAGS
from cards.units.quantity import MG_MOLAR, SaltMass, stated

Indicator = Literal["info", "warning", "critical"]
Shown = Literal["info", "warning", "critical", "none"]
ActsAs = Literal["severe", "moderate", "mild", "normal", "high", "toxic"]
RenalId = Literal["R0", "R1", "R2", "R3", "R4", "RU"]
Setting = Literal["inpatient", "ambulatory"]
# The estimates of renal function, of which the lowest decides: as reported, and two computed.
ESTIMATES = ("eGFR", "CKD-EPI 2021", "Cockcroft-Gault")
CLASSES: tuple[ActsAs, ...] = ("severe", "moderate", "mild", "normal", "high", "toxic")
LOW: frozenset[str] = frozenset({"severe", "moderate", "mild"})


def _flag(value: str) -> str:
    if value not in FLAGS or not FLAGS[value].in_rows:
        raise ValueError(f"no flag {value!r}")
    return value


Flag = Annotated[str, AfterValidator(_flag)]


def _numeric(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("must be a number")
    return value


# NaN and Infinity are refused by Decimal itself.
Number = Annotated[Decimal, BeforeValidator(_numeric)]
Statement = Annotated[str, Field(pattern=r"^S[0-3]-[0-9]{2}$")]


class Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=False, populate_by_name=True
    )


class Cited(Model):
    """Something that rests on sources (keys of ``[sources]``) and seed statements.

    ``A`` as a source marks a design choice where sources are silent or disagree; such an entry
    must say why.
    """

    sources: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[Statement, ...] = ()
    why: str = ""


class Spoken(Cited):
    """An entry whose sentences stand on cards. They name a number of the file instead of
    repeating it (``{limit.quiet}``, see ``cards/protocol/words.py``); ``own_numbers`` are those
    that only happen to equal a limit: ``7 days``."""

    own_numbers: tuple[str, ...] = ()


class Limit(Cited):
    value: Number
    unit: str
    why: str = Field(min_length=1)

    @cached_property
    def number(self) -> str:
        """The number as the file states it, with three decimals at most."""
        return stated(self.value)

    @cached_property
    def said(self) -> str:
        """``150 mg/min``, ``18 years``: the number with its unit, as people say it."""
        return f"{self.number} {_SAID_UNITS.get(self.unit, self.unit)}"

    @cached_property
    def span(self) -> timedelta:
        """A limit of time; KeyError when its unit is none of time."""
        return timedelta(**{_TIMES[self.unit]: float(self.value)})


class LimitKind(Struct, frozen=True, gc=False):
    """What the code knows of a limit: its ``group`` on the page, the unit (or units) the code reads
    it in, and whether it protects by being ``low`` or ``high``, so that a site is told where its
    own is less careful than the standard's."""

    group: str
    unit: str
    careful: Literal["", "low", "high"] = ""


_INFUSED = "Infusions and injections"
_ORAL = "Oral magnesium"
_BODY = "Kidney, weight, age"
_HIGH = "High magnesium"
_OBSTETRIC = "In pre-eclampsia, eclampsia and threatened preterm labour"
_SALTS = "Potassium and calcium"
_HEART = "Heart and bleeding"
_COURSE = "Cause, refractory, maintenance"
_REPEATED = "When a card is repeated"
_READ = "How a result is read"
_TIMES = {"min": "minutes", "h": "hours", "d": "days", "wk": "weeks"}
_SAID_UNITS = {
    "a": "years",
    "d": "days",
    "wk": "weeks",
    "1": "times",
    "10*9/L": "x 10^9/L",
    "mg/g": "mg/dL per g/dL",
}


class Head(Model):
    """``extends`` names a shipped profile this file builds on; ``drops`` what of it is left out."""

    extends: str | None = None
    drops: tuple[str, ...] = ()
    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    title: str = Field(min_length=1)
    authors: tuple[str, ...] = Field(min_length=1)
    reviewers: tuple[str, ...] = ()
    reviewed: date
    review_due: date
    notice: str = Field(min_length=1)


class SiteCode(Model):
    """A site's own code for a lab: ``unit`` says which unit it is sent in (ruling 20)."""

    lab: Literal["magnesium"]
    system: str = Field(min_length=1)
    code: str = Field(min_length=1)
    unit: str | None = None
    why: str = Field(min_length=1)


class Result(Model):
    """How a magnesium result is read (protocol section 1).

    ``stale`` says what an old result does: ``repeat`` asks for a new level, ``silent`` says
    nothing at all. ``quantise`` is a power of ten; 0 compares as reported.
    """

    stale: Literal["repeat", "silent"] = "repeat"
    quantise: Annotated[Limit, LimitKind(_READ, "mg/dL")]
    age_inpatient: Annotated[Limit, LimitKind(_READ, "min h d")]
    age_ambulatory: Annotated[Limit, LimitKind(_READ, "min h d")]
    age_creatinine_inpatient: Annotated[Limit, LimitKind(_READ, "min h d")]
    age_creatinine_ambulatory: Annotated[Limit, LimitKind(_READ, "min h d")]
    age_weight_inpatient: Annotated[Limit, LimitKind(_READ, "min h d")]
    age_weight_ambulatory: Annotated[Limit, LimitKind(_READ, "min h d")]
    egfr_lag: Annotated[Limit, LimitKind(_READ, "h")]
    future: Annotated[Limit, LimitKind(_READ, "min")]
    range_middle_low: Annotated[Limit, LimitKind(_READ, "mg/dL")]
    range_middle_high: Annotated[Limit, LimitKind(_READ, "mg/dL")]
    verify_below: Annotated[Limit, LimitKind(_READ, "mg/dL")]
    verify_above: Annotated[Limit, LimitKind(_READ, "mg/dL", careful="low")]
    edta_magnesium: Annotated[Limit, LimitKind(_READ, "mg/dL")]
    edta_potassium: Annotated[Limit, LimitKind(_READ, "mmol/L")]
    edta_calcium: Annotated[Limit, LimitKind(_READ, "mg/dL")]
    edta_window: Annotated[Limit, LimitKind(_READ, "min")]
    borderline_high: Annotated[Limit, LimitKind(_READ, "mg/dL")]
    not_equilibrated: Annotated[Limit, LimitKind(_READ, "h")]
    site_codes: tuple[SiteCode, ...] = ()


class Limits(Model):
    """The numbers the rules share."""

    infusion_rate: Annotated[Limit, LimitKind(_INFUSED, "mg/min")]
    fast_rate: Annotated[Limit, LimitKind(_INFUSED, "g/h")]
    single_iv: Annotated[Limit, LimitKind(_INFUSED, "g", careful="low")]
    daily_parenteral: Annotated[Limit, LimitKind(_INFUSED, "g", careful="low")]
    single_im: Annotated[Limit, LimitKind(_INFUSED, "g", careful="low")]
    iv_concentration: Annotated[Limit, LimitKind(_INFUSED, "%", careful="low")]
    short_infusion: Annotated[Limit, LimitKind(_INFUSED, "min")]
    monitoring_magnesium: Annotated[Limit, LimitKind(_INFUSED, "mg/dL")]
    bedside_dose: Annotated[Limit, LimitKind(_INFUSED, "g")]
    emergency_spent: Annotated[Limit, LimitKind(_INFUSED, "min")]
    one_off_end: Annotated[Limit, LimitKind(_INFUSED, "h")]
    schedule_rest: Annotated[Limit, LimitKind(_INFUSED, "h")]
    failing_after: Annotated[Limit, LimitKind(_INFUSED, "h")]
    after_due: Annotated[Limit, LimitKind(_INFUSED, "g", careful="low")]
    after_due_reduced: Annotated[Limit, LimitKind(_INFUSED, "g", careful="low")]
    routine_rate: Annotated[Limit, LimitKind(_INFUSED, "g/h")]
    untimed_dose: Annotated[Limit, LimitKind(_INFUSED, "g", careful="low")]
    untimed_bag: Annotated[Limit, LimitKind(_INFUSED, "g", careful="low")]
    bag_volume: Annotated[Limit, LimitKind(_INFUSED, "mL", careful="high")]
    tiers_together: Annotated[Limit, LimitKind(_INFUSED, "min")]
    more_since_full: Annotated[Limit, LimitKind(_INFUSED, "g", careful="low")]
    more_since_reduced: Annotated[Limit, LimitKind(_INFUSED, "g", careful="low")]
    oral_daily: Annotated[Limit, LimitKind(_ORAL, "mmol", careful="low")]
    oral_full_dose: Annotated[Limit, LimitKind(_ORAL, "mmol")]
    oxide_daily: Annotated[Limit, LimitKind(_ORAL, "mg", careful="low")]
    creatinine_rise: Annotated[Limit, LimitKind(_BODY, "mg/dL")]
    creatinine_ratio: Annotated[Limit, LimitKind(_BODY, "1")]
    creatinine_low: Annotated[Limit, LimitKind(_BODY, "mg/dL")]
    creatinine_doubled: Annotated[Limit, LimitKind(_BODY, "1")]
    creatinine_failure: Annotated[Limit, LimitKind(_BODY, "mg/dL")]
    creatinine_climb: Annotated[Limit, LimitKind(_BODY, "mg/dL")]
    recent_dialysis: Annotated[Limit, LimitKind(_BODY, "d")]
    unknown_weight_iv: Annotated[Limit, LimitKind(_BODY, "g", careful="low")]
    weight_floor: Annotated[Limit, LimitKind(_BODY, "kg", careful="high")]
    weight_jump: Annotated[Limit, LimitKind(_BODY, "%")]
    weight_low: Annotated[Limit, LimitKind(_BODY, "kg")]
    weight_high: Annotated[Limit, LimitKind(_BODY, "kg")]
    adult_age: Annotated[Limit, LimitKind(_BODY, "a", careful="high")]
    filtered_dose: Annotated[Limit, LimitKind(_BODY, "g", careful="low")]
    dialysed_dose: Annotated[Limit, LimitKind(_BODY, "g", careful="low")]
    failing_dose: Annotated[Limit, LimitKind(_BODY, "g", careful="low")]
    supplement_high: Annotated[Limit, LimitKind(_HIGH, "mg/dL")]
    high_card: Annotated[Limit, LimitKind(_HIGH, "mg/dL", careful="low")]
    obstetric_high: Annotated[Limit, LimitKind(_HIGH, "mg/dL")]
    unusable_high: Annotated[Limit, LimitKind(_HIGH, "d")]
    obstetric_recent: Annotated[Limit, LimitKind(_OBSTETRIC, "wk")]
    obstetric_pregnancy: Annotated[Limit, LimitKind(_OBSTETRIC, "wk")]
    pregnancy_lasts: Annotated[Limit, LimitKind(_OBSTETRIC, "wk")]
    obstetric_load: Annotated[Limit, LimitKind(_OBSTETRIC, "g", careful="low")]
    obstetric_load_time: Annotated[Limit, LimitKind(_OBSTETRIC, "min", careful="high")]
    obstetric_large_load: Annotated[Limit, LimitKind(_OBSTETRIC, "g", careful="low")]
    obstetric_large_time: Annotated[Limit, LimitKind(_OBSTETRIC, "min", careful="high")]
    obstetric_rate: Annotated[Limit, LimitKind(_OBSTETRIC, "g/h", careful="low")]
    obstetric_im: Annotated[Limit, LimitKind(_OBSTETRIC, "g", careful="low")]
    obstetric_buttock: Annotated[Limit, LimitKind(_OBSTETRIC, "g", careful="low")]
    obstetric_bag: Annotated[Limit, LimitKind(_OBSTETRIC, "g", careful="low")]
    obstetric_slow: Annotated[Limit, LimitKind(_OBSTETRIC, "g/h", careful="low")]
    obstetric_creatinine: Annotated[Limit, LimitKind(_OBSTETRIC, "mg/dL", careful="low")]
    obstetric_two_days: Annotated[Limit, LimitKind(_OBSTETRIC, "g", careful="low")]
    obstetric_days: Annotated[Limit, LimitKind(_OBSTETRIC, "h")]
    potassium_low: Annotated[Limit, LimitKind(_SALTS, "mmol/L")]
    potassium_at_risk: Annotated[Limit, LimitKind(_SALTS, "mmol/L")]
    potassium_urgent: Annotated[Limit, LimitKind(_SALTS, "mmol/L")]
    magnesium_lab_interval: Annotated[Limit, LimitKind(_SALTS, "h")]
    calcium_recheck: Annotated[Limit, LimitKind(_SALTS, "mg/dL")]
    calcium_urgent: Annotated[Limit, LimitKind(_SALTS, "mg/dL")]
    calcium_ionized: Annotated[Limit, LimitKind(_SALTS, "mmol/L")]
    calcium_per_albumin: Annotated[Limit, LimitKind(_SALTS, "mg/g")]
    albumin_normal: Annotated[Limit, LimitKind(_SALTS, "g/dL")]
    qtc_long: Annotated[Limit, LimitKind(_HEART, "ms")]
    qtc_borderline: Annotated[Limit, LimitKind(_HEART, "ms")]
    qrs_wide: Annotated[Limit, LimitKind(_HEART, "ms")]
    qtc_wide_allowance: Annotated[Limit, LimitKind(_HEART, "ms")]
    new_event: Annotated[Limit, LimitKind(_HEART, "h")]
    event_night: Annotated[Limit, LimitKind(_HEART, "h")]
    recent_arrest: Annotated[Limit, LimitKind(_HEART, "h")]
    platelets: Annotated[Limit, LimitKind(_HEART, "10*9/L", careful="high")]
    femg_low: Annotated[Limit, LimitKind(_COURSE, "%")]
    femg_high: Annotated[Limit, LimitKind(_COURSE, "%")]
    femg_window: Annotated[Limit, LimitKind(_COURSE, "h")]
    refractory_iv: Annotated[Limit, LimitKind(_COURSE, "g")]
    refractory_iv_window: Annotated[Limit, LimitKind(_COURSE, "h")]
    refractory_oral_days: Annotated[Limit, LimitKind(_COURSE, "d")]
    maintenance_window: Annotated[Limit, LimitKind(_COURSE, "d")]
    low_before: Annotated[Limit, LimitKind(_REPEATED, "h")]
    long_stale: Annotated[Limit, LimitKind(_REPEATED, "d")]
    quiet: Annotated[Limit, LimitKind(_REPEATED, "h")]
    accepted_unseen: Annotated[Limit, LimitKind(_REPEATED, "min")]


class Band(Cited):
    """An interval of magnesium in mg/dL; ``acts_as`` is the class the rules speak of."""

    name: str = Field(min_length=1)
    acts_as: ActsAs
    low: Number | None = None
    low_inclusive: StrictBool = True
    high: Number | None = None
    high_inclusive: StrictBool = False
    unit: Literal["mg/dL"] = "mg/dL"
    indicator: Indicator | Literal["none"]
    why: str = Field(min_length=1)

    def holds(self, value: Decimal) -> bool:
        if self.low is not None and (
            value < self.low or (value == self.low and not self.low_inclusive)
        ):
            return False
        return not (
            self.high is not None
            and (value > self.high or (value == self.high and not self.high_inclusive))
        )

    @property
    def interval(self) -> str:
        """``1.20 < v < 1.50``"""
        low = "" if self.low is None else f"{self.low} {'<=' if self.low_inclusive else '<'} "
        high = "" if self.high is None else f" {'<=' if self.high_inclusive else '<'} {self.high}"
        return f"{low}v{high}"


class Renal(Spoken):
    """One renal class; ``start`` is its lower bound in mL/min, inclusive."""

    id: RenalId
    start: Number | None = None
    intravenous: Literal["full", "half", "refuse"]
    cap_g: Number
    cap_g_per_kg: Number | None = None
    oral: Literal["full", "reduced", "refuse"]
    says: str = Field(min_length=1)
    why: str = Field(min_length=1)


class Rule(Spoken):
    """A finding that can be a card: its title, its indicator (by class where it differs), and for
    a trigger what ``says`` is ordered, as the end of "magnesium is low and …". The indicator
    ``none`` switches the rule off, or a class of it (ruling 134)."""

    title: str = Field(min_length=1)
    indicator: Shown | dict[ActsAs, Shown]
    says: str = ""

    def indicator_for(self, acts_as: str | None) -> Indicator:
        """Of its finding, which is not shown where the rule is off."""
        found = self._stated(acts_as)
        return "info" if found is None or found == "none" else found

    def off_for(self, acts_as: str | None) -> bool:
        return self._stated(acts_as) == "none"

    @property
    def off(self) -> tuple[str, ...]:
        """The classes at which it is off; ``("",)`` when it is off at any."""
        if isinstance(self.indicator, str):
            return ("",) if self.indicator == "none" else ()
        return tuple(name for name, found in self.indicator.items() if found == "none")

    def _stated(self, acts_as: str | None) -> Shown | None:
        if isinstance(self.indicator, str):
            return self.indicator
        return self.indicator.get(acts_as)  # type: ignore[call-overload, no-any-return]  # None: no class


class Stop(Spoken):
    """A hard stop: what it blocks, whether life-threatening arrhythmia is exempt."""

    title: str = Field(min_length=1)
    blocks: Literal["all", "parenteral"]
    life_exempt: StrictBool = False
    says: str = Field(min_length=1)


class Product(Model):
    """What a pharmacy gives: codings in order of preference, text, strength.

    ``salt`` decides the arithmetic; ``elemental_mg`` per ``unit_mg`` is stated for salts whose
    content is labelled. ``round_to_mg`` is the step the pharmacy stocks: a dose that is no
    multiple of it is refused when the file is read, with the next lower stocked dose named (a
    dose is never changed behind the reader's back). ``substance`` is the drug as a card names it.
    """

    substance: str = Field(min_length=1)
    route: Literal["iv", "im", "po"]
    salt: Literal["sulfate", "oxide", "lactate", "chloride", "glycinate"]
    codings: tuple[ProductCode, ...] = Field(min_length=1)
    text: str = Field(min_length=1)
    diluent: str = ""
    dose_unit: Literal["g", "mg"]
    unit_mg: Number | None = None
    elemental_mg: Number | None = None
    round_to_mg: Number | None = None

    def mmol(self, mg: Decimal) -> Decimal:
        """Millimoles of magnesium in milligrams of this product, as it is dosed."""
        if self.salt in ("sulfate", "oxide"):
            return SaltMass(mg, self.salt).mmol
        # The file is refused unless it states the content of every other salt.
        return mg * (self.elemental_mg or 0) / (self.unit_mg or 1) / MG_MOLAR


class ProductCode(Model):
    system: Literal["rxnorm", "ndc"] | str
    code: str = Field(min_length=1)
    display: str = Field(min_length=1)


class When(Model):
    """A row's condition: every stated part must hold; an unstated part always holds."""

    classes: tuple[ActsAs, ...] = ()
    bands: tuple[str, ...] = ()
    flags: tuple[Flag, ...] = ()
    without: tuple[Flag, ...] = ()
    settings: tuple[Setting, ...] = ()
    renal: tuple[RenalId, ...] = ()
    weight_from: Number | None = None
    weight_to: Number | None = None


class Option(Model):
    """One way to treat: product, dose and how it is given; ``star`` marks the recommended.

    ``then_dose`` over ``then_minutes`` is a second infusion after the first; when both do not
    fit the 24 h cap and the first does, the first alone is offered.
    """

    product: str
    dose: Number = Field(gt=0)
    minutes: StrictInt | None = Field(default=None, gt=0)
    per_day: StrictInt | None = Field(default=None, gt=0)
    count: StrictInt | None = Field(default=None, gt=0)
    every_hours: StrictInt | None = Field(default=None, gt=0)
    at_night: StrictBool = False
    star: StrictBool = False
    when: When = When()
    then_dose: Number | None = Field(default=None, gt=0)
    then_minutes: StrictInt | None = Field(default=None, gt=0)


class Regimen(Cited):
    """A row of the regimen table: the first row of which ``when`` holds decides.

    ``else_next``: when the starred option cannot be given (stop, cap), the next row that holds
    decides instead.
    """

    id: str = Field(min_length=1)
    when: When
    offer: tuple[Option, ...]
    else_next: StrictBool = False
    why: str = Field(min_length=1)


class Followup(Cited):
    """When magnesium is measured again: first row that holds. ``recheck`` entries are
    ``end+6h``, ``start+48h``, ``start+14d`` or ``next-morning``. ``when`` may speak of classes,
    settings and renal classes. An oral order lasts until its ``start+`` recheck."""

    routes: tuple[Literal["iv", "im", "po"], ...]
    regimens: tuple[str, ...] = ()
    when: When = When()
    recheck: tuple[Annotated[str, Field(pattern=r"^(?:(?:end|start)\+\d+[hd]|next-morning)$")], ...]


class Interaction(Cited):
    """Hours apart from oral magnesium, by ingredient name (protocol section 9); ``off`` is known
    and makes no card."""

    drug: str = Field(min_length=1)
    says: str = Field(min_length=1)
    off: StrictBool = False


class DrugList(Cited):
    """A site's change to a list of drugs (ingredient names of cards/codes/codes.toml): causes
    (``cause`` triggers N6, ``cause-tier2`` is only named) and QT drugs (``qt-known`` is the list
    of N4, ``qt-strong`` sets ``risk`` alone)."""

    group: Literal["cause", "cause-tier2", "qt-known", "qt-strong"]
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    why: str = Field(min_length=1)


class DrugCode(Model):
    system: str = Field(min_length=1)
    code: str = Field(min_length=1)


class SiteDrug(Cited):
    """A drug as a site calls it: ``names`` as whole words of an order's text, ``codes`` of its
    own systems (``rxnorm``, ``ndc``, ``atc``, ``snomed`` or a URI). What it is: a ``drug`` of
    cards/codes/codes.toml, or a ``group`` of it ("none": no drug of this protocol). ``mg`` is one
    tablet's salt, ``mg_per_ml`` the sulfate in an injection; ``protocol`` marks a replacement
    protocol, which is given as needed."""

    drug: str = ""
    group: str = ""
    names: tuple[Annotated[str, Field(min_length=3)], ...] = ()
    codes: tuple[DrugCode, ...] = ()
    form: Literal["parenteral", "oral", "other"] | None = None
    mg: Number | None = Field(default=None, gt=0)
    mg_per_ml: Number | None = Field(default=None, gt=0)
    protocol: StrictBool = False
    why: str = Field(min_length=1)


class Wording(Spoken):
    text: str = Field(min_length=1)


class Wordings(Model):
    """The words drug cards carry (protocol section 10a)."""

    monitoring: Wording
    ecg: Wording
    antidote: Wording
    reassess: Wording
    oral_after_iv: Wording
    oral_taking: Wording
    oral_recheck: Wording
    oral_stopping: Wording
    symptoms: Wording
    target: Wording
    platinum: Wording
    alternatives: Wording
    diet: Wording
    giloss: Wording
    refractory: Wording
    specialist: Wording
    high: Wording
    toxic: Wording
    torsades: Wording
    emergency: Wording
    potassium: Wording
    potassium_urgent: Wording
    calcium_recheck: Wording
    calcium_now: Wording
    cautions: Wording
    review: Wording
    maintenance: Wording
    unit_check: Wording
    failing: Wording
    too_much: Wording
    agree_dose: Wording
    pregnancy_limit: Wording


class Relaxed(Model):
    """A site's decision to relax a named requirement; shown in red and on every card."""

    stop: Literal["RU", "H4", "H5", "H7", "H8", "weight-unknown"]
    approver: str = Field(min_length=1)
    reason: str = Field(min_length=1)


class ProtocolFile(Model):
    """A whole protocol file as parsed; ``cards.protocol.Protocol`` adds name, hash, index."""

    protocol: Head
    sources: dict[str, str]
    result: Result
    limit: Limits
    band: tuple[Band, ...] = Field(min_length=1)
    renal: tuple[Renal, ...] = Field(min_length=1)
    rule: dict[str, Rule]
    stop: dict[str, Stop]
    product: dict[str, Product]
    regimen: tuple[Regimen, ...] = Field(min_length=1)
    followup: tuple[Followup, ...] = ()
    interaction: tuple[Interaction, ...] = ()
    drug_list: tuple[DrugList, ...] = ()
    drug: tuple[SiteDrug, ...] = ()
    wording: Wordings
    relaxed: tuple[Relaxed, ...] = ()
