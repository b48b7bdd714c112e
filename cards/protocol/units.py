"""The unit each limit must be stated in: the code that reads the limit expects exactly this one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_BY_UNIT = {
    "mg/min": "limit.infusion_rate",
    "g/h": "limit.fast_rate",
    "g": """limit.single_iv limit.daily_parenteral limit.single_im limit.unknown_weight_iv
        limit.bedside_dose limit.refractory_iv""",
    "mg": "limit.oxide_daily",
    "mmol": "limit.oral_daily limit.oral_full_dose",
    "%": "limit.iv_concentration limit.weight_jump limit.femg_low limit.femg_high",
    "kg": "limit.weight_floor limit.weight_low limit.weight_high",
    "a": "limit.adult_age",
    "min": """limit.emergency_spent limit.short_infusion limit.accepted_unseen result.future
        result.edta_window""",
    "h": """limit.one_off_end limit.femg_window limit.refractory_iv_window limit.new_event
        limit.magnesium_lab_interval limit.quiet result.egfr_lag result.not_equilibrated""",
    "d": "limit.refractory_oral_days limit.maintenance_window limit.recent_dialysis",
    "mg/dL": """limit.supplement_high limit.high_card limit.obstetric_high limit.calcium_recheck
        limit.calcium_urgent limit.creatinine_rise limit.creatinine_low limit.monitoring_magnesium
        result.quantise result.range_middle_low result.range_middle_high result.verify_below
        result.verify_above result.edta_magnesium result.edta_calcium result.borderline_high""",
    "mmol/L": """limit.potassium_low limit.potassium_at_risk limit.potassium_urgent
        limit.calcium_ionized result.edta_potassium""",
    "g/dL": "limit.albumin_normal",
    "mg/g": "limit.calcium_per_albumin",
    "10*9/L": "limit.platelets",
    "ms": "limit.qtc_long limit.qtc_borderline limit.qrs_wide limit.qtc_wide_allowance",
    "1": "limit.creatinine_ratio",
    # How old a result may be: any of the three, since these are read with their unit.
    "min h d": """result.age_inpatient result.age_ambulatory result.age_creatinine_inpatient
        result.age_creatinine_ambulatory result.age_weight_inpatient
        result.age_weight_ambulatory""",
}
EXPECTED_UNITS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {place: tuple(units.split()) for units, places in _BY_UNIT.items() for place in places.split()}
)
