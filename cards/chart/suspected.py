"""Suspected: a stop that only the words of a condition name, without a code known here.

A problem typed by hand may be complete heart block or myasthenia gravis. The words are compared
with the names of the stops in the languages that ship; a hit is "may be there", never certain.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from cards.fhir.clause import denied, words_after, words_before

INFARCTION = "acute myocardial infarction"
# Group by group: what the card says may be there, and the names of it. Whole words or their
# beginnings; a name is looked for in lower case.
_NAMES: dict[str, str] = {
    "heart block": r"""heart[ -]?block|a-?v[ -]?blo(?:ck|k|c|qu)|atrioventricular block|mobitz
        |atrioventrikul\w{1,8}[ -]block|\bchb\b|totalblock|bav (?:complet|de haut|ii|iii|2|3)
        |bloc (?:auriculo|atrio)|bloqueo (?:auriculo|atrio|cardiaco|a-?v)|blocco (?:atrio|a-?v)
        |bloqueio (?:atrio|a-?v)|eteis-?kammiokatkos|blok przedsionkowo""",
    "myasthenia gravis": r"myasth|miaste|myastenia|myasteni",
    "lambert-eaton syndrome": r"lambert[ -]?eaton|eaton[ -]?lambert|\blems\b",
    "pregnancy": r"""pregnan|gravid\b|gravidit|gravida\b|schwanger|enceinte|grossesse|embaraz
        |gestaci[oó]n|gestante|gesta[cç]|gestation|gravidanza|incinta|zwanger|raskau|raskaana
        |ci[aą][zż]|ciężarn|ec?lampsi|eklampsi|hellp|\biup\b""",
    "dialysis": r"""\b(?:h[aäeéæ]{0,2}mo|peritoneal)?[ -]?d[ií][aá]l[iyí][sz]|emodial|cvvh|\bcrrt\b
        |\bcapd\b|esrd|eskd|end[- ]stage (?:renal|kidney)|terminale niereninsuff
        |insuffisance rénale terminale|(?:renal|rene) (?:crónica )?terminal""",
    INFARCTION: r"""non[ -]?st(?:emi|[ -])|myo[ck]ard\w{0,8} ?infar[ck]t
        |infarctus du myocarde|infarto (?:\w{1,8} ){0,2}mioc|herzinfarkt|heart attack
        |hj[äe]rtinfarkt|hjerteinfarkt|hartinfarct
        |sydäninfarkti|zawał|n?stemi\b|\bami\b|\bmi\b|acute coronary|\bacs\b|unstable angina
        |akutes? koronar|syndrome coronarien aigu|angine? instable|instabile angina""",
}
_FOUND = {
    group: re.compile("".join(line.strip() for line in names.splitlines()))
    for group, names in _NAMES.items()
}
# Kinds of block at which magnesium is no danger (ruling 16).
_MILD_BLOCK = re.compile(
    r"first|\b1st|\b1°|\bi°|\b1\. ?grad|erste|eerste|premier|primer|\bprimo|primeiro|i grado"
    r"|(?:grade?|degree|type?|mobitz|block|blok) (?:1|i)\b|wen[ck]{1,3}eba|bundle|branch"
    r"|schenkel|rama|branca|bundel"
)
_HISTORY = frozenset(
    """history hx previous prior past old former remote healed status post postpartum zustand
    antécédent antécédents antecedente antecedentes storia pregresso pregressa alter alte ancien
    antiguo tidligere tidigare ho h p""".split()  # h/o, s/p
)
_OTHERS = frozenset(
    """family fh fhx familial familiär familienanamnese mother father sister brother maternal
    paternal parent familiaux familiares familiar familiarità mutter vater contraception
    prevention planning planned desire kinderwunsch retinal newborn loss""".split()
)
_OVER = frozenset(
    "excluded ruled unlikely ausgeschlossen exclu exclue descartado descartada".split()
)
_SHORT = re.compile(r"\b(?:z\. ?n|st\. ?n)\.")  # its dots would end the clause
_ONCE = frozenset({"pregnancy", INFARCTION})
_LONGEST = 200
_KEPT = 64  # of any alphabet: no key of the cache passes 256 bytes
_READ = 1000  # letters of a name that are looked at
_MENTIONS = 100


class Suspected(Struct, frozen=True, gc=False):
    """``group`` is what may be there, ``words`` what the record says, ``source`` where."""

    group: str
    words: str
    source: str


def read_suspected(words: Iterable[str], source: str) -> Suspected | None:
    """The stop that the words of a condition name; None when they name none."""
    for text in words:
        kept = len(text) <= (_LONGEST if text.isascii() else _KEPT)
        group = _remembered(text) if kept else _group(text)
        if group is not None:
            return Suspected(group, text[:_LONGEST], source)
    return None


def _group(text: str) -> str | None:
    text = _SHORT.sub("zustand nach", unicodedata.normalize("NFC", text[:_READ]).lower())
    for group, names in _FOUND.items():
        if any(_meant(group, text, match, n) for n, match in enumerate(names.finditer(text))):
            return group
    return None


# A hospital names few conditions; a long text is never kept.
_remembered = lru_cache(maxsize=4096)(_group)


def _meant(group: str, text: str, match: re.Match[str], count: int) -> bool:
    """Whether a name is meant of this patient now. A text that repeats it without end is not
    read further, and is."""
    if count >= _MENTIONS:
        return True
    start, end = match.span()
    near = set(words_before(text, start)[:5])
    after = words_after(text, end)[:4]
    if not _OTHERS.isdisjoint((*near, *after)) or not _OVER.isdisjoint((*near, *after)):
        return False
    if denied(text, start, end):
        return False
    if group in _ONCE and near & _HISTORY:
        return False
    around = text[max(start - 30, 0) : end + 30]
    return not (group == "heart block" and _MILD_BLOCK.search(around))
