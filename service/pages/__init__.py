"""Pages: the routes for people. Rendered on the server; a little JavaScript; no other host."""

from service.pages.gate import Gate
from service.pages.routes import add_pages

__all__ = ["Gate", "add_pages"]
