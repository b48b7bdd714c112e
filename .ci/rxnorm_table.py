"""Build cards/codes/rxnorm.csv, the compact RxNorm product table, from the terminology files.

    python .ci/rxnorm_table.py [SHARED_DIRECTORY]

Reads `rxnorm_products.csv` and `terminology.csv` (default: ../shared beside the repository) and
writes one row for each drug, form, systemic use, strength and basis, with its product codes
separated by spaces. The same input gives the same bytes. Neither the service nor its tests need
the shared directory.

    drug      names of codes.toml [drug], joined by " + " for a combination
    form      parenteral, oral, other, or empty when the display does not say
    systemic  yes, no, or empty when the display does not say
    strength  mg of a tablet or capsule (magnesium only)
    basis     salt or elemental: what the strength counts, or empty when not sure (magnesium only)
    rxcuis    product codes
"""

import csv
import re
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"

OTHER = re.compile(
    r"ophthalmic|\botic|topical|oral gel|inhal|nasal|vaginal|irrigation|intraperitoneal|transdermal"
    r"|drug implant|rectal|mouthwash|intravitreal",
    re.I,
)
PARENTERAL = re.compile(r"inject|prefilled syringe|cartridge|intravenous|auto-injector", re.I)
ORAL = re.compile(
    r"\boral|oral(?:pill| )|\bpill\b|tablet|capsule|chewable|disintegrating|effervescent"
    r"|sublingual|granules",
    re.I,
)
# RxTerms writes the ingredients without a separator: "Calcium carbonateMagnesium oxide".
GLUED = re.compile(r"(?<=[a-z])(?=[A-Z])")
SALTS = "sulfate oxide chloride lactate gluconate glycinate aspartate carbonate malate orotate"
MAGNESIUM_SALT = re.compile(
    rf"magnesium (?:({SALTS.replace(' ', '|')}|hydroxide|citrate|trisilicate)\b"
    r"|(amino acid chelate))|magnesium, (chelated)",
    re.I,
)
# Salts whose RxNorm strength is known to be that of the salt; the lactate is elemental (84 mg).
MIXTURES = {"magnesium antacid", "magnesium bowel preparation"}
BY_SALT = {"oxide", "chloride", "gluconate", "hydroxide"}
NOT_MAGNESIUM = re.compile(
    r"salicylate|pitavastatin|aspirin|betamethasone|cyclobenzaprine|tryptophan|ascorb|niacin"
)
MIXED_FLUID = re.compile(r"glucose|sodium acetate|potassium acetate|lysine|icodextrin|lactate")
SLOW_MAG = re.compile(r"calcium carbonate(?: \d+ mg)? / magnesium chloride")
WITH_B6 = re.compile(r"magnesium oxide(?: \d+ mg)? / vitamin b6|^magnesium oxidepyridoxine")
ANTACID = re.compile(
    r"aluminum hydroxide|simethicone|famotidine|magnesium ?hydroxide|trisilicate"
    r"|calcium (?:carbonate|acetate)(?: \d+ mg)? / magnesium carbonate"
)
BOWEL = re.compile(r"picosulf|potassium ?sulfate|bisacodyl|magnesium sulfate.*sodium sulfate")
RENAMED = {"ethacrynate": "ethacrynic acid"}
ELECTROLYTES = (
    "potassium phosphate",
    "potassium chloride",
    "calcium gluconate",
    "calcium chloride",
)
NO_ROLE = {"dulaglutide", "exenatide", "liraglutide", "semaglutide", "tirzepatide"}


def form_of(display: str) -> str:
    """Parenteral, oral or other, as the display says; empty when it does not."""
    if OTHER.search(display):
        return "other"
    if PARENTERAL.search(display):
        return "parenteral"
    return "oral" if ORAL.search(display) else ""


def parts_of(display: str) -> list[str]:
    """The ingredients of a display, split at slashes and at RxTerms' glued capitals."""
    bare = re.sub(r"\s*\(RxTerms display\)|\[[^\]]*\]", "", display)
    pieces = bare.split(" / ") if " / " in bare else GLUED.split(bare)
    return [piece.strip() for piece in pieces if piece.strip()]


def magnesium_name(display: str, group: str) -> str | None:
    """The drug of a magnesium product; None for one that is nobody's replacement or laxative."""
    text = display.lower()
    if NOT_MAGNESIUM.search(text):
        return None
    if "omeprazole" in text:
        return "magnesium antacid" if "hydroxide" in text else None
    if BOWEL.search(text):
        return "magnesium bowel preparation"
    form = form_of(display)
    if len(parts_of(display)) > 1:
        if form == "other":
            return None
        if MIXED_FLUID.search(text):
            return "multi-electrolyte fluid" if form == "parenteral" else None
        if SLOW_MAG.search(text):
            return "magnesium chloride"
        if WITH_B6.search(text):
            return "magnesium oxide"
        return "magnesium antacid" if ANTACID.search(text) and "malic" not in text else None
    found = MAGNESIUM_SALT.search(display)
    if found is None:
        return None
    name = f"magnesium {found[1].lower() if found[1] else 'amino acid chelate'}"
    solid = re.search(r"tablet|capsule|pill", display, re.I)
    if name == "magnesium citrate" and (group == "rx_mg_oral_scd" or solid):
        return "magnesium citrate (tablet)"
    if name == "magnesium sulfate" and form == "oral":
        return "magnesium sulfate (oral)"
    return name


def strength_of(name: str, display: str) -> tuple[str, str]:
    """Mg of one tablet or capsule and its basis, for a product with one magnesium salt."""
    found = re.search(r"magnesium[a-z, ]* (\d+(?:\.\d+)?) MG\b(?!/)", display, re.IGNORECASE)
    if found is None:
        return "", ""
    salt = name.split()[1]
    basis = "elemental" if salt == "lactate" else "salt" if salt in BY_SALT else ""
    return found[1], basis


def electrolyte_name(display: str) -> str | None:
    """The drug of a potassium or calcium product of terminology.csv."""
    text = display.lower()
    if re.search(r"potassium chloridesodium chloride injectable", text):
        return "potassium chloride (in fluid)"
    for name in ELECTROLYTES:
        if name in text:
            return name
    return None


def main(shared: Path) -> None:
    """Write cards/codes/rxnorm.csv."""
    known = tomllib.loads((HERE / "cards" / "codes" / "codes.toml").read_text("utf-8"))["drug"]
    ingredients = {row[0] for row in known.values()} | {"62349"}
    drugs: dict[str, set[str]] = defaultdict(set)
    facts: dict[str, tuple[str, str, str, str]] = {}
    skipped: list[str] = []

    def add(code: str, name: str | None, display: str, systemic: str) -> None:
        if name is None:
            skipped.append(f"{code} {display}")
            return
        if name not in known:
            raise SystemExit(f"{name} is not in codes.toml")
        mixed = not name.startswith("magnesium ") or name in MIXTURES
        strength, basis = ("", "") if mixed else strength_of(name, display)
        drugs[code].add(name)
        old = facts.get(code, ("", "", "", ""))
        if "Osmotic" in display:  # the source's guess took it for "otic"
            systemic = "yes"
        new = (form_of(display), systemic.replace("unknown", ""), strength, basis)
        facts[code] = tuple(a or b for a, b in zip(old, new, strict=True))  # type: ignore[assignment]

    with (shared / "rxnorm_products.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            code, display = row["rxcui"], re.sub(r"\s+", " ", row["display"])
            ingredient = RENAMED.get(row["ingredient"], row["ingredient"])
            if code in ingredients or ingredient in NO_ROLE or row["flag"]:
                continue
            name: str | None = ingredient
            if ingredient == "magnesium (any)":
                name = magnesium_name(display, row["concept_groups"])
            add(code, name, display, row["likely_systemic"])
    with (shared / "terminology.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            group = row["concept_group"]
            if row["system"] == RXNORM and re.match(r"rx_(?:potassium|calcium)_", group):
                add(row["code"], electrolyte_name(row["display"]), row["display"], "yes")
    # A bare component ("Magnesium Oxide 50 MG") counts only if a product of that strength exists;
    # the others are parts of multivitamins.
    strengths = {
        (*sorted(names), facts[code][2]) for code, names in drugs.items() if facts[code][0]
    }
    rows: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for code, names in drugs.items():
        form, _, strength, _ = facts[code]
        if strength and not form and (*sorted(names), strength) not in strengths:
            continue
        rows[(" + ".join(sorted(names)), *facts[code])].append(int(code))
    with (HERE / "cards" / "codes" / "rxnorm.csv").open("w", encoding="utf-8", newline="") as file:
        file.write("drug,form,systemic,strength,basis,rxcuis\n")
        for key in sorted(rows):
            file.write(",".join([*key, " ".join(map(str, sorted(rows[key])))]) + "\n")
    count = sum(map(len, rows.values()))
    print(f"{count} products in {len(rows)} rows; {len(skipped)} magnesium products have no role")
    if "--skipped" in sys.argv:
        print("\n".join(skipped))


if __name__ == "__main__":
    paths = [Path(arg) for arg in sys.argv[1:] if not arg.startswith("-")]
    main(paths[0] if paths else HERE.parent / "shared")
