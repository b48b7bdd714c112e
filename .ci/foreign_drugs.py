"""What a row of the shared table of other countries is: which drug, in which form and strength.

Read by international_table.py, which says what the columns mean.
"""

import re
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
KNOWN = tomllib.loads((HERE / "cards" / "codes.toml").read_text("utf-8"))["drug"]
# Another spelling, or the first letters that tell, of an ingredient of codes.toml.
SPELT = {
    "torasemid": "torsemide", "chlortalidon": "chlorthalidone", "etacryn": "ethacrynic acid",
    "ciclosporin": "cyclosporine", "suxamethonium": "succinylcholine", "alendron": "alendronate",
    "risedron": "risedronate", "ibandron": "ibandronate", "amfotericin": "amphotericin b",
    "amphotericin": "amphotericin b", "pentamidin": "pentamidine", "foscarnet": "foscarnet",
    "mycophenolate mofetil": "mycophenolate mofetil", "mycophenol": "mycophenolic acid",
    "co-amilofruse": "furosemide", "metildigoxin": "metildigoxin", "acetyldigitoxin": "digitoxin",
    "acetyldigoxin": "acetyldigoxin", "digitoxin": "digitoxin", "deslanoside": "digoxin",
    "digitalis": "digoxin", "cisatracuri": "cisatracurium", "atracuri": "atracurium",
    "rocuroni": "rocuronium", "vecuroni": "vecuronium", "pancuroni": "pancuronium",
    "mivacuri": "mivacurium", "gallamine": "neuromuscular blocker (unnamed)",
    "alkaloids": "neuromuscular blocker (unnamed)",
    "derivatives": "neuromuscular blocker (unnamed)",
    "quaternary": "neuromuscular blocker (unnamed)", "iron": "oral iron (any salt)",
    "tetracyclines": "tetracycline", "aminoglycosides": "aminoglycoside (unnamed)",
    "proton pump inhibitor": "proton pump inhibitor (unnamed)",
    "eradication": "proton pump inhibitor (unnamed)", "high-ceiling": "loop diuretic (unnamed)",
    "cisplatin": "cisplatin",
}  # fmt: skip
CLASS = {
    "loop_thiazide": "thiazide diuretic (unnamed)",
    "potassium": "potassium (any salt)",
    "calcium": "calcium (any salt)",
}
SALT = (
    ("sulf|siarczan|硫酸", "sulfate"), ("(?<!hydr)(?<!per)oxid|酸化", "oxide"),
    ("(?<!hydro)chlorid|chlorur", "chloride"),
    ("lactate", "lactate"), ("citrate", "citrate"), ("gluconate", "gluconate"),
    ("pidolate", "pidolate"), ("aspartate", "aspartate"), ("orotate", "orotate"),
    ("glycerophosphate", "glycerophosphate"), ("glycinate", "glycinate"), ("malate", "malate"),
    ("hydroxid", "hydroxide"), ("trisilicat", "trisilicate"), ("carbonat", "carbonate"),
    ("amino acids? chelate", "amino acid chelate"),
)  # fmt: skip
PARENTERAL = re.compile(
    r"inject|injekt|injectable|ampoule|ampul|zusatz|i\.v|intraven|infusion|concentrate|premix"
    r"|vial|\binj\b|i\.m|syringe|minijet|補正液|注|m(?:eq|m)/ml",
    re.IGNORECASE,
)
ORAL = re.compile(
    r"oral|tablet|capsule|sachet|effervescent|granul|powder|chewable|solution sugar free|packet"
    r"|gélule|supplement|kapsel|lutsch|brause|錠",
    re.IGNORECASE,
)
NO_ELECTROLYTES = re.compile(r"[-\s]E$|oE$|electrolyte free|fat emulsion|^lipids|dextrose pn", re.I)
NO_MAGNESIUM = re.compile(
    r"golytely|peg 3350|klean|phospho|sodium phosphate|macrogol|picosulfat", re.I
)
PREPARATION = re.compile(r"magnesium|combination", re.IGNORECASE)
# A salt by its chemical name alone: by mouth or not, the name does not say.
GENERIC = re.compile(
    r"(?:magn|kalium|calcium|potas|chlor|clor|sulf|siarczan|solfato|furosemid)\w*"
    r"(?:[ -](?:de|di|med|magn|potas|chlor|clor|phosph|sulf|solfat)\w*)*",
    re.IGNORECASE,
)
# The strength of a product at the end of its name: the name before it is the name.
TAIL = re.compile(
    r",?\s+\d[\d.,]*\s*(?:mg|g|ml|mmol|%|pour cent|molar|gm)?\b.*$|\s+amp\. .*$", re.IGNORECASE
)
OUR_NAMES = re.compile(r"magnesium sul|mag sulf|mgso4|magnesium oxide|aluminum-magnesium", re.I)
PROTOCOL = re.compile(r"magnesium|electrolyt|elektrolyt", re.IGNORECASE)


def salts_of(text: str) -> list[str]:
    """The salts that a text names."""
    return [salt for words, salt in SALT if re.search(words, text, re.IGNORECASE)]


def names_of(code: str) -> list[str]:
    found = []
    for part in re.split(r" / |, gélule| (?=\()", code):
        name = part.strip(' ()"').replace('"', "")
        # What is in a bag of nutrition stands at the end of its name.
        whole = NO_ELECTROLYTES.search(code) or re.search(r"\+E\b|порошок|^Mg 5|^MAG 2", code)
        short = name if whole else TAIL.sub("", name).strip(" ,")
        if short.lower() == "mag":
            short = name
        if (
            short.lower()
            in (
                "magnesium",
                "pidolate de",
                "amino acids",
                "lipids",
                "or tpn",
                "additive",
                "vamin",
            )
            or short[:1].isdigit()
        ):
            continue
        if len(short) > 3 and not short.lower().startswith(("lanoxin", "lasix", "mgso4")):
            found.append(short)
    return found


def key_of(kind: str, system: str, code: str, meaning: str) -> str | None:
    text = f"{meaning} {code}".lower()
    if kind == "parenteral_nutrition":
        bare = (
            NO_ELECTROLYTES.search(code) or "fat emulsion" in text or code in ("B05BA02", "B05XC")
        )
        return "parenteral nutrition without electrolytes" if bare else "parenteral nutrition"
    if kind == "bowel_prep":
        if NO_MAGNESIUM.search(text) and not PREPARATION.search(
            text.replace("macrogol, combinations", "")
        ):
            return ""
        if "magnesium citrate" in text:
            return "magnesium citrate"
        return "" if "macrogol" in text else "magnesium bowel preparation"
    if kind.startswith("magnesium"):
        return magnesium_of(kind, system, code, meaning)
    for start, key in sorted(SPELT.items(), key=lambda item: -len(item[0])):
        if start in text:
            return key
    found = [
        key for key in KNOWN
        if "(" not in key and re.search(rf"\b{re.escape(key.rstrip('e'))}", text)
    ]  # fmt: skip
    found = [key for key in found if key != "magnesium"]  # a salt of another drug
    found = [key for key in found if not any(key != other and key in other for other in found)]
    if kind == "potassium" and re.search(r"b05bb|b05xa3", code.lower()):
        return "potassium chloride (in fluid)"
    if kind == "ppi" and "prazan" in text:
        return ""
    if found:
        return " + ".join(sorted(found))
    if kind == "ppi" and system == "atc":
        return "proton pump inhibitor (unnamed)"
    if kind == "loop_thiazide" and "C03C" in code:
        return "loop diuretic (unnamed)"
    if kind == "chelated_oral" or kind == "qt_known" or kind == "causative":
        return "" if system != "name" else None
    return CLASS.get(kind)


def magnesium_of(kind: str, system: str, code: str, meaning: str) -> str:
    antacid = kind == "magnesium_laxative_antacid"
    found = salts_of(meaning) or salts_of(code)
    if system == "atc":
        # The level of a class: which salt a product holds it does not say.
        if code == "A02AA02" or not antacid:
            return "magnesium"
        return "magnesium laxative" if code.startswith("A06") else "magnesium antacid"
    if "pyridoxine" in meaning or "yeast" in meaning or "glycine" in meaning:
        found = found[:1]
    if len(found) != 1 or "calcium" in meaning.lower() or "paraffin" in meaning.lower():
        return "magnesium antacid" if antacid else "magnesium"
    salt = found[0]
    if salt == "sulfate" and system in ("ask", "snomed"):
        return "magnesium sulfate"  # the substance: by mouth or not, the order says
    if antacid:
        known = {
            "sulfate": "magnesium sulfate (oral)", "hydroxide": "magnesium hydroxide",
            "oxide": "magnesium oxide (laxative)", "trisilicate": "magnesium trisilicate",
        }  # fmt: skip
        mixed = re.search(r"alumin|\bal\b|alginate|co-gel|charcoal|\+", meaning.lower())
        return "magnesium antacid" if mixed else known.get(salt, "magnesium antacid")
    if salt == "citrate":
        return "magnesium citrate (tablet)"
    if salt == "sulfate" and kind == "magnesium_oral":
        return "magnesium sulfate (oral)"
    return f"magnesium {salt}" if f"magnesium {salt}" in KNOWN else "magnesium"


def form_of(kind: str, system: str, code: str, said: str) -> str:
    if system == "atc":
        return "parenteral" if code.startswith(("B05XA", "B05B")) else ""
    if system in ("ask", "snomed") and not re.search(r"\d ?m[gl]\b", said):
        return ""
    if kind == "parenteral_nutrition":
        return "parenteral"
    if kind in ("magnesium_laxative_antacid", "bowel_prep"):
        return "oral"
    parenteral, oral = bool(PARENTERAL.search(said)), bool(ORAL.search(said))
    if system == "ndc" and kind == "magnesium_iv":
        return "parenteral"
    if parenteral != oral:
        return "parenteral" if parenteral else "oral"
    return "oral" if kind == "magnesium_oral" and system == "ndc" else ""


def strength_of(row: dict[str, str], kind: str, system: str) -> str:
    text = row["strength"]
    if kind == "magnesium_iv":
        ratio = re.match(r"(\d+(?:\.\d+)?) ?g ?/ ?(\d+) ?mL", text)
        if ratio:
            return f"{float(ratio[1]) * 1000 / float(ratio[2]):g} mg/mL"
        plain = re.match(r"(\d+) mg/mL", text)
        return f"{plain[1]} mg/mL" if plain else ""
    tablet = re.match(r"(\d+) ?mg(?: tablet| capsule)?$", text)
    return f"{tablet[1]} mg" if tablet and kind == "magnesium_oral" and system == "ndc" else ""
