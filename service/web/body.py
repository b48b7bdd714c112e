"""Body: the JSON that comes in and the JSON that goes out."""

from __future__ import annotations

from flask import Response, request
from werkzeug.exceptions import HTTPException

from service.errors import (
    BadRequest,
    TooLarge,
    WrongContentType,
)
from service.observe import (
    RequestLine,
)

JSON = "application/json"
# What clients call JSON; the first is the specification's, the others are FHIR's, old and new.
_JSON_TYPES = frozenset({JSON, "application/fhir+json", "application/json+fhir"})


def json_answer(body: bytes, status: int = 200) -> Response:
    return Response(body, status, content_type=JSON)


def body_of(line: RequestLine, most: int) -> bytes:
    if request.mimetype not in _JSON_TYPES or request.headers.get("Content-Encoding"):
        raise WrongContentType
    try:
        body = request.get_data(cache=False)
    except HTTPException:
        raise
    except Exception:  # what the server found wrong with its chunks; its words quote them
        raise BadRequest.saying("The body cannot be read.") from None
    line.bytes_in = len(body)
    if len(body) > most:
        raise TooLarge
    return body
