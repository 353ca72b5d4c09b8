\ir settings.psql
SELECT plan(2);

-- Long names are learned in full, and cut where alerts show them, so that those
-- that somebody invents never make an alert of somebody else's too large to store.
SELECT lives('a', '2026-01-01', '2026-01-20');
SELECT lives('b', '2026-01-01', '2026-01-20');
SELECT lives('c' || n, '2026-01-01', '2026-01-20') FROM generate_series(1, 10) AS n;
SELECT lives(repeat('x', 10000), '2026-01-17', '2026-01-18');
INSERT INTO log VALUES (aws('2026-01-19T08:00:00Z', repeat('x', 10000), 'CreateUser'));
INSERT INTO log VALUES (aws('2026-01-21T08:00:00Z', 'a', 'CreateUser'));
SELECT is((SELECT max(length(identity)) FROM baselines), 10031, 'Long name: learned in full');
SELECT is((SELECT length(evidence->'peers'->0->>'identity') FROM alerts WHERE identity LIKE '%/a'), 500, 'Long name of a peer: cut in the evidence of others');
SELECT * FROM finish();
ROLLBACK;
