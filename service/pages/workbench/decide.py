"""Decide: a Bench of the filled form, decided by ``service.answer`` as at a hook.

Nothing is stored. Only an answer to a card is: then the call counts as made (``keep``), and the
browser sends the feedback to the feedback endpoint itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec

from cards.evidence import Answered, Evidence
from cards.protocol import PROFILES, Protocol, shipped
from service.answer import Answer, Clock, Mode, answer
from service.cdshooks.request import SERVICE_OF_HOOK, HookRequest
from service.errors import ServiceError
from service.pages.draft import DRUGS
from service.pages.example import examples
from service.pages.paste import Pasted, PasteError, Problem, hook_of, read_paste, written
from service.pages.picture import draw
from service.pages.place import place_of
from service.pages.whatif import (
    CONDITIONS,
    DRUG_FLAGS,
    SETTINGS,
    Base,
    Flag,
    WhatIf,
    as_hook,
    dials,
    edited,
    read_base,
    read_whatif,
)
from service.pages.workbench.bench import Bench, Card, Control, Controls, Decided, Switch
from service.pages.workbench.filled import HOOKS, RUNNING, Filled
from service.pages.workbench.silence import silence

Json = dict[str, Any]
Lookup = Callable[[HookRequest, Evidence], Sequence[Answered]]
_WIDE, _NARROW = (760, 300), (344, 280)


@dataclass(frozen=True, slots=True)
class Setup:
    """What of the running service the workbench needs. ``answered`` looks up earlier answers;
    None where nothing is kept."""

    protocol: Protocol
    clock: Clock
    mode: Mode
    base_url: str
    bearer: bool
    answered: Lookup | None


def decide(form: Filled, setup: Setup, now: datetime) -> Bench:
    """The Bench of the form. Never raises on what was pasted."""
    text, chosen = form.text, ""
    if form.example in examples():
        text, chosen = examples()[form.example].text, form.example
    made = _Maker(form, setup, now)
    try:
        pasted = read_paste(text, form.hook or None, now)
    except PasteError as error:
        return made.page(text, chosen, problems=error.problems)
    # An example stands in the field as it is sent, its times those of today.
    shown = pasted.text if chosen else text
    chosen = chosen or form.label
    hook = form.hook or hook_of(pasted.request)
    if hook is None:
        return made.page(shown, chosen, problems=(_no_hook(pasted),))
    return made.decided(pasted, shown, chosen, hook)


def keep(body: bytes, service: str, setup: Setup, now: datetime) -> Answer:
    """The Answer to a request that was decided here, to be remembered as shown: an answer to its
    card is on the way. Raises the errors of ``service.errors``."""
    return answer(body, service, now, setup.protocol, answered=setup.answered, clock=setup.clock)


def _no_hook(pasted: Pasted) -> Problem:
    words = f"The request names no hook of this service ({', '.join(HOOKS)}): choose one above."
    return Problem(words, "/hook", place_of(pasted.text, "/hook") if pasted.own else None)


@dataclass(frozen=True, slots=True)
class _Maker:
    """``took`` is how long each decision took, in ms."""

    form: Filled
    setup: Setup
    now: datetime
    took: list[float] = field(default_factory=list)

    def page(
        self,
        text: str,
        chosen: str,
        *,
        remarks: tuple[str, ...] = (),
        problems: tuple[Problem, ...] = (),
        controls: Controls | None = None,
        decided: Decided | None = None,
    ) -> Bench:
        running = self.setup.protocol
        profiles = [(RUNNING, f"{running.name} {running.version} (running)")]
        profiles += [(name, name) for name in PROFILES if _profile(name).hash != running.hash]
        return Bench(
            examples=tuple(examples().values()),
            example=chosen,
            text=text,
            hook=self.form.hook,
            profile=self.form.profile,
            profiles=tuple(profiles),
            remarks=remarks,
            problems=problems,
            controls=controls,
            decided=decided,
        )

    @property
    def protocol(self) -> Protocol:
        name = self.form.profile
        return self.setup.protocol if name == RUNNING else _profile(name)

    def decided(self, pasted: Pasted, shown: str, chosen: str, hook: str) -> Bench:
        request, text = as_hook(pasted.request, hook), pasted.text
        own = pasted.own and request is pasted.request
        if request is not pasted.request:
            text = written(request)
        service = SERVICE_OF_HOOK[hook]
        given = self._answer(text, service)
        if isinstance(given, ServiceError):
            decided = self._refused(given, text, service, hook, own)
            return self.page(
                shown, chosen, remarks=pasted.remarks,
                problems=decided.problems, decided=decided,
            )  # fmt: skip
        base = read_base(given.decision)
        form = self.form
        whatif = WhatIf()
        if not form.fresh:
            whatif = read_whatif(form.values, form.flags, base)
        changes: tuple[str, ...] = ()
        if whatif:
            request, changes = edited(request, whatif, base, hook, self.now)
            text = written(request)
            given = self._answer(text, service)
        if isinstance(given, ServiceError):
            decided = self._refused(given, text, service, hook, False, changes)
        else:
            decided = self._made(given, text, service, hook, changes, request)
        return self.page(
            shown,
            chosen,
            remarks=pasted.remarks,
            controls=self._controls(base, whatif, hook),
            decided=decided,
        )

    def _answer(self, text: str, service: str) -> Answer | ServiceError:
        setup, started = self.setup, time.perf_counter()
        try:
            return answer(
                text.encode("utf-8", "replace"),
                service,
                self.now,
                self.protocol,
                answered=setup.answered if self.form.hushing else None,
                mode=setup.mode,
                clock=setup.clock,
            )
        except ServiceError as error:
            return error
        finally:
            self.took.append(round((time.perf_counter() - started) * 1000, 1))

    def _refused(
        self,
        error: ServiceError,
        text: str,
        service: str,
        hook: str,
        own: bool,
        changes: tuple[str, ...] = (),
    ) -> Decided:
        problems = tuple(
            Problem(
                issue.text,
                issue.pointer,
                place_of(text, issue.pointer) if own and issue.pointer is not None else None,
            )
            for issue in error.issues
        )
        return Decided(
            service=service,
            hook=hook,
            status=error.status,
            ms=self.took[-1],
            sent=text,
            given=_pretty(error.outcome()),
            curl=self._curl(text, service),
            changes=changes,
            problems=problems,
        )

    def _made(
        self,
        given: Answer,
        text: str,
        service: str,
        hook: str,
        changes: tuple[str, ...],
        request: Json,
    ) -> Decided:
        decision = given.decision
        trace = decision.trace()
        found = msgspec.json.decode(given.response.body, type=dict[str, Any])
        draws = [draw(trace.course, given.protocol, given.now, *s) for s in (_WIDE, _NARROW)]
        return Decided(
            service=service,
            hook=hook,
            status=200,
            ms=self.took[-1],
            sent=text,
            given=_pretty(given.body),
            curl=self._curl(text, service),
            changes=changes,
            cards=tuple(Card(n, card) for n, card in enumerate(found["cards"], 1)),
            trace=trace,
            silence=None if found["cards"] else silence(decision, hook),
            protocol=given.protocol,
            now=given.now,
            wide=draws[0],
            narrow=draws[1],
            hushed=len(decision.hushed),
            shadow=self.setup.mode == "shadow",
            no_answers=self._no_answers(),
            fhir_server=bool(request.get("fhirServer")),
        )

    def _no_answers(self) -> str:
        """Why answers to the cards cannot be sent from here; empty when they can."""
        if self.setup.bearer:
            return "Answers need a client's token: send them from the record."
        if self.setup.answered is None:
            return "This service keeps no answers."
        if self.setup.mode == "shadow":
            return "In shadow mode no card is shown, so none is answered."
        if self.protocol.hash != self.setup.protocol.hash:
            return "Answers are kept for the protocol that the service runs; this is another."
        return ""

    def _curl(self, text: str, service: str) -> str:
        """A line for a shell. The body stands in it: a quoted here-document changes nothing."""
        url = f"{self.setup.base_url}/cds-services/{service}"
        end = "REQUEST"
        while f"\n{end}\n" in f"\n{text}\n":
            end += "_"
        token = ' -H "Authorization: Bearer $TOKEN"' if self.setup.bearer else ""
        head = f"curl -sS -X POST {url} -H 'Content-Type: application/json'{token}"
        return f"{head} --data-binary @- <<'{end}'\n{text}\n{end}"

    def _controls(self, base: Base, whatif: WhatIf, hook: str) -> Controls:
        def shown(value: Decimal | None) -> str:
            return "none" if value is None else f"{value}"

        on = (base.flags | {f.name for f in whatif.added}) - {f.name for f in whatif.removed}
        changed = {f.name for f in (*whatif.added, *whatif.removed)}
        values = {} if self.form.fresh else self.form.values

        def switches(flags: tuple[Flag, ...]) -> tuple[Switch, ...]:
            return tuple((f.name, f.label, f.name in on, f.name in changed) for f in flags)

        return Controls(
            dials=tuple(
                Control(
                    d.name, d.label, d.unit, d.low, d.high, d.step, value,
                    shown(base.values[d.name]), moved,
                )
                for d, value, moved in dials(base, values, whatif)
            ),
            conditions=switches(CONDITIONS),
            drugs=switches(DRUG_FLAGS),
            setting=whatif.setting,
            settings=SETTINGS,
            ordering=hook != "patient-view",
            order={name: values.get(name, "") for name in ORDER_FIELDS},
            hushing=self.form.hushing,
            moved=bool(whatif),
        )  # fmt: skip


ORDER_FIELDS = ("order", "order-dose", "order-minutes", "order-perday")
ORDERABLE = tuple(DRUGS.items())


@cache
def _profile(name: str) -> Protocol:
    return shipped(name)


def _pretty(body: bytes) -> str:
    return msgspec.json.format(body, indent=2).decode()
