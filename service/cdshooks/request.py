"""HookRequest: one CDS Hooks call, checked, its prefetch read as far as it can be read.

The whole body is decoded in one pass. Only when something in it breaks the types is the
envelope decoded by itself and its prefetch taken apart (service.cdshooks.prefetch). An
envelope that does not fit is a 400, and the published schema says what is wrong and where.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NoReturn

import msgspec
from msgspec import Raw, Struct

from cards.evidence import Unread, Whose, read_whose
from cards.fhir import read_reference, target_of
from cards.fhir.element import read_parts
from cards.fhir.resource import NOTHING, Entry, Reference, Resource
from cards.orders import Orders
from service.cdshooks.character import mended
from service.cdshooks.prefetch import entries_of, read_apart
from service.cdshooks.schema import explain
from service.errors import BadRequest, UnknownService

# Ids differ per hook: the official Sandbox keys services by URL and would drop a second hook
# under one id.
SERVICES: Mapping[str, str] = MappingProxyType(
    {
        "magnesium-order-select": "order-select",
        "magnesium-order-sign": "order-sign",
        "magnesium-patient-view": "patient-view",
    }
)
SERVICE_OF_HOOK: Mapping[str, str] = MappingProxyType({hook: id_ for id_, hook in SERVICES.items()})

_BOM = b"\xef\xbb\xbf"

# --- the wire ---------------------------------------------------------------------------


class Authorization(Struct, frozen=True, gc=False):
    """``fhirAuthorization``; the token never shows in a repr, so it cannot reach a log."""

    access_token: str | None = None
    token_type: str | None = None
    expires_in: Raw = NOTHING
    scope: str | None = None
    subject: str | None = None
    patient: str | None = None

    def __repr__(self) -> str:
        return "Authorization(…)"


class _DraftEntry(Struct, frozen=True, gc=False):
    fullUrl: str | None = None
    resource: Raw = NOTHING


class _DraftOrders(Struct, frozen=True, gc=False):
    resourceType: str | None = None
    entry: list[_DraftEntry | None] | None = None


class _Context(Struct, frozen=True, gc=False):
    patientId: str
    userId: str | None = None
    encounterId: str | None = None
    selections: list[str | None] | None = None
    draftOrders: _DraftOrders | None = None


class _Envelope(Struct, frozen=True, gc=False):
    hook: str
    hookInstance: str
    context: _Context
    fhirServer: str | None = None
    fhirAuthorization: Authorization | None = None


class _Request(_Envelope, frozen=True, gc=False):
    prefetch: dict[str, Resource | None] | None = None


class _RawRequest(_Envelope, frozen=True, gc=False):
    prefetch: dict[str, Raw] | None = None


class _Draft(Struct, frozen=True, gc=False):
    resourceType: str | None = None
    subject: Reference | None = None
    patient: Reference | None = None


_request = msgspec.json.Decoder(_Request)
_raw_request = msgspec.json.Decoder(_RawRequest)
_draft = msgspec.json.Decoder(_Draft)


# --- what the rest of the service sees ------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)  # a repr would carry the record into a log
class HookRequest:
    """One call.

    ``prefetch`` holds what could be read, by key, None for a ``null``; ``refused`` the keys
    whose value is no FHIR at all, with the reason; ``unread`` the single resources that could
    not be read. ``drafts`` are the raw JSON objects of ``context.draftOrders`` in order;
    ``beside_drafts`` the Medication and Patient entries that came with them.
    """

    service: str
    hook: str
    hook_instance: str
    patient_id: str
    user_id: str | None = None
    encounter_id: str | None = None
    selections: tuple[str, ...] = ()
    drafts: tuple[bytes, ...] = ()
    beside_drafts: tuple[Entry, ...] = ()
    prefetch: Mapping[str, Resource | None] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    unread: tuple[Unread, ...] = ()
    fhir_server: str | None = None
    fhir_authorization: Authorization | None = None

    def orders(self) -> Orders:
        """The question of this call, as the core reads it."""
        return Orders(
            hook=self.hook,
            service=self.service,
            hook_instance=self.hook_instance,
            drafts=self.drafts,
            selections=self.selections,
            user_id=self.user_id,
            encounter_id=self.encounter_id,
        )


def read_hook(body: bytes, service_id: str) -> HookRequest:
    """The HookRequest of a request body.

    Raises UnknownService (404) for a service that is not ours and BadRequest (400) for
    malformed JSON, another service's hook, a missing hookInstance, context or patientId,
    fhirAuthorization without fhirServer, or draft orders of another patient.
    """
    hook = SERVICES.get(service_id)
    if hook is None:
        raise UnknownService
    body = mended(body.removeprefix(_BOM))
    try:
        envelope, prefetch, refused, unread = _decode(body)
    except RecursionError:
        raise BadRequest.saying("The JSON is nested too deeply.") from None
    except msgspec.ValidationError:
        _refuse(hook, body)
    except msgspec.DecodeError as error:
        raise BadRequest.saying(f"The body is not JSON: {error}.") from None
    return _checked(envelope, prefetch, refused, unread, service_id, body)


def _decode(
    body: bytes,
) -> tuple[_Envelope, Mapping[str, Resource | None], Mapping[str, str], tuple[Unread, ...]]:
    try:
        request = _request.decode(body)
    except msgspec.DecodeError:
        raw = _raw_request.decode(body)  # raises again when it was the envelope
    else:
        return request, request.prefetch or {}, {}, ()
    apart = read_apart(raw.prefetch or {}, _patient_id(raw.context.patientId))
    return raw, apart.values, apart.refused, tuple(apart.unread)


def _refuse(hook: str, body: bytes) -> NoReturn:
    """The 400 of an envelope that does not fit, in the words of the published schema."""
    try:
        issues = explain(f"request-{hook}", body)
    except RecursionError:
        raise BadRequest.saying("The JSON is nested too deeply.") from None
    except ValueError:  # malformed after the place where the types broke
        raise BadRequest.saying("The body is not JSON.") from None
    raise BadRequest(*issues)


def _checked(
    envelope: _Envelope,
    prefetch: Mapping[str, Resource | None],
    refused: Mapping[str, str],
    unread: tuple[Unread, ...],
    service_id: str,
    body: bytes,
) -> HookRequest:
    hook, context = SERVICES[service_id], envelope.context
    entries = [e for e in (context.draftOrders and context.draftOrders.entry) or () if e]
    drafts = [(e.fullUrl, bytes(e.resource)) for e in entries if len(e.resource) > 0]
    drafts = [(url, draft) for url, draft in drafts if draft != b"null"]
    if (
        envelope.hook != hook
        or not envelope.hookInstance
        or not context.patientId
        or (envelope.fhirAuthorization is not None and not envelope.fhirServer)
        or (context.draftOrders and context.draftOrders.resourceType not in ("Bundle", None))
        or any(not draft.startswith(b"{") for _, draft in drafts)
    ):
        _refuse(hook, body)
    patient_id = _patient_id(context.patientId)
    return HookRequest(
        service=service_id,
        hook=hook,
        hook_instance=envelope.hookInstance,
        patient_id=patient_id,
        user_id=context.userId or None,
        encounter_id=_id(context.encounterId, "Encounter") if context.encounterId else None,
        selections=tuple(_selection(s) for s in context.selections or () if s),
        drafts=tuple(draft for _, draft in drafts),
        beside_drafts=tuple(_beside_drafts(drafts, _whose(prefetch, patient_id))),
        prefetch=prefetch,
        refused=refused,
        unread=unread,
        fhir_server=envelope.fhirServer or None,
        fhir_authorization=envelope.fhirAuthorization,
    )


def _id(text: str, type_: str) -> str:
    """``123`` of ``123``, ``Encounter/123`` or its absolute or versioned form."""
    target = read_reference(text)
    return target.id if target is not None and target.type == type_ else text.strip()


def _patient_id(text: str) -> str:
    id_ = _id(text, "Patient")
    if not id_ or "/" in id_:
        raise BadRequest.saying("expected the id of a Patient", "/context/patientId")
    return id_


def _selection(text: str) -> str:
    target = read_reference(text)
    return f"{target.type}/{target.id}" if target is not None and target.id else text


def _whose(prefetch: Mapping[str, Resource | None], patient_id: str) -> Whose:
    """Under which names the patient stands, a merged chart's too."""
    sent = entries_of(prefetch.get("patient"))
    return read_whose(patient_id, [e.resource for e in sent if e.resource is not None])


def _beside_drafts(drafts: list[tuple[str | None, bytes]], whose: Whose) -> list[Entry]:
    beside = []
    for position, (url, raw) in enumerate(drafts):
        try:
            draft = _draft.decode(raw)
            if draft.resourceType in ("Medication", "Patient"):
                parts = read_parts(raw)
                if parts is not None and not parts.lost:
                    beside.append(Entry(fullUrl=url, resource=parts.resource))
        except msgspec.DecodeError:
            # Unreadable, hence incomplete: the core says so (D0). A Medication that is lost
            # leaves the draft that points to it unresolved, and that is said, too.
            continue
        if draft.resourceType != "Patient" and _of_another(draft, whose):
            raise BadRequest.saying(
                "is an order of another subject than context.patientId",
                f"/context/draftOrders/entry/{position}/resource/subject",
            )
    return beside


def _of_another(draft: _Draft, whose: Whose) -> bool:
    who = draft.subject or draft.patient
    target = target_of(who)
    return who is not None and target is not None and bool(target.id) and bool(whose.why_not(who))
