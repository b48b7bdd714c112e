"""Workbench: one request, what the service says to it, and every stage in between."""

from service.pages.workbench.views import (
    workbench_form,
    workbench_page,
    workbench_parts,
    workbench_shown,
)

__all__ = ["workbench_form", "workbench_page", "workbench_parts", "workbench_shown"]
