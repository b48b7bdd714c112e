"""Pages: the routes for people. Rendered on the server; a little JavaScript; no other host."""

from service.pages.routes import add_pages

__all__ = ["add_pages"]
