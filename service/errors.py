"""Errors, sorted by what the caller can do about them.

::

    ServiceError
    ├── CallerError                the caller can mend the call
    │   ├── BadRequest        400  mend the body: the issues say where
    │   ├── NotAuthenticated  401  send a valid token; never told why it was refused
    │   ├── CrossSite         403  call from the page itself
    │   ├── UnknownService    404  read discovery
    │   ├── WrongMethod       405  use the method named in Allow
    │   ├── PatientMissing    412  send the Patient of context.patientId
    │   ├── TooLarge          413  send less
    │   ├── WrongContentType  415  send JSON
    │   └── TooMany           429  slow down
    └── OurError                   the caller can only report it
        ├── Unexpected        500  quote the correlation id
        └── NotReady          503  try again later

Every class states its HTTP status and builds its own FHIR OperationOutcome. The texts are ours:
neither a value of the request nor a word of the patient's record goes into one, so that an
error may be logged as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong: ``text`` in words, ``pointer`` a JSON pointer into the body."""

    text: str
    pointer: str | None = None


class ServiceError(Exception):
    """An answer that is not 200. ``str()`` is safe to log."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "exception"  # FHIR issue-type
    severity: ClassVar[str] = "error"
    text: ClassVar[str] = "The service failed."

    def __init__(self, *issues: Issue) -> None:
        self.issues = issues or (Issue(self.text),)
        super().__init__("; ".join(_line(issue) for issue in self.issues))

    def headers(self) -> dict[str, str]:
        """HTTP headers that belong to this error."""
        return {}

    def outcome(self) -> bytes:
        """The body: a FHIR R4 OperationOutcome as JSON."""
        return msgspec.json.encode(
            {
                "resourceType": "OperationOutcome",
                "issue": [self._issue(issue) for issue in self.issues],
            }
        )

    def _issue(self, issue: Issue) -> dict[str, Any]:
        found: dict[str, Any] = {
            "severity": self.severity,
            "code": self.code,
            "details": {"text": issue.text},
        }
        if issue.pointer is not None:
            # FHIR's own `expression` is FHIRPath over a resource; a hook request is none.
            found["diagnostics"] = f"at {issue.pointer or 'the whole body'}"
        return found


def _line(issue: Issue) -> str:
    return issue.text if issue.pointer is None else f"{issue.pointer or '(body)'}: {issue.text}"


class CallerError(ServiceError):
    """The caller can mend the call."""


class BadRequest(CallerError):
    """The body is not the JSON that the service's hook asks for."""

    status = 400
    code = "invalid"
    text = "The request is not a valid CDS Hooks request."

    @classmethod
    def saying(cls, text: str, pointer: str | None = None) -> BadRequest:
        return cls(Issue(text, pointer))


class NotAuthenticated(CallerError):
    """Always the same words: why a token was refused is for our log, not for its sender."""

    status = 401
    code = "login"
    text = "A valid bearer token is required."

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": "Bearer"}


class CrossSite(CallerError):
    """A page of another site had the browser send this."""

    status = 403
    code = "forbidden"
    text = "This is for the service's own pages: it was sent from another site."


class PasswordAsked(NotAuthenticated):
    """A page that REPLETION_PAGES_PASSWORD opens."""

    text = "These pages are open to those who know their password."

    def headers(self) -> dict[str, str]:
        return {"WWW-Authenticate": 'Basic realm="Repletion pages", charset="UTF-8"'}


class UnknownService(CallerError):
    """No such route or CDS service."""

    status = 404
    code = "not-found"
    text = "There is nothing here. GET /cds-services lists the services."


class WrongMethod(CallerError):
    """The route exists, the method does not."""

    status = 405
    code = "not-supported"
    text = "This method is not supported here."

    def __init__(self, *issues: Issue, allow: str = "") -> None:
        super().__init__(*issues)
        self.allow = allow

    def headers(self) -> dict[str, str]:
        return {"Allow": self.allow} if self.allow else {}


class PatientMissing(CallerError):
    """The one datum without which nothing can be decided (contract: 412)."""

    status = 412
    code = "required"
    text = (
        "The Patient of context.patientId is neither in prefetch nor obtainable; "
        "send it under the prefetch key 'patient'."
    )


class TooLarge(CallerError):
    """The body is over REPLETION_MAX_BODY_MB."""

    status = 413
    code = "too-long"
    text = "The request body is larger than this service accepts."


class WrongContentType(CallerError):
    """The body is not announced as JSON, or is compressed."""

    status = 415
    code = "not-supported"
    text = "Send the body uncompressed, with Content-Type: application/json."


class TooMany(CallerError):
    """More than the rate limit allows one client (REPLETION_RATE_LIMIT)."""

    status = 429
    code = "throttled"
    text = "Too many requests from this client; try again in a moment."

    def headers(self) -> dict[str, str]:
        return {"Retry-After": "1"}


class OurError(ServiceError):
    """The caller can do nothing about it."""


class Unexpected(OurError):
    """A fault of ours: one fixed sentence and the id under which the log has it."""

    status = 500
    severity = "fatal"
    text = "The service failed to evaluate this request."

    def __init__(self, correlation_id: str) -> None:
        super().__init__(Issue(f"{self.text} Correlation id: {correlation_id}"))


class NotReady(OurError):
    """The service is up but cannot decide yet."""

    status = 503
    code = "transient"
    text = "The service is not ready."
