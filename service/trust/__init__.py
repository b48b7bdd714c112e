"""Trust: who may call. A client of the clients file, shown by a JWT that it signed.

::

    clients.py   the clients file: issuer, keys, tenants, services, protocol, mode
    keys.py      a client's public keys: pinned in a file, or fetched from its jku and cached
    token.py     one token: read strictly, verified, its claims checked
    door.py      the Caller of a request, or Refused; each token once

Everything is refused unless it is right. Whatever is wrong, the caller sees the same 401; the
log has one word of a closed list (``token.Reason``).
"""

from service.trust.clients import Client, read_clients
from service.trust.door import ANYONE, Call, Caller, TokensUsed, Trust
from service.trust.token import Reason, Refused

__all__ = [
    "ANYONE",
    "Call",
    "Caller",
    "Client",
    "Reason",
    "Refused",
    "TokensUsed",
    "Trust",
    "read_clients",
]
