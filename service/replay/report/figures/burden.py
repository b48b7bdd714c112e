"""Burden: how often a card is shown, on whom, by rule, hour, order and level."""

from __future__ import annotations

from service.replay.report.figures.figure import Figure, Rows


def _crossed(name: str, hook: str) -> tuple[str, ...]:
    """Calls, cards and silence of a hook, each also by a value: both margins add up."""
    kinds = [f"{kind}/{hook} = {name}-{kind}/{hook}/*{name}" for kind in ("call", "card", "silent")]
    of = f"{hook}/{{{name}}}"
    return *kinds, f"{name}-call/{of} = {name}-card/{of} + {name}-silent/{of}"


PATIENTS = Figure(
    "patients",
    "On whom",
    "Each patient once, over all hooks. A patient without a dated record counts too.",
    ("patients who saw",),
    "patients",
    "all patients",
    (
        Rows(("all",), "patients"),
        Rows(("at least one card",), "patients/card", "patients"),
        Rows(("never a card",), "patients/no card", "patients"),
    ),
    "SELECT who, unnest([['patients'], ['patients', if(card, 'card', 'no card')]]) FROM p",
    ("patients = patients/card + patients/no card",),
)
CARDS = Figure(
    "cards",
    "How often it would speak",
    "Each magnesium result is one patient-view at the moment it was known; each "
    "medication order is one order-select and one order-sign at the moment it was "
    "written. A call has one card or none. The two order hooks meet the same orders: "
    "never add them.",
    ("hook", "answer"),
    "calls",
    "calls of that hook",
    (
        Rows(("{hook}", "any card"), "card/{hook}", "call/{hook}"),
        Rows(("{hook}", "{indicator}"), "indicator/{hook}/{indicator}", "call/{hook}"),
        Rows(("{hook}", "no card"), "silent/{hook}", "call/{hook}"),
    ),
    """
        SELECT who, unnest([['call', hook], [if(indicator IS NULL, 'silent', 'card'), hook]])
        FROM d
        UNION ALL
        SELECT who, unnest([['indicator', hook, indicator], ['rule', hook, indicator, lead]])
        FROM d WHERE indicator IS NOT NULL""",
    (
        "call/{hook} = card/{hook} + silent/{hook}",
        "card/{hook} = indicator/{hook}/*indicator",
        "indicator/{hook}/{indicator} = rule/{hook}/{indicator}/*rule",
    ),
    days=True,
)
BOTH = Figure(
    "both",
    "The same order at both hooks",
    "Each order once, by where it met a card. This is what a prescriber would live "
    "through: an order with a card at both hooks is one order interrupted twice.",
    ("card",),
    "orders",
    "orders met at both hooks",
    (
        Rows(("at both",), "orders/both", "orders"),
        Rows(("only when chosen",), "orders/select only", "orders"),
        Rows(("only when signed",), "orders/sign only", "orders"),
        Rows(("at neither",), "orders/neither", "orders"),
    ),
    """
        SELECT who, unnest([['orders'], ['orders', CASE WHEN chosen AND signed THEN 'both'
            WHEN chosen THEN 'select only' WHEN signed THEN 'sign only' ELSE 'neither' END]])
        FROM twice""",
    (
        "orders = orders/both + orders/select only + orders/sign only + orders/neither",
        "card/order-select =? orders/both + orders/select only",
        "silent/order-select =? orders/sign only + orders/neither",
        "card/order-sign =? orders/both + orders/sign only",
        "silent/order-sign =? orders/select only + orders/neither",
    ),
)
KINDS = Figure(
    "kinds",
    "What was being ordered",
    "Cards by what the order was. The denominator is the orders of that kind.",
    ("hook", "order"),
    "cards",
    "orders of that kind",
    (
        Rows(
            ("{ordering}", "{kind}"),
            "kind-card/{ordering}/{kind}",
            "kind-call/{ordering}/{kind}",
            given="kind-call/{ordering}/{kind}",
        ),
    ),
    """
        SELECT who, unnest([['kind-call', hook, kind],
                            [if(indicator IS NULL, 'kind-silent', 'kind-card'), hook, kind]])
        FROM d WHERE hook <> 'patient-view'""",
    _crossed("kind", "{ordering}"),
    days=True,
    words={
        "magnesium": "replacement magnesium",
        "other": "any other order",
        "irrelevant": "no data needed (a drug that magnesium has no bearing on)",
    },
)
LEVELS = Figure(
    "levels",
    "At which magnesium level, on opening the chart",
    "Cards at patient-view by what the deciding result acts as in the protocol. Not "
    "usable: the result may not be dosed on (old, unit unknown or contradicted, "
    "haemolysed, implausible).",
    ("level",),
    "cards",
    "results of that level",
    (
        Rows(
            ("{level}",),
            "level-card/{viewing}/{level}",
            "level-call/{viewing}/{level}",
            given="level-call/{viewing}/{level}",
        ),
    ),
    """
        SELECT who, unnest([['level-call', hook, level],
                            [if(indicator IS NULL, 'level-silent', 'level-card'), hook, level]])
        FROM d WHERE hook = 'patient-view'""",
    _crossed("level", "{viewing}"),
    days=True,
)
HOURS = Figure(
    "hours-{hook}",
    "At which hour, at {hook}",
    "Cards by the hour of the call, in the time zone {timezone}. Drawn: cards per "
    "100 patient-days, which add up over the hours. In the table also of the "
    "{called} in that hour: a rate of few calls says little (see its interval). Not "
    "known: the record gives a date without a time.",
    ("hour",),
    "cards",
    "{called} in that hour",
    (
        Rows(("{clock}:00",), "hour-card/{hook}/{clock}", "hour-call/{hook}/{clock}"),
        Rows(
            ("not known",), "hour-card/{hook}/?", "hour-call/{hook}/?", given="hour-call/{hook}/?"
        ),
    ),
    """
        SELECT who, unnest([['hour-call', hook, hour],
                            [if(indicator IS NULL, 'hour-silent', 'hour-card'), hook, hour]])
        FROM d""",
    _crossed("hour", "{hook}"),
    days=True,
)
RULES = Figure(
    "rules-{hook}",
    "Which rules speak at {hook}",
    "Each card once, under the rule it leads with (its worst finding). Other findings "
    "may stand on the same card: those are counted in the last column, not in the rate.",
    ("rule", "asks", "indicator"),
    "cards led",
    "{called}",
    (
        Rows(
            ("{rule}", "{title}", "{indicator}"),
            "rule/{hook}/{indicator}/{rule}",
            "call/{hook}",
            ("also/{hook}/{rule}",),
        ),
        Rows(
            ("{rule}", "{title}", "never leads"),
            "none",
            "call/{hook}",
            ("also/{hook}/{rule}",),
            given="also/{hook}/{rule}",
        ),
    ),
    # By level and by kind of order no table shows them; but who knows the rules knows which of
    # them speak at which level, and could take one table from the other.
    """
        SELECT who, unnest([['kind-rule', hook, kind, indicator, lead],
                            ['level-rule', hook, level, indicator, lead]])
        FROM d WHERE indicator IS NOT NULL
        UNION ALL
        SELECT who, ['also', hook, rule] ||
            if(rule <> lead AND list_contains(findings, rule), [], ['not'])
        FROM d JOIN (SELECT DISTINCT hook, unnest(list_filter(findings, lambda f: f <> lead))
                     AS rule FROM d WHERE indicator IS NOT NULL) USING (hook)
        WHERE indicator IS NOT NULL""",
    (
        "kind-card/{hook}/{of} =? kind-rule/{hook}/{of}/*loudness/*rule",
        "rule/{hook}/{loudness}/{rule} = kind-rule/{hook}/*of/{loudness}/{rule}",
        "level-card/{hook}/{of} =? level-rule/{hook}/{of}/*loudness/*rule",
        "rule/{hook}/{loudness}/{rule} = level-rule/{hook}/*of/{loudness}/{rule}",
        "card/{hook} = also/{hook}/{rule} + also/{hook}/{rule}/not",
    ),
    ("also on cards led by another rule",),
    days=True,
    ranked=0,
    once=True,
)
