"""Store: what outlives a request, and the tables it is kept in."""

from service.store.store import Store, StoreDown, open_store
from service.store.tables import metadata, used_token

__all__ = ["Store", "StoreDown", "metadata", "open_store", "used_token"]
