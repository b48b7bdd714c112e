"""The few codes the vignettes need, by the short names the tables use."""

from __future__ import annotations

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
UCUM = "http://unitsofmeasure.org"

CONDITIONS: dict[str, tuple[str, str]] = {
    "acs": (ICD10, "I21.4"),
    "aki": (SNOMED, "14669001"),
    "alcohol": (SNOMED, "7200002"),
    "arrest": (SNOMED, "410429000"),
    "asthma_severe": (ICD10, "J45.51"),
    "av_block_first": (SNOMED, "270492004"),
    "av_block_second": (SNOMED, "195042002"),
    "chb": (SNOMED, "27885002"),
    "delivery": (ICD10, "O80"),
    "dialysis": (SNOMED, "105502003"),
    "diarrhea": (SNOMED, "236071009"),
    "eclampsia": (SNOMED, "15938005"),
    "epilepsy": (ICD10, "G40.909"),
    "esrd": (ICD10, "N18.6"),
    "gitelman": (SNOMED, "707756004"),
    "hypomagnesaemia": (SNOMED, "190855004"),
    "ileostomy": (SNOMED, "302111002"),
    "ileus": (ICD10, "K56.7"),
    "lambert_eaton": (ICD10, "G70.80"),
    "long_qt": (SNOMED, "9651007"),
    "malabsorption": (SNOMED, "32230006"),
    "mg_gravis": (SNOMED, "91637004"),
    "mobitz1": (SNOMED, "54016002"),
    "mobitz2": (SNOMED, "28189009"),
    "pacemaker": (ICD10, "Z95.0"),
    "poly_vt": (SNOMED, "251159007"),
    "preeclampsia": (SNOMED, "398254007"),
    "pregnancy": (SNOMED, "77386006"),
    "seizure": (SNOMED, "91175000"),
    "short_bowel": (SNOMED, "26629001"),
    "status_epilepticus": (SNOMED, "230456007"),
    "tetany": (SNOMED, "10629009"),
    "torsades": (SNOMED, "31722008"),
    "transplant": (ICD10, "Z94.0"),
    "unstable_angina": (ICD10, "I20.0"),
    "vf": (SNOMED, "71908006"),
    "vt": (SNOMED, "25569003"),
}

PROCEDURES: dict[str, tuple[str, str]] = {
    "crrt": (SNOMED, "714749008"),
    "hemodialysis": (SNOMED, "302497006"),
}

DRUGS: dict[str, tuple[str, str]] = {
    "MgSO4": ("6585", "Magnesium Sulfate"),
    "Magnesium Sulfate": ("6585", "Magnesium Sulfate"),
    "MgO400": ("198741", "Magnesium Oxide 400 MG Oral Tablet"),
    "MgO500": ("311431", "Magnesium Oxide 500 MG Oral Tablet"),
    "MgCl535": ("829373", "Magnesium Chloride 535 MG Delayed Release Oral Tablet"),
    "MgLactate84": ("198936", "Magnesium lactate 84 MG Extended Release Oral Tablet"),
    "MgGlycinate100": ("849497", "Magnesium glycinate 100 MG Oral Tablet"),
    "MilkOfMagnesia": ("311427", "Magnesium Hydroxide 311 MG Chewable Tablet"),
    "EpsomGranules": ("1053346", "Magnesium sulfate Oral Solution Granules"),
    "alendronate": ("46041", "Alendronate"),
    "amikacin": ("641", "amikacin"),
    "amiodarone": ("703", "Amiodarone"),
    "amoxicillin": ("723", "Amoxicillin"),
    "amphotericin": ("732", "amphotericin B"),
    "bictegravir": ("1999660", "bictegravir"),
    "ca-carbonate": ("1897", "Calcium Carbonate"),
    "ca-chloride": ("1901", "Calcium Chloride"),
    "ca-gluconate": ("1908", "Calcium Gluconate"),
    "carboplatin": ("40048", "Carboplatin"),
    "cetuximab": ("318341", "cetuximab"),
    "ciprofloxacin": ("2551", "Ciprofloxacin"),
    "cisplatin": ("2555", "cisplatin"),
    "digoxin": ("197604", "Digoxin 0.125 MG Oral Tablet"),
    "dolutegravir": ("1433868", "dolutegravir"),
    "doxycycline": ("197633", "Doxycycline 100 MG Oral Tablet"),
    "elvitegravir": ("1306286", "elvitegravir"),
    "esomeprazole-mg": ("283562", "Esomeprazole magnesium"),
    "everolimus": ("141704", "everolimus"),
    "furosemide": ("313988", "Furosemide 40 MG Oral Tablet"),
    "gabapentin": ("105028", "gabapentin 300 MG Oral Capsule"),
    "haloperidol": ("5093", "Haloperidol"),
    "hctz": ("5487", "Hydrochlorothiazide"),
    "kcl": ("8591", "Potassium Chloride"),
    "kphos": ("34322", "potassium phosphate"),
    "levofloxacin": ("82122", "Levofloxacin"),
    "levothyroxine": ("892246", "Levothyroxine Sodium 0.1 MG Oral Tablet"),
    "methadone": ("6813", "Methadone"),
    "moxifloxacin": ("139462", "moxifloxacin"),
    "mycophenolate": ("68149", "mycophenolate mofetil"),
    "nifedipine": ("198032", "nifedipine 10 MG Oral Capsule"),
    "omeprazole": ("7646", "Omeprazole"),
    "ondansetron": ("26225", "Ondansetron"),
    "raltegravir": ("744842", "raltegravir 400 MG Oral Tablet"),
    "rocuronium": ("1234995", "Rocuronium bromide 10 MG/ML Injectable Solution"),
    "semaglutide": ("1991302", "semaglutide"),
    "sotalol": ("9947", "Sotalol"),
    "spironolactone": ("9997", "Spironolactone"),
    "tacrolimus": ("42316", "Tacrolimus"),
    "thioridazine": ("10502", "Thioridazine"),
}

ROUTES: dict[str, tuple[str, str]] = {
    "IV": ("47625008", "Intravenous route"),
    "IM": ("78421000", "Intramuscular route"),
    "PO": ("26643006", "Oral route"),
    "SC": ("34206005", "Subcutaneous route"),
}

# Units written with their UCUM code; any other spelling goes out as `unit` alone.
UCUM_UNITS = frozenset(
    [
        "mg/dL",
        "mmol/L",
        "meq/L",
        "mg/L",
        "ug/mL",
        "g",
        "mg",
        "mmol",
        "meq",
        "mL",
        "kg",
        "[lb_av]",
        "[oz_av]",
        "ms",
        "s",
        "min",
        "h",
        "d",
        "mg/min",
        "g/h",
        "mL/min/{1.73_m2}",
        "mL/min",
        "umol/L",
        "g/dL",
        "g/L",
        "{pill}",
        "10*3/uL",
        "10*9/L",
    ]
)

# The shorthand of a suggested MedicationRequest, by the RxNorm code of its first coding.
SULFATE = frozenset(
    [
        "6585",
        "1658221",
        "1658236",
        "1658244",
        "829757",
        "1658259",
        "1658262",
        "1658264",
        "1658265",
        "829734",
        "829762",
        "1658245",
        "1658254",
    ]
)
OXIDE = frozenset(
    [
        "6582",
        "198741",
        "311430",
        "252430",
        "311431",
        "411877",
        "311429",
        "198740",
        "435006",
        "259240",
        "210958",
        "210961",
        "1157505",
    ]
)
CHLORIDE = frozenset(["6579", "829373", "829384", "829390", "241549", "1157478"])
LACTATE = frozenset(["214688", "198936", "210918"])
GLYCINATE = frozenset(["476818", "849497", "2534481"])
