"""Chart: the typed clinical facts of one patient at one moment, each with its source.

The only reader of Evidence. ``now`` is an argument; its timezone is the site's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice

from msgspec import Struct

from cards import codes
from cards.chart.allergies import Allergy, read_allergies
from cards.chart.conditions import Conditions, read_conditions
from cards.chart.dialysis import read_dialysis, runs_filtration, suspected_dialysis
from cards.chart.encounter import read_stay
from cards.chart.kidney import Kidney, Person, read_kidney
from cards.chart.labs import FINAL, Lab, Laboratory, Labs, collected_at
from cards.chart.magnesium import Magnesium, MagnesiumReading, read_magnesium
from cards.chart.medicines import Medicines, read_medicines
from cards.chart.suspected import Suspected
from cards.chart.unread import unknown_status, unread_conditions, unread_medicines
from cards.evidence import Answered, Evidence, Gap, Unread
from cards.fhir import read_codes, words_of
from cards.fhir.instant import age_span
from cards.fhir.resource import Resource
from cards.orders import DraftOrder, Orders
from cards.protocol import Protocol
from cards.protocol.rules import RULES

_PREGNANT_WEEKS = 42


class Chart(Struct, frozen=True, gc=False):
    """Facts of one patient at ``now``.

    ``setting`` is "inpatient" or "ambulatory" ("inpatient" when ``setting_known`` is False);
    ``age`` (youngest, oldest) whole years; ``weight`` kg; ``qtc`` ms; ``corrected_calcium``
    mg/dL (None when it cannot be told); ``gaps`` by need; ``suspected`` stops that only words
    name.
    """

    now: datetime
    patient_id: str
    setting: str
    setting_known: bool
    encounter_id: str | None
    age: tuple[int, int] | None
    sex: str | None
    magnesium: MagnesiumReading
    potassium: Lab | None
    calcium: Lab | None
    corrected_calcium: Decimal | None
    ionized_calcium: Lab | None
    kidney: Kidney
    weight: Lab | None
    weight_note: str | None
    qtc: Lab | None
    qtc_uncorrected: bool
    wide_qrs: bool
    platelets: Lab | None
    conditions: Conditions
    medicines: Medicines
    pregnant: str | None
    intolerance: str | None
    labs_ordered: frozenset[str]
    fe_mg: Decimal | None
    gaps: tuple[Gap, ...]
    suspected: tuple[Suspected, ...] = ()
    unread_medicines: tuple[Unread, ...] = ()
    notes: tuple[str, ...] = ()
    pregnant_by_status: bool = False
    creatinine: Lab | None = None
    filtered: bool = False
    deceased: bool = False
    allergies: tuple[Allergy, ...] = ()
    accepted: datetime | None = None

    def gap(self, need: str) -> Gap | None:
        return next((gap for gap in self.gaps if gap.need == need), None)

    @property
    def ambulatory(self) -> bool:
        return self.setting == "ambulatory"


def medication_index(evidence: Evidence, orders: Orders) -> Mapping[str, Resource]:
    """Medications and Substances from the evidence and from among the drafts: by id, and by the
    fullUrl under which each came."""
    came = (*evidence.of_type("Medication"), *evidence.of_type("Substance"))
    found = {m.id: m for m in came if m.id} | {**orders.medications}
    if found:
        types = ("Medication", "Substance")
        named = evidence.places.named.items()
        found = {url: r for url, r in named if r.resourceType in types} | found
    return found


def read_chart(
    evidence: Evidence,
    orders: Orders,
    drafts: tuple[DraftOrder, ...],
    medications: Mapping[str, Resource],
    protocol: Protocol,
    now: datetime,
    answered: Iterable[Answered] = (),
) -> Chart:
    """The Chart of the evidence at ``now``."""
    file = protocol.file
    stay = read_stay(evidence, orders.encounter_id)
    amb = stay.setting == "ambulatory"
    result = file.result
    age = (result.age_ambulatory if amb else result.age_inpatient).span
    labs = Laboratory(evidence, now, protocol)
    magnesium = read_magnesium(evidence, now, protocol, age, labs)
    conditions = read_conditions(evidence, now, stay, protocol)
    birth = age_span(evidence.patient.birthDate if evidence.patient else None, now)
    sex = _sex(evidence)
    weight, weight_note = _weight(labs["weight"], now, amb, protocol)
    dialysis = read_dialysis(evidence, conditions, now, stay, protocol)
    kidney = read_kidney(
        evidence,
        labs["creatinine"],
        Person(birth[1] if birth else None, sex, weight.value if weight else None),
        now,
        (result.age_creatinine_ambulatory if amb else result.age_creatinine_inpatient).span,
        protocol,
        dialysis=dialysis,
        esrd=conditions.state("esrd") is not None,
        aki_coded=conditions.in_encounter("aki") is not None,
    )
    allergies = read_allergies(evidence, protocol.formulary)
    corrected, shown_calcium = _calcium(labs, now, age, protocol)
    pregnant, male_note = _pregnancy(evidence, conditions, sex, now)
    by_status = sex != "male" and _pregnancy_status(evidence, now)
    ended = frozenset(d.resource.id for d in orders.ended if d.resource.id)
    medicines = read_medicines(evidence, medications, drafts, ended, now, protocol)
    return Chart(
        now=now,
        patient_id=evidence.patient_id,
        setting=stay.setting,
        setting_known=stay.known,
        encounter_id=stay.id,
        age=birth,
        sex=sex,
        magnesium=magnesium,
        potassium=labs["potassium"].newest(now, age),
        calcium=shown_calcium,
        corrected_calcium=corrected,
        ionized_calcium=labs["calcium-ionized"].newest(now, age),
        kidney=kidney,
        weight=weight,
        weight_note=weight_note,
        qtc=_qtc(labs, now, age),
        qtc_uncorrected=bool(evidence.lab("qt-uncorrected")),
        wide_qrs=_wide_qrs(labs, conditions, now, age, protocol),
        platelets=labs["platelets"].newest(now, age),
        conditions=conditions,
        medicines=medicines,
        pregnant=pregnant,
        intolerance=next((a.label for a in allergies if a.intolerance), None),
        allergies=allergies,
        labs_ordered=_labs_ordered(evidence),
        fe_mg=_fe_mg(magnesium.result, labs, medicines, now, protocol),
        gaps=(*_gaps(evidence, conditions), *_lab_gaps(labs, evidence, now, age)),
        suspected=(
            *_suspected(conditions, sex),
            *(suspected_dialysis(evidence, now, protocol) if dialysis is None else ()),
        ),
        unread_medicines=unread_medicines(evidence, medications, now, protocol.formulary),
        notes=tuple(note for note in (male_note,) if note),
        pregnant_by_status=by_status,
        creatinine=labs["creatinine"].newest(
            now, (result.age_creatinine_ambulatory if amb else result.age_creatinine_inpatient).span
        ),
        filtered=runs_filtration(evidence),
        deceased=_deceased(evidence),
        accepted=_accepted(answered, now, protocol),
    )


def _gaps(evidence: Evidence, conditions: Conditions) -> tuple[Gap, ...]:
    """Needs not obtained; the conditions too when one that may be a stop could not be used."""
    gaps = tuple(evidence.gaps.values())
    if "conditions" in evidence.gaps:
        return gaps
    unread = unread_conditions(evidence) or unknown_status(conditions)
    return gaps if unread is None else (*gaps, unread)


def _lab_gaps(labs: Laboratory, evidence: Evidence, now: datetime, age: timedelta) -> Iterator[Gap]:
    """Labs of which the newest holds a number and cannot be read (ruling 163)."""
    for need in ("potassium", "calcium", "albumin", "qtc"):
        if not evidence.obtained(need):
            continue
        lost = labs[need].unread_since(None)
        if lost is not None and now - lost.collected <= age:
            yield Gap(need, f'the newest {lost.why}: "{lost.text}"')


def _suspected(conditions: Conditions, sex: str | None) -> tuple[Suspected, ...]:
    """What only words name, but for what is known to be otherwise."""
    paced = conditions.sure_state("pacemaker") is not None
    return tuple(
        found
        for found in conditions.suspected
        if not (found.group == "pregnancy" and sex == "male")
        and not (found.group == "heart block" and paced)
    )


def _accepted(answered: Iterable[Answered], now: datetime, protocol: Protocol) -> datetime | None:
    """When a magnesium order that was suggested here was accepted, so lately that the record may
    not show it yet (ruling 149)."""
    span = protocol.file.limit.accepted_unseen.span
    times = [
        a.at
        for a in answered
        if a.outcome == "accepted"
        and (kind := RULES.get(a.rule)) is not None
        and (kind.treats or kind.listens or a.rule == "sign")
        and timedelta(0) <= now - a.at < span
    ]
    return max(times, default=None)


def _deceased(evidence: Evidence) -> bool:
    patient = evidence.patient
    return patient is not None and bool(patient.deceasedBoolean or patient.deceasedDateTime)


def _sex(evidence: Evidence) -> str | None:
    gender = evidence.patient.gender if evidence.patient else None
    return gender if gender in ("male", "female") else None


def _weight(
    weights: Labs, now: datetime, ambulatory: bool, protocol: Protocol
) -> tuple[Lab | None, str | None]:
    """The newest believable weight in kg, or why there is none (ruling 12)."""
    limits, result = protocol.file.limit, protocol.file.result
    age = (result.age_weight_ambulatory if ambulatory else result.age_weight_inpatient).span
    if not weights:
        return None, None
    newest, before = (*islice(weights, 2), None, None)[:2]
    if newest is None or not weights.newest_reads:
        return None, "the newest weight has no readable unit or value"
    if now - newest.collected > age:
        return None, "the newest weight is too old"
    if not limits.weight_low.value <= newest.value <= limits.weight_high.value:
        return None, f"a weight of {newest.quantity} is not believed"
    if before is not None:
        change = abs(newest.value - before.value) * 100
        if change > limits.weight_jump.value * before.value:
            return None, f"the last two weights differ by more than {limits.weight_jump.said}"
    return newest, None


def _calcium(
    labs: Laboratory, now: datetime, age: timedelta, protocol: Protocol
) -> tuple[Decimal | None, Lab | None]:
    """(corrected calcium in mg/dL, the calcium it comes from); None when albumin is unknown.

    A measured corrected calcium is taken as is (ruling 59).
    """
    total = labs["calcium"].newest(now, age)
    measured = labs["calcium-corrected"].newest(now, age)
    if measured is not None and (total is None or measured.collected >= total.collected):
        return (measured.value if measured.comparator is None else None), measured
    albumin = labs["albumin"].newest(now, age)
    if total is None or total.comparator or albumin is None or albumin.comparator:
        return None, total
    limit = protocol.file.limit
    low = max(limit.albumin_normal.value - albumin.value, Decimal(0))
    return total.value + limit.calcium_per_albumin.value * low, total


def _qtc(labs: Laboratory, now: datetime, age: timedelta) -> Lab | None:
    lab = labs["qtc"].newest(now, age)
    return lab if lab is not None and 250 <= lab.value <= 800 else None


def _wide_qrs(
    labs: Laboratory, conditions: Conditions, now: datetime, age: timedelta, protocol: Protocol
) -> bool:
    qrs = labs["qrs-duration"].newest(now, age)
    wide = qrs is not None and qrs.at_least(protocol.file.limit.qrs_wide.value)
    return wide or conditions.sure_state("paced-rhythm") is not None


def _pregnancy(
    evidence: Evidence, conditions: Conditions, sex: str | None, now: datetime
) -> tuple[str | None, str | None]:
    """(why the patient counts as pregnant, a note when that was ignored) (ruling 36)."""
    fact = conditions.state("pregnancy") or conditions.state("preeclampsia")
    found = (fact.label or "pregnancy") if fact is not None else None
    if _pregnancy_status(evidence, now):
        found = found or "pregnancy status"
    if found and sex == "male":
        return None, "a pregnancy on file of a male patient was ignored"
    return found, None


def _pregnancy_status(evidence: Evidence, now: datetime) -> bool:
    oldest = now - timedelta(weeks=_PREGNANT_WEEKS)
    return any(
        (when := collected_at(resource)) is not None
        and oldest <= when.start <= now
        and _says_pregnant(resource)
        for resource in evidence.lab("pregnancy-status")
    )


def _says_pregnant(resource: Resource) -> bool:
    value = resource.valueCodeableConcept
    if value is None or resource.status not in FINAL:
        return False
    return any(c.code in ("LA15173-0", "77386006") for c in read_codes(value)) or any(
        word.lower() == "pregnant" for word in words_of(value)
    )


def _labs_ordered(evidence: Evidence) -> frozenset[str]:
    """Lab concepts of active orders ("magnesium")."""
    return frozenset(
        kind
        for resource in evidence.of_type("ServiceRequest")
        if resource.status == "active" and not resource.doNotPerform
        for code in read_codes(resource.code)
        for kind in codes.order_concepts(code.system, code.code)
    )


def _fe_mg(
    magnesium: Magnesium | None,
    labs: Laboratory,
    medicines: Medicines,
    now: datetime,
    protocol: Protocol,
) -> Decimal | None:
    """Fractional excretion of magnesium in %, when all four results lie within 24 h and not
    within 24 h of intravenous magnesium (protocol section 10)."""
    window = protocol.file.limit.femg_window.span
    names = ("urine-magnesium", "urine-creatinine", "creatinine")
    found = [labs[name].newest(now, window) for name in names]
    urine_magnesium, urine_creatinine, creatinine = found
    if urine_magnesium is None or urine_creatinine is None or creatinine is None:
        return None
    if magnesium is None or not magnesium.usable or magnesium.value is None:
        return None
    if magnesium.collected is None or now - magnesium.collected > window:
        return None
    if medicines.parenteral_since(window):
        return None
    if any(lab.comparator for lab in (magnesium, urine_magnesium, urine_creatinine, creatinine)):
        return None
    below = Decimal("0.7") * magnesium.value * urine_creatinine.value
    return 100 * urine_magnesium.value * creatinine.value / below if below > 0 else None
