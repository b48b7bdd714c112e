-- The tables that every figure counts: d, a decision; o, an order of one; p, a patient; low, a low
-- result; twice, an order met at both order hooks. Variables: decisions and patients, the paths of the files.

-- The suggestion a clinician would take: the recommended order, else the first order offered,
-- else what else is suggested (a lab, a removal).
CREATE MACRO taken(suggestions) AS coalesce(
    list_filter(suggestions, lambda s: s.recommended AND s.regimen IS NOT NULL)[1],
    list_filter(suggestions, lambda s: s.regimen IS NOT NULL)[1],
    suggestions[1]);
-- What a card says at first sight. The follow-up level goes with nearly every order: it would
-- only make labels long.
CREATE MACRO says(indicator, rule, suggestion) AS CASE
    WHEN indicator IS NULL THEN 'no card'
    ELSE indicator || ' ' || rule
         || coalesce(': ' || regexp_replace(suggestion.label, ', with follow-up level$', ''), '')
    END;
-- The best match among the magnesium orders that followed a suggestion.
CREATE MACRO followed_by(followed, suggestions) AS CASE
    WHEN coalesce(len(followed), 0) = 0 THEN 'nothing'
    WHEN len(list_filter(followed, lambda f: f.same)) > 0 THEN 'as suggested'
    WHEN len(list_filter(followed, lambda f: list_contains(list_transform(suggestions,
        lambda s: s.route || CASE WHEN s.unit = 'g' THEN s.dose * 1000 ELSE s.dose END),
        f.route || f.dose))) > 0 THEN 'same dose'
    WHEN len(list_filter(followed, lambda f: list_contains(list_transform(suggestions,
        lambda s: s.route), f.route))) > 0 THEN 'same route'
    WHEN len(list_filter(followed, lambda f: f.route IS NOT NULL)) > 0 THEN 'other route'
    ELSE 'route unknown' END;

CREATE TABLE d AS SELECT
    hash(patient) AS who,
    hook,
    time,
    CASE WHEN exact THEN printf('%02d', hour) ELSE '?' END AS hour,
    orders,
    len(orders) AS size,
    CASE WHEN magnesium IS NULL THEN 'no result'
         WHEN magnesium.usable THEN coalesce(magnesium.acts_as, 'no band')
         ELSE 'not usable' END AS level,
    indicator,
    coalesce(findings[1], r.lead) AS lead,
    list_distinct(findings) AS findings,
    list_distinct(hushed) AS hushed,
    refusals,
    gaps,
    len(list_filter(suggestions, lambda s: s.regimen IS NOT NULL)) > 0 AS drug,
    -- Low without an offer or a stop: the table of regimens has nothing for it.
    CASE WHEN drug AND len(refusals) = 0 THEN 'offered'
         WHEN drug THEN 'partly'
         WHEN len(refusals) > 0 THEN 'refused'
         WHEN hook = 'patient-view' AND indicator IS NOT NULL
              AND level IN ('severe', 'moderate', 'mild') THEN 'none' END AS offer,
    taken(suggestions).route AS route,
    CASE WHEN drug AND len(list_filter(orders, lambda o: o.magnesium)) = 0
         THEN followed_by(followed, suggestions) END AS outcome,
    against IS NOT NULL AS compared,
    against.indicator AS other,
    CASE WHEN against.visible THEN 'visible'
         WHEN against.stage IS NOT NULL THEN 'unseen' ELSE 'same' END AS differs,
    coalesce(against.stage, '') AS stage,
    says(indicator, r.lead, taken(suggestions)) AS said,
    CASE WHEN against.indicator = indicator AND against.lead = r.lead
              AND taken(against.suggestions).label IS NOT DISTINCT FROM taken(suggestions).label
         THEN 'the same at first sight: another finding or suggestion differs'
         ELSE says(against.indicator, against.lead, taken(against.suggestions)) END AS other_said
FROM read_parquet(getvariable('decisions')) r;

CREATE TABLE p AS SELECT
    hash(patient) AS who,
    CAST(round(coalesce(days, 0) * 86400) AS BIGINT) AS seconds,
    coalesce(counted, 'none') AS counted,
    lows,
    undated, unread, conflicts, unrecognised,
    coalesce(lost_magnesium, 0) AS lost_magnesium,
    coalesce(guessed_ends, 0) AS guessed_ends,
    coalesce(patient_missing, false) AS patient_missing,
    who IN (SELECT who FROM d WHERE indicator IS NOT NULL) AS card
FROM read_json(getvariable('patients'), format = 'newline_delimited', columns = {
    patient: 'VARCHAR', days: 'DOUBLE', counted: 'VARCHAR',
    lows: 'STRUCT(acts_as VARCHAR, hours DOUBLE, treated BOOLEAN, observed_h DOUBLE)[]',
    undated: 'MAP(VARCHAR, BIGINT)', unread: 'MAP(VARCHAR, BIGINT)',
    unrecognised: 'MAP(VARCHAR, BIGINT)', lost_magnesium: 'BIGINT',
    conflicts: 'MAP(VARCHAR, BIGINT)', guessed_ends: 'BIGINT', patient_missing: 'BOOLEAN'});

-- 72 h is LOW_H; a record that goes on that long and holds no order is one without.
CREATE VIEW low AS SELECT who, l.acts_as AS band, l.hours AS hours,
    CASE WHEN l.treated THEN 'treated' WHEN l.hours IS NOT NULL THEN 'ordered'
         WHEN l.observed_h >= 72 THEN 'none' ELSE 'lost' END AS after
FROM (SELECT who, unnest(lows) AS l FROM p);

-- ``told``: the card of its call speaks of it. ``place`` counts the orders of a call from 1, ``met``
-- those of them that its card speaks of.
CREATE TABLE o AS SELECT *,
    sum(CAST(told AS INTEGER)) OVER (PARTITION BY call ORDER BY place) AS met
FROM (
    SELECT who, hook, indicator, lead, call, place, hash(who, orders[place].id) AS what,
        orders[place].told AS told,
        coalesce(nullif(orders[place].drug, ''), '?') AS drug,
        CASE WHEN orders[place].magnesium THEN 'magnesium'
             WHEN orders[place].relevant THEN 'other' ELSE 'irrelevant' END AS kind
    FROM (SELECT *, unnest(range(1, size + 1)) AS place
          FROM (SELECT *, row_number() OVER () AS call FROM d)));

CREATE TABLE twice AS SELECT who, what,
    bool_or(hook = 'order-select' AND told) AS chosen,
    bool_or(hook = 'order-sign' AND told) AS signed
FROM o GROUP BY who, what
HAVING count(*) = 2 AND count(DISTINCT hook) = 2;
