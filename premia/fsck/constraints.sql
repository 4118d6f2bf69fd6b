-- What PostgreSQL itself refuses on the tables of some schemas ($1): a row for each constraint, column that may not be null, unique
-- index and trigger that looks at what comes in. Alike on every version: 18 keeps NOT NULL among the constraints, 15 does not; names
-- are written in full where search_path is empty. `definition` also says what is there but not at work.
WITH tables AS (
    SELECT c.oid, n.nspname || '.' || c.relname AS name
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p')
)
-- PostgreSQL says NOT VALID and NOT ENFORCED by itself. A reference is looked at by triggers of its own, which can be switched off.
SELECT t.name AS "table", 'constraint ' || c.conname AS name, pg_catalog.pg_get_constraintdef(c.oid)
    || CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_trigger AS g WHERE g.tgconstraint = c.oid AND g.tgenabled NOT IN ('O', 'A'))
        THEN ', switched off' ELSE '' END AS definition
FROM tables AS t JOIN pg_catalog.pg_constraint AS c ON c.conrelid = t.oid
WHERE c.contype IN ('c', 'f', 'p', 'u', 'x')
UNION ALL
SELECT t.name, 'column ' || a.attname, CASE WHEN c.convalidated IS FALSE THEN 'NOT NULL NOT VALID' ELSE 'NOT NULL' END
FROM tables AS t JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND a.attnotnull
LEFT JOIN pg_catalog.pg_constraint AS c ON c.conrelid = t.oid AND c.contype = 'n' AND c.conkey = ARRAY[a.attnum]
UNION ALL
SELECT t.name, 'unique index ' || i.relname,
    pg_catalog.pg_get_indexdef(i.oid) || CASE WHEN x.indisvalid AND x.indisready THEN '' ELSE ', unfinished' END
FROM tables AS t JOIN pg_catalog.pg_index AS x ON x.indrelid = t.oid AND x.indisunique
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS c WHERE c.conindid = i.oid AND c.contype IN ('p', 'u', 'x'))
UNION ALL
-- tgtype 4: insert, as PostgreSQL's catalog documents it. The function is compared as a whole, by its hash.
SELECT t.name, 'trigger ' || g.tgname, pg_catalog.pg_get_triggerdef(g.oid)
    || CASE g.tgenabled WHEN 'A' THEN ', always' WHEN 'O' THEN '' WHEN 'D' THEN ', switched off' ELSE ', in replica mode' END
    || ', by the function of SHA-256 '
    || encode(sha256(convert_to(pg_catalog.pg_get_functiondef(g.tgfoid), 'UTF8')), 'hex')
FROM tables AS t JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = t.oid AND NOT g.tgisinternal AND g.tgtype & 4 <> 0
ORDER BY 1, 2
