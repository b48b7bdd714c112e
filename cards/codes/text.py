"""What else an order's text says of a drug: form, strength, a protocol, a mixture, a dilution.

All patterns read text folded by `named.fold`, of at most `named.READ` characters.
"""

from __future__ import annotations

import re
from decimal import Decimal

from msgspec.structs import replace

from cards.codes.drugs import Drug, Form

_LOCAL = re.compile(
    r"ophth|\beye\b|\beyes\b|\botic\b|\bears?\b|topical|\bcream\b|\boint(?:ment)?\b|\blotion\b"
    r"|\bnasal\b|inhal|\bnebul|\bneb\b|irrigat|\bvaginal|(?<!liqui-)\bgel\b(?! ?cap)"
    r"|mouthwash|\bswab\b|augentropfen|\bsalbe\b|collyre|pommade|pomada|colirio"
)
_RECTAL = re.compile(r"\brectal|\bsupp(?:os\w*)?\b|\benema\b|\bpatch|transderm")
_PARENTERAL = re.compile(
    r"\biv\b|\bi\. ?v\b|\bivpb\b|\bivp\b|\bij\b|\binj\w*|intraven|intramusc|\bim\b|subcut"
    r"|piggy ?back|\bvial\b|\bsdv\b|\bamp(?:ule|oule|ul)?(?:s|en|olas?)?\b|syringe|premix|infusi"
    r"|infuus|\bdrip\b|\bbolus\b|\bflex cont\b|\bplas cont\b|perfusor|perfusie|injekt|inyect"
    r"|\bin (?:d5w?|d10w?|ns|lr|nacl|dextrose|sterile water)\b|\bd5w\b|\bsolr\b"
    r"|\bin \d+ ?ml\b|\d ?g(?:m|rams?)? ?/ ?(?:50|100|250|500|1000) ?ml"
)
_ORAL = re.compile(
    r"\bpo\b|\boral|\btab(?:let|lette|lett)?(?:s|n|ten|en)?\b|\bcap(?:sule)?s?\b|\bcap-"
    r"|\bliq(?:uid|d)?\b|\bsusp\w*|\bpack\b|packet|elixir|syrup|by mouth|\btbec\b|\btbcr\b|\bchew"
    r"|powder|\b(?:er|sr|cr|xr|sa|ec|dr)\b|\bcaplet|softgel|\bcup\b|effervescent|\bgranul"
    r"|kapsel|filmtabl|brausetabl|sachet|dragee|comprim|compresse|buvable|\bdrank\b"
)
_LITRES = re.compile(
    r"meq ?/ ?l\b|\b(?:[5-9]\d\d|[1-9],?\d{3})(?:\.\d+)? ?ml\b"
    r"|\b[1-9](?:\.\d+)? ?l(?:it(?:er|re)s?)?\b|maintenance"
)
_TABLET = re.compile(
    r"[ :-]+(\d+(?:\.\d+)?) ?(?:\((\d+(?:\.\d+)?) ?mg[^)]*\) ?)?"
    r"(?:mg\b(?! ?/)|(?<=\d\d\d )(?=tab|cap|oral|po\b))"
)
_IS_TABLET = re.compile(r"\b(?:tab|cap)(?:let|sule)?s?\b|tablette|kapsel|comprim|compresse|sachet")
# Grams in millilitres of the premixes that hospitals stock (ruling 142).
_PREMIX = re.compile(r"\b(\d\d?)(?:\.0+)? ?g(?:m|rams?)? ?/ ?(\d{2,4}|1,000) ?ml\b")
_PREMIXES = {("1", "100"), ("2", "50"), ("4", "50"), ("4", "100"), ("20", "500"), ("40", "1000")}

_DILUTED = re.compile(
    r"globuli|\bhomo?e?opath|\bhomoopath|homeop|schussler|schuessler"
    r"|magnes\w* \w+ (?:comp\w* )?[dc] ?\d{1,3}\b|magnes\w* \w+ (?:comp\w* )?\d{1,3} ?[cd]h\b"
)
_MIXED = re.compile(
    r"multi-? ?vitamin|multiple vitamin|\bmultivit|\bmvi?\b|vitamins? ?(?:and|&|/|with|w/|-) ?miner"
    r"|\bminerals\b|prenatal|calcium[ ,/&+-]+(?:and )?(?:magnes|mag\b)"
)
_MIXED_AMOUNT = re.compile(r"magnes[a-z]*(?: [a-z]+)? ?\(?(\d+(?:\.\d+)?) ?mg\b")
_MOST_MIXED_IN = Decimal(100)  # mg a dose (ruling 150)

_TOPIC = re.compile(r"magnes|mgso4|\bmag\b|\bmg (?:sulfate|replac|replet|scale)|ele[ck]trol[yi]t")
_SCALE = re.compile(
    r"\bscales?\b|protocol|protokoll?\b|\bper pharmacy\b|nach schema|replace?ment orders?\b"
)
_REPLACING = re.compile(r"replac|replet|supplement|substitut|supple(?:tie|ment)|\bscales?\b")
_NO_PROTOCOL = re.compile(
    r"\blevels?\b|panel|\blab\b|\bserum\b|check|\bfluid\b|solution|\bdrink\b|powder|insulin"
)


def form_named(text: str) -> Form | None:
    """The form that an order's text hints at; None when it hints at none, or at two."""
    text = text.lower()
    if _LOCAL.search(text) or _RECTAL.search(text):
        return "other"
    parenteral, oral = bool(_PARENTERAL.search(text)), bool(_ORAL.search(text))
    if parenteral == oral:
        return None
    return "parenteral" if parenteral else "oral"


def is_homoeopathic(text: str) -> bool:
    """Whether a text names a homoeopathic dilution."""
    return _DILUTED.search(text) is not None


def is_mineral_mix(text: str) -> bool:
    """Whether a text names a vitamin or mineral mixture with at most 100 mg of magnesium, or an
    amount that it does not say."""
    if _MIXED.search(text) is None:
        return False
    amount = _MIXED_AMOUNT.search(text)
    return amount is None or Decimal(amount[1]) <= _MOST_MIXED_IN


def is_protocol(text: str) -> bool:
    """Whether a text names a protocol or scale that replaces magnesium, alone or among other
    electrolytes (ruling 111); a drug and "replacement" with no number is one too."""
    if _TOPIC.search(text) is None or _NO_PROTOCOL.search(text):
        return False
    if _SCALE.search(text):
        return _REPLACING.search(text) is not None or "protocol" in text
    plain = not any(sign.isdigit() for sign in text)
    return plain and _REPLACING.search(text) is not None


# Contents that labels give for one tablet, of magnesium itself: oxide 400 and 420 mg, Slow-Mag.
_ELEMENTAL = {"241", "241.3", "253", "64", "71.5", "84"}
_OF_THE_SALT = {"oxide", "gluconate", "chloride"}


def _strength(found: Drug, rest: str) -> tuple[Decimal | None, bool | None]:
    """The mg of an oral magnesium drug that follow its name: "400 (241.3 MG) MG PO TABS" is 400."""
    number = _TABLET.match(rest)
    if found.salt is None or number is None:
        return None, None
    elemental = None
    if number[1] in _ELEMENTAL or re.match(r" ?mg (?:of )?elemental", rest[number.end(1) :]):
        elemental = True
    elif number[2] or found.salt in _OF_THE_SALT:
        elemental = False
    return Decimal(number[1]), elemental


def as_ordered(found: Drug, text: str, rest: str, form: Form | None) -> Drug:
    """A drug with what its order's text adds: form, strength, and the groups these change."""
    if _LOCAL.search(text):
        return replace(found, groups=frozenset(), form="other", systemic=False)
    form = form or found.form
    groups = found.groups
    if found.name == "magnesium sulfate" and form == "oral":
        groups = frozenset({"magnesium-laxative"})
    elif found.name == "magnesium citrate" and _IS_TABLET.search(text):
        groups = frozenset({"magnesium"})
    elif found.name == "potassium chloride" and form != "oral" and _LITRES.search(text):
        groups = frozenset({"potassium-fluid"})
    strength, elemental = (None, None)
    if form == "oral":
        strength, elemental = _strength(found, rest)
    return replace(
        found,
        groups=groups,
        form=form,
        systemic=None if form is None else True,
        strength=strength,
        elemental=elemental,
        mg_per_ml=_premix(text) if found.name == "magnesium sulfate" else None,
    )


def _premix(text: str) -> Decimal | None:
    """The strength of the one known premix that is named; None where two are."""
    bags = {(match[1], match[2].replace(",", "")) for match in _PREMIX.finditer(text)}
    found = {Decimal(grams) * 1000 / Decimal(ml) for grams, ml in bags & _PREMIXES}
    return found.pop() if len(found) == 1 else None
