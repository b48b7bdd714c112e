"""Build cards/codes/international.csv: codes and names of other countries, from the shared table.

    python .ci/international_table.py [SHARED_DIRECTORY]

Reads `terminology-international.csv` and, of `terminology.csv`, the group of products that hold
magnesium and replace none (default: ../shared beside the repository). Rows that nobody could
verify are left out and counted. The same input gives the same bytes. Neither the service nor its
tests need the shared directory.

    drug      keys of codes.toml [drug], joined by " + "; empty: known to be none of ours
    form      parenteral, oral, other, or empty when neither code nor source says
    strength  of a magnesium product: "40 mg/mL", "400 mg" of the salt in a tablet; else empty
    system    atc, ndc (9 digits: the product, 11: one package), snomed (dm+d too), ask, yj, rxnorm,
              name, protocol (the name of a replacement protocol)
    code      the code or name
    meaning   what the source says that it is
    source    where it was seen
"""

import csv
import re
import sys
from collections import Counter
from pathlib import Path

from foreign_drugs import (
    GENERIC,
    KNOWN,
    OUR_NAMES,
    PROTOCOL,
    form_of,
    key_of,
    names_of,
    strength_of,
)

HERE = Path(__file__).resolve().parent.parent
SYSTEM = {
    "http://www.whocc.no/atc": "atc",
    "http://hl7.org/fhir/sid/ndc": "ndc",
    "http://snomed.info/sct": "snomed",
    "https://dmd.nhs.uk": "snomed",
    "http://fhir.de/CodeSystem/ask": "ask",
    "http://capstandard.jp/iyaku.info/CodeSystem/YJ-code": "yj",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "rxnorm",
    "name": "name",
}


# Rows that the table marks as not verified, and that were found with their meaning elsewhere.
CHECKED = frozenset(
    {
        "Magnerot",
        "hidróxido de magnesio",
        "nutrition parentérale",
        "parenterale Ernährung",
        "óxido de magnesio",
    }
)
# What is said of every row of a kind: where a name was met is its source's business.
MEANING = {
    "replacement_protocol_order": "in the list of replacement orders",
    "parenteral_nutrition": "in the list of parenteral nutrition",
}


def plain(text: str) -> str:
    """What a source says, without how it was found."""
    text = re.sub(r"find_string hits?,? ?", "", text)
    text = re.sub(r"file ids? [\d, ]+\(repository.*", "a public file", text)
    text = re.sub(r", file ids? [\d, ]+", "", text)
    return text.replace("of this pack", "of the clinical pack").strip(" ,")


def ndc(code: str) -> str:
    """The 11 digits of a package, or the 9 of a product."""
    parts = code.split("-")
    if len(parts) == 1:
        return code
    return "".join(part.zfill(width) for part, width in zip(parts, (5, 4, 2), strict=False))


class Table:
    """The rows to write, and what was left out and why."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], tuple[str, ...]] = {}
        self.left_out: Counter[str] = Counter()

    def add(
        self, drug: str, form: str, strength: str, system: str, code: str, row: dict[str, str]
    ) -> None:
        for key in filter(None, drug.split(" + ")):
            if key not in KNOWN:
                raise SystemExit(f"{key} is not in codes.toml")
        meaning = MEANING.get(row.get("kind", ""), plain(row["meaning"]))
        fact = (drug, form, strength, system, code, meaning, plain(row["source"]))
        self.rows.setdefault((system, code.lower()), fact)

    def read(self, row: dict[str, str]) -> None:
        if row["code_or_name"] in CHECKED:
            row = row | {"source": "public files that give name and meaning"}
        elif row["verified"] != "yes":
            self.left_out["not verified"] += 1
            return
        kind, system, note = row["kind"], SYSTEM[row["system"]], row["note"]
        code, meaning = row["code_or_name"], row["meaning"]
        if note.startswith("EXCLUDE"):
            self._excluded(row, system)
        elif kind == "qt_known" and note.startswith("NOT in the product's list"):
            self.add("", "", "", system, code, row)
        elif kind == "replacement_protocol_order":
            if PROTOCOL.search(code) and "|" not in code and '"' not in code:
                self.add(
                    "magnesium",
                    "",
                    "",
                    "protocol",
                    code.split(" (order set)")[0].split(" if/when")[0],
                    row,
                )
            else:
                self.left_out["a protocol for another electrolyte, or no name"] += 1
        else:
            self._drug(row, kind, system, code, meaning)

    def _excluded(self, row: dict[str, str], system: str) -> None:
        code, note = row["code_or_name"], row["note"]
        if code.startswith(("MS", "Magnesium sulfuricum", "mg / MG", "INSULIN ...")):
            self.left_out["an abbreviation or several names at once"] += 1
            return
        text = f"{code} {row['meaning']} {note}".lower()
        drug = ""
        if "CARRIER" in note:
            renal = re.search(
                r"dialy|filtrat|crrt|renal repl|prefilter|replacement fluid|accusol", text
            )
            cardio = "cardiopl" in text or "procaine" in text
            drug = (
                "cardioplegia"
                if cardio
                else "dialysis fluid"
                if renal
                else "multi-electrolyte fluid"
            )
            if re.search("bile|ns repletion", text):
                drug = ""
        elif row["kind"] == "potassium" and re.search(r"c03|bumetanide|centyl|canrenoate", text):
            # A diuretic with potassium in one tablet is a diuretic.
            loop = re.search(r"c03cb|bumetanide|c03da", text)
            drug = "loop diuretic (unnamed)" if loop and "c03da" not in text else ""
            drug = drug or ("" if "c03da" in text else "thiazide diuretic (unnamed)")
            drug = (
                "bumetanide"
                if "bumetanide" in text
                else "bendroflumethiazide"
                if "centyl" in text
                else drug
            )
        form = "parenteral" if "CARRIER" in note and drug else ""
        if system == "ndc":
            code = ndc(code)
            drug = "potassium chloride (in fluid)" if "1000 mL" in row["meaning"] else drug
        for name in re.split(r" / ", code) if system == "name" else [code]:
            self.add(drug, form, "", system, name, row)

    def _drug(self, row: dict[str, str], kind: str, system: str, code: str, meaning: str) -> None:
        said = f"{code} {meaning} {row['strength']}" if system in ("name", "ndc") else meaning
        drug = key_of(kind, system, code, meaning)
        if drug is None:
            self.left_out["no part in the protocol"] += 1
            return
        form = form_of(kind, system, code, said)
        strength = strength_of(row, kind, system) if system in ("ndc", "rxnorm", "yj") else ""
        if system == "atc" and kind.startswith("magnesium"):
            strength = ""
        if system == "ndc":
            code = ndc(code)
            if len(code) == 11 and not (kind == "magnesium_iv" and not strength):
                self.add(drug, form, strength, "ndc", code[:9], row)
        if code == "0338-1715-40" or code == "00338171540":
            drug = "magnesium sulfate"  # a usual premix (ruling 138); its bag is not known
        if system != "name":
            self.add(drug, form, strength, system, code, row)
            return
        if (
            kind.startswith("magnesium")
            and row["language/country"].startswith("en US")
            and OUR_NAMES.search(code)
        ):
            self.left_out["a name that is known without it"] += 1
            return
        if code.startswith(
            (
                "esomeprazole magnesium /",
                "Research",
                "MAGNESIUM PO",
                "magnesium 2gm",
                "MAGNESIUM L-LACTATE 84",
            )
        ):
            self.left_out["no product"] += 1
            return
        for name in names_of(code):
            both = GENERIC.fullmatch(name) or name in ("Magnesiocard", "Magnesium-Diasporal")
            brand = "magnesium" if name in ("Magnesiocard", "Magnesium-Diasporal") else drug
            self.add(brand, "" if both else form, strength, "name", name, row)

    def disagreeing_products(self) -> None:
        """A product code (9 digits) says a strength only where all its packages agree."""
        packages: dict[str, set[str]] = {}
        for system, code in self.rows:
            if system == "ndc" and len(code) == 11:
                packages.setdefault(code[:9], set()).add(self.rows[system, code][2])
        for code, strengths in packages.items():
            row = self.rows.get(("ndc", code))
            if row is not None and len(strengths | {row[2]}) > 1:
                self.rows["ndc", code] = (*row[:2], "", *row[3:])


def main(shared: Path) -> None:
    """Write cards/codes/international.csv."""
    table = Table()
    with (shared / "terminology-international.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            table.read(row)
    with (shared / "terminology.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["concept_group"] == "rx_mg_trap_not_replacement" and re.search(
                r"salicylate|pitavastatin", row["display"], re.IGNORECASE
            ):
                fact = {"meaning": row["display"], "source": row["source1"]}
                table.add("", "", "", "rxnorm", row["code"], fact)
    table.disagreeing_products()
    rows = sorted(table.rows.values(), key=lambda fact: (fact[3], fact[4]))
    with (HERE / "cards" / "international.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(("drug", "form", "strength", "system", "code", "meaning", "source"))
        out.writerows(rows)
    print(f"{len(rows)} rows: {dict(Counter(fact[3] for fact in rows))}")
    print(f"left out: {dict(table.left_out)}")


if __name__ == "__main__":
    paths = [Path(arg) for arg in sys.argv[1:]]
    main(paths[0] if paths else HERE.parent / "shared")
