"""WhatIf: the workbench's controls, and the request edited by them."""

from service.pages.whatif.control import (
    CONDITIONS,
    DIALS,
    DRUG_FLAGS,
    FLAGS,
    MARK,
    SETTINGS,
    Base,
    Dial,
    Flag,
    WhatIf,
    dials,
    read_base,
    read_whatif,
)
from service.pages.whatif.edit import as_hook, edited

__all__ = [
    "CONDITIONS",
    "DIALS",
    "DRUG_FLAGS",
    "FLAGS",
    "MARK",
    "SETTINGS",
    "Base",
    "Dial",
    "Flag",
    "WhatIf",
    "as_hook",
    "dials",
    "edited",
    "read_base",
    "read_whatif",
]
