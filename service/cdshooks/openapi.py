"""OpenAPI: the description of the service's routes for machines, from the wire schemas."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import msgspec

from service.cdshooks.request import SERVICES
from service.cdshooks.schema import SCHEMAS, schema

_JSON = "application/json"


def openapi() -> bytes:
    """The body of ``GET /openapi.json``: OpenAPI 3.1, its schemas the ones the service uses."""
    paths: dict[str, Any] = {"/cds-services": {"get": _get("Discovery", "discovery")}}
    for id_, hook in SERVICES.items():
        paths[f"/cds-services/{id_}"] = {
            "post": _post(f"Hook {hook}", f"request-{hook}", _body("Cards", _ref("response")), 412)
        }
        paths[f"/cds-services/{id_}/feedback"] = {
            "post": _post(
                "Feedback: stored when it is answered; a repeated item changes nothing",
                "feedback",
                _body("Taken", {"type": "object"}),
            )
        }
    paths["/openapi.json"] = {
        "get": {
            "summary": "This document",
            "security": _SECURITY,
            "responses": {"200": _body("OpenAPI 3.1", {"type": "object"}), **_errors(401, 429)},
        }
    }
    paths["/healthz"] = {"get": _open("Whether the process answers")}
    paths["/readyz"] = {"get": _open("Whether it can decide, and by which protocol")}
    document = {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Repletion",
            "version": version("repletion"),
            "summary": "CDS Hooks service for magnesium replacement",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {name: _component(name) for name in SCHEMAS},
            "securitySchemes": {"cds-client": {"type": "http", "scheme": "bearer"}},
        },
    }
    return msgspec.json.encode(document)


def _component(name: str) -> dict[str, Any]:
    """A schema as a component: without ``$id``, its own ``$defs`` found under the component."""
    found = {k: v for k, v in schema(name).items() if k not in ("$id", "$schema")}
    text = msgspec.json.encode(found).replace(
        b'"#/$defs/', f'"#/components/schemas/{name}/$defs/'.encode()
    )
    component: dict[str, Any] = msgspec.json.decode(text)
    return component


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _body(description: str, shape: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": shape}}}


def _errors(*statuses: int) -> dict[str, Any]:
    return {str(s): _body("OperationOutcome", _ref("operation-outcome")) for s in statuses}


# {} beside the scheme: in open mode (loopback only) no token is asked for.
_SECURITY: list[dict[str, list[str]]] = [{"cds-client": []}, {}]


def _get(summary: str, shape: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "security": _SECURITY,
        "responses": {"200": _body(summary, _ref(shape)), **_errors(401, 429, 500)},
    }


def _post(summary: str, shape: str, ok: dict[str, Any], *more: int) -> dict[str, Any]:
    return {
        "summary": summary,
        "security": _SECURITY,
        "requestBody": {"required": True, "content": {_JSON: {"schema": _ref(shape)}}},
        "responses": {"200": ok, **_errors(400, 401, *more, 413, 415, 429, 500, 503)},
    }


def _open(summary: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "security": [],
        "responses": {"200": _body(summary, {"type": "object"})},
    }
