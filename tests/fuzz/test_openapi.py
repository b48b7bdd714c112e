"""schemathesis over openapi.json: what the document says is what the service does."""

from __future__ import annotations

import io
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from service.config.settings import Settings
from service.observe import Observer
from service.server.app import create_app
from tests.contract.shapes import NOW

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
_QUICK, _LONG = 15, 400  # examples of each operation

pytestmark = pytest.mark.real_clock
app = create_app(Settings(), now=lambda: NOW, observer=Observer(io.StringIO()))
schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
_IGNORED = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@schema.parametrize()
@settings(max_examples=_QUICK, deadline=None, suppress_health_check=_IGNORED)
def test_openapi(case: Any) -> None:
    case.call_and_validate(checks=_CHECKS)


@pytest.mark.slow
@pytest.mark.rotates
@schema.parametrize()
@settings(max_examples=_LONG, deadline=None, suppress_health_check=_IGNORED)
def test_openapi_at_length(case: Any) -> None:
    case.call_and_validate(checks=_CHECKS)
