"""Ehr: the caller's FHIR server, asked for what the request did not bring.

``hosts`` says where we may call, ``grant`` what the lent token allows, ``wire`` moves bytes to
the address that was checked, ``page`` reads them, ``talk`` asks for all needs at once within one
deadline, ``ehr`` is the door.
"""

from service.ehr.ehr import NOT_ALLOWED, Ehr
from service.ehr.hosts import Hosts, read_hosts, refused_server

__all__ = ["NOT_ALLOWED", "Ehr", "Hosts", "read_hosts", "refused_server"]
