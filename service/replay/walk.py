"""Walk: one patient through time.

Each medication order is an order-select at ``authoredOn``, those written together are one
order-sign (moment.py), each magnesium result is a patient-view at the time it was known; each is
decided by ``cards.decide`` on what was known then, and becomes one row. An order that is chosen
sees the others of its moment as active.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import repeat

import cards
from cards import codes
from cards.chart.magnesium.candidate import IGNORED
from cards.evidence import NEEDS, Gap, Unrecognised, has_code_shape
from cards.evidence.known import EVER, end_guessed, known_since, latest
from cards.fhir import key_of
from cards.fhir.instant import read_instant
from cards.fhir.resource import EncounterClass, Resource, name
from cards.orders import Orders, read_order
from cards.orders.order import NEVER_RUN
from cards.protocol import Protocol
from service.cdshooks.request import SERVICE_OF_HOOK
from service.replay import compare, describe
from service.replay.answers import Answering
from service.replay.ask import Ask
from service.replay.history import History
from service.replay.moment import Moment, Written, chosen, signed, written_at
from service.replay.names import Names
from service.replay.record import Record, author, drafted, read_record
from service.replay.row import LOW_H, PARTED, Decided, Low, Trigger, Walked
from service.replay.sample import Drawn, Sample, Sampled, card_text

_CLASS = {"inpatient": "IMP", "ambulatory": "AMB"}
_NEVER_WRITTEN = frozenset({"draft", "entered-in-error"})
_NO_STAY = frozenset({"planned", "cancelled", "entered-in-error"})
_LOW = timedelta(hours=LOW_H)


class Walker:
    """What is the same for all patients of a replay. ``held``: the types the export holds."""

    def __init__(self, ask: Ask, held: Iterable[str]) -> None:
        self.ask, self.zone, self.names = ask, ask.zone, Names(ask.key)
        self.protocol = ask.protocol.read()
        self.against = ask.against.read() if ask.against is not None else None
        there = {*held, *ask.assume_none}
        self.gaps: Mapping[str, Gap] = {
            need.name: Gap(need.name, f"the export holds no {need.type}")
            for need in NEEDS
            if need.type not in there
        }

    def walk(
        self, patient: str, patient_id: str, lines: Iterable[bytes], sample: Sample | None = None
    ) -> Walk:
        """The Walk of a patient; ``lines`` are its own and those of its Medications. Cards that
        ``sample`` wants are kept whole."""
        return Walk(self, patient, read_record(patient_id, lines), sample)


class Walk:
    """One patient: first ``decisions``, then what they add up to."""

    def __init__(
        self, walker: Walker, patient: str, record: Record, sample: Sample | None = None
    ) -> None:
        self._sample = sample
        self._cards: list[Sampled] = []
        self._shown = 0
        self._walker, self._patient, self._record = walker, patient, record
        self._history = self._read(walker.protocol)
        self._sides = [self._side(walker.protocol, self._history)]
        against = walker.against
        if against is not None:
            same = against.site_labs == walker.protocol.site_labs
            self._sides.append(self._side(against, self._history if same else self._read(against)))
        self._orders = self._read_orders()
        self._treatments = sorted(
            ((m.at, m.order) for m in self._orders if m.order.magnesium),
            key=lambda pair: (pair[0], pair[1].resource.id or ""),
        )
        self._results = list(self._read_results())
        times = [known_since(r, walker.zone) for r in record.resources]
        self._times = sorted(t for t in times if t is not None and t > EVER)
        self._lows: list[Low] = []
        self._unrecognised: set[Unrecognised] = set()

    def _read(self, protocol: Protocol) -> History:
        return History(
            self._record.patient_id,
            self._record.resources,
            self._walker.zone,
            self._walker.gaps,
            self._record.unread,
            site_labs=protocol.site_labs,
        )

    def _side(self, protocol: Protocol, history: History) -> tuple[Protocol, History, Answering]:
        return protocol, history, Answering(self._walker.ask.answers, protocol)

    # --- what fires -------------------------------------------------------------------------

    def _read_orders(self) -> tuple[Written, ...]:
        found: dict[str, Written] = {}
        formulary = self._walker.protocol.formulary
        for resource, raw in self._record.orders:
            written = written_at(resource.authoredOn, self._walker.zone)
            if written is None or resource.status in _NEVER_WRITTEN:
                continue
            if resource.intent in NEVER_RUN:
                continue
            order = read_order(resource, self._record.medications, formulary)
            id_ = self._trigger(resource, raw).id
            this = Written(*written, id_, resource, drafted(raw), order, author(raw))
            # Of an order that came in several versions the first is the one that was written.
            first = found.setdefault(id_, this)
            if this.at < first.at:
                found[id_] = this
        return tuple(sorted(found.values(), key=Written.rank))

    def _read_results(self) -> Iterator[Moment]:
        seen = set()
        for since, resource in self._history.results("magnesium"):
            if resource.status in IGNORED or resource.dataAbsentReason is not None:
                continue
            trigger = self._trigger(resource)
            if (since, trigger.id) not in seen:
                seen.add((since, trigger.id))
                texts = (resource.issued, resource.effectiveDateTime, resource.effectiveInstant)
                told = next((i for text in texts if (i := read_instant(text))), None)
                exact = told.exact if told is not None else True
                yield Moment(since, exact, "patient-view", trigger, resource)

    def _trigger(self, resource: Resource, raw: bytes = b"") -> Trigger:
        own = name(resource) if resource.id else raw.hex() or repr(resource)
        return Trigger(resource.resourceType or "", self._walker.names.resource(self._patient, own))

    # --- deciding ---------------------------------------------------------------------------

    def decisions(self) -> Iterator[Decided]:
        """The rows, in order. None without the Patient, as the service answers 412."""
        if self._history.patient is None:
            return
        hooks = self._walker.ask.hooks
        calls = list(signed(self._orders, alone=self._walker.ask.alone))
        moments = [*self._results, *chosen(self._orders), *calls]
        moments = sorted((m for m in moments if m.hook in hooks), key=Moment.rank)
        # An order answers a card once it is signed, and not the card at its own signing.
        waiting = sorted(m.at for m in calls if any(o.order.magnesium for o in m.orders))
        for moment in moments:
            while waiting and waiting[0] < moment.at:
                when = waiting.pop(0)
                for _, _, answering in self._sides:
                    answering.ordered(when)
            yield self._decide(moment)

    def _decide(self, moment: Moment) -> Decided:
        now = moment.at.astimezone(self._walker.zone)
        resource = moment.resource
        written = {o.resource.id for o in moment.orders if o.resource.id}
        made = []
        orders = None
        for protocol, history, answering in self._sides:
            encounter, encounter_id = self._encounter(resource, history, moment.at)
            orders = Orders(
                hook=moment.hook,
                service=SERVICE_OF_HOOK[moment.hook],
                hook_instance=f"replay-{moment.trigger.id}",
                drafts=tuple(order.raw for order in moment.orders),
                selections=(name(resource),)
                if moment.hook == "order-select" and resource.id
                else (),
                encounter_id=encounter_id,
            )
            evidence = history.at(moment.at, encounter, written)
            known = answering.known(moment.at)
            decision = cards.decide(evidence, orders, protocol, now, answered=known)
            answering.shown(decision)
            made.append(decision)
        decision = made[0]
        # Results are counted as they come, whatever is decided.
        self._unrecognised |= {w for w in decision.unrecognised if w.kind != "result"}
        self._draw(decision, moment)
        relevant = moment.hook != "order-select" or (
            orders is not None and cards.needs_patient(orders, self._walker.protocol)
        )
        if moment.hook == "patient-view":
            self._note_low(decision, moment)
        return self._row(moment, now, made, relevant=relevant)

    def _row(
        self, moment: Moment, now: datetime, made: list[cards.Decision], *, relevant: bool
    ) -> Decided:
        decision = made[0]
        plan, chart = decision.plan, decision.chart
        return Decided(
            patient=self._patient,
            time=describe.utc(moment.at),
            hour=now.hour,
            weekday=now.weekday(),
            hook=moment.hook,
            trigger=moment.trigger,
            exact=moment.exact,
            orders=tuple(
                describe.ordered(
                    written.order,
                    written.id,
                    relevant=relevant,
                    told=describe.told(decision, written.raw),
                )
                for written in moment.orders
            ),
            setting=chart.setting,
            setting_known=chart.setting_known,
            renal=chart.kidney.id,
            magnesium=describe.level(decision),
            lead=plan.rule if plan is not None else None,
            rules=decision.rules,
            findings=tuple(dict.fromkeys(f.rule for f in plan.findings)) if plan else (),
            indicator=decision.worst,
            suggestions=describe.suggestions(decision),
            refusals=describe.refusals(decision, decision.protocol),
            gaps=describe.gaps(decision),
            hushed=describe.hushed(decision),
            followed=describe.followed(
                decision, self._treatments, {o.resource.id for o in moment.orders if o.resource.id}
            ),
            against=compare.other(decision, made[1]) if len(made) > 1 else None,
        )

    def _encounter(
        self, resource: Resource, history: History, moment: datetime
    ) -> tuple[Resource | None, str | None]:
        """(the encounter in context as it stood, its id): the one the trigger names, else the
        one that was going on, else the setting that is assumed."""
        key = key_of(resource.encounter)
        named = key[1] if key is not None and key[0] == "Encounter" else None
        here = history.encounter(named, moment) if named else history.encounter_during(moment)
        if here is None and self._walker.ask.setting:
            code = _CLASS[self._walker.ask.setting]
            here = Resource(
                resourceType="Encounter",
                id=named or "assumed",
                status="in-progress",
                class_=EncounterClass(system=codes.ACT_CODE, code=code),
            )
        return here, named or (here.id if here is not None else None)

    def _note_low(self, decision: cards.Decision, moment: Moment) -> None:
        result = decision.chart.magnesium.result
        if (
            result is None
            or not (result.usable and result.low)
            or result.value is None
            or result.source != name(moment.resource)
        ):
            return
        at = moment.at
        first = next(((w, o) for w, o in self._treatments if at <= w <= at + _LOW), None)
        medicines = decision.chart.medicines
        last = self._times[-1] if self._times else at
        self._lows.append(
            Low(
                time=describe.utc(at),
                value=result.value,
                acts_as=result.acts_as or "",
                borderline=result.borderline,
                hours=describe.hours(first[0], at) if first is not None else None,
                route=first[1].route if first is not None else None,
                treated=bool(
                    medicines.running_parenteral
                    or medicines.running_oral
                    or medicines.given_since(result.collected)
                ),
                observed_h=describe.hours(min(max(last, at), at + _LOW), at),
            )
        )

    def _draw(self, decision: cards.Decision, moment: Moment) -> None:
        if self._sample is None or decision.plan is None:
            return
        self._shown += 1
        when, trigger = describe.utc(moment.at), moment.trigger
        rank = self._sample.rank(self._patient, moment.hook, trigger.id, when)
        if self._sample.wants(rank):
            text = card_text(decision, moment, self._orders, self._results)
            self._cards.append(Sampled(rank, decision.plan.findings[0].rule, text))

    @property
    def drawn(self) -> Drawn:
        """How many cards were shown so far, and those that the sample wanted."""
        return Drawn(self._shown, tuple(self._cards))

    # --- the patient ------------------------------------------------------------------------

    def walked(self, decisions: int) -> Walked:
        """The patient's own line, once all decisions are made."""
        history, record = self._history, self._record
        days, counted = self._days()
        return Walked(
            patient=self._patient,
            days=days,
            counted=counted,
            orders=len(self._orders),
            magnesium_orders=len(self._treatments),
            magnesium_results=len(self._results),
            decisions=decisions,
            lows=tuple(self._lows),
            resources=_sorted(record.found),
            undated=_sorted(history.undated),
            unread=_sorted(record.broken),
            conflicts=_sorted(history.conflicts),
            unrecognised=self._told(),
            lost_magnesium=history.lost_magnesium,
            guessed_ends=sum(end_guessed(r, self._walker.zone) for r, _ in record.orders),
            patient_missing=history.patient is None,
        )

    def _told(self) -> dict[str, int]:
        """What was not recognised: codes, systems and units that look it; of a text nothing."""
        found: Counter[str] = Counter()
        for what, count in (
            *self._history.unrecognised.items(),
            *zip(self._unrecognised, repeat(1), strict=False),
        ):
            sent = (what.system, what.code, what.unit)
            parts = (part if has_code_shape(part) else "(text)" for part in sent)
            found[PARTED.join((what.kind, *parts))] += count
        return _sorted(found)

    def _days(self) -> tuple[float, str]:
        """(days under observation, what they were counted by)"""
        if not self._times:
            return 0, "none"
        zone, last = self._walker.zone, self._times[-1]
        stays = []
        for resource in self._record.resources:
            period = resource.period
            if resource.resourceType == "Encounter" and resource.status not in _NO_STAY and period:
                start = latest(period.start, zone)
                if start is not None:
                    stays.append((start, latest(period.end, zone) or last))
        counted = "encounters" if stays else "records"
        total, reached = timedelta(0), EVER
        for start, end in sorted(stays or [(self._times[0], last)]):
            begin = max(start, reached)
            if end > begin:
                total, reached = total + (end - begin), end
        return round(max(total, timedelta(hours=1)).total_seconds() / 86_400, 4), counted


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return {key: counts[key] for key in sorted(counts)}
