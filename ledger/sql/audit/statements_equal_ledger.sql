-- What was settled with partners for a month is what the ledger holds of it, by movement and point
-- type; a line is points times rate, and a statement is the sum of its lines.
WITH settled AS (
    SELECT s.partner_id, s.month, l.movement, l.point_type_id, sum(l.points) AS points
    FROM ledger_statement s JOIN ledger_statementline l ON l.statement_id = s.id
    GROUP BY 1, 2, 3, 4
), month AS (
    SELECT DISTINCT month, starts_at, ends_at FROM ledger_statement
), posted AS (
    SELECT m.partner_id, p.month, m.movement, m.point_type_id, sum(m.points) AS points
    FROM month p
    JOIN ledger_movement m ON m.posted_at >= p.starts_at AND m.posted_at < p.ends_at
    GROUP BY 1, 2, 3, 4
)
SELECT partner_id AS partner, month, movement, s.points::text AS settled, p.points::text AS posted
FROM settled s FULL JOIN posted p USING (partner_id, month, movement, point_type_id)
WHERE coalesce(s.points, 0) <> coalesce(p.points, 0)
UNION ALL
SELECT s.partner_id, s.month, l.movement, l.amount::text, (l.points * l.rate)::text
FROM ledger_statement s
JOIN ledger_statementline l ON l.statement_id = s.id
LEFT JOIN loyalty_currency c ON c.code = s.currency
WHERE l.amount <> round(coalesce(l.points * l.rate, 0), coalesce(c.decimals, 2))
UNION ALL
SELECT s.partner_id, s.month, NULL, s.amount::text, sum(l.amount)::text
FROM ledger_statement s LEFT JOIN ledger_statementline l ON l.statement_id = s.id
GROUP BY s.id HAVING s.amount <> coalesce(sum(l.amount), 0)
