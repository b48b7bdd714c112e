"""Template: HTML of the files in templates/. Everything is escaped unless it is Markup; a name
that is not given is an error, not an empty place.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from cards.phrase import moment
from cards.protocol import anchor
from cards.units.quantity import places
from service.pages.asset import assets
from service.pages.link import link_to
from service.pages.markdown import html_of, line_of

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment() -> Environment:
    """Loads a template at its first use: a worker that serves hooks alone never pays for it."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("service.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {"anchor": anchor, "link_to": link_to}
    made.globals["asset"] = lambda name: assets()[name].link
    made.globals |= {"html_of": html_of, "line_of": line_of, "figure": places, "clock": moment}
    return made


def render(name: str, **values: Any) -> str:
    """The template ``name`` (in templates/) filled with ``values``."""
    return environment().get_template(name).render(values)
