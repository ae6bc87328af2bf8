-- What moved points into, or out of, what members hold, each for the one partner that it counts to:
-- the base of Partner History, of settlement and of the journal (docs/settlement.md).
--
-- Who issued a lot stands for what is earned on it, taken back, expired or taken by the programme;
-- who redeemed stands for what is redeemed with it, and an exchange partner for what bought its
-- units. `points` is the change of what members hold, so that the sum over all partners is the
-- change of the ledger. Moves between PENDING, AVAILABLE, LOCKED and DEBT change nothing and are
-- left out.
--
-- `priced_at` is the posting whose rate is meant: its own, and for what undoes an earlier posting
-- that one, so that a reversal moves back just the money that was moved. What expires or is taken
-- by the programme moves no money: its issuer has paid.
CREATE OR REPLACE VIEW ledger_movement AS
SELECT e.id AS entry_id, e.transaction_id, e.member_id, e.point_type_id, e.lot_id,
       t.kind, t.occurred_at, t.posted_at, t.outlet, l.partner_id AS issuer_id,
       b.partner_id, b.movement, b.points, b.priced_at,
       (SELECT r.rate
        FROM partners_partnerrate r JOIN ledger_pointtype y ON y.code = r.point_type
        WHERE b.rate_kind IS NOT NULL AND r.partner_id = b.partner_id AND y.id = e.point_type_id
          AND r.kind IN (b.rate_kind, 'SETTLEMENT')
          AND r.valid_from <= b.priced_at AND (r.valid_to IS NULL OR b.priced_at < r.valid_to)
        ORDER BY r.kind = 'SETTLEMENT' LIMIT 1) AS rate
FROM ledger_entry e
JOIN ledger_transaction t ON t.id = e.transaction_id
LEFT JOIN ledger_lot l ON l.id = e.lot_id
-- The redemption that is given back, or the sale of what is taken back.
LEFT JOIN ledger_transaction o ON o.id = CASE
    WHEN e.source = 5 THEN t.original
    WHEN e.source = 1 THEN l.origin
    WHEN 7 IN (e.source, e.target) THEN coalesce(l.origin, l.transaction_id) END
LEFT JOIN partners_exchange x ON x.id = CASE
    WHEN e.source = 5 THEN t.original WHEN e.target = 5 THEN t.id END
CROSS JOIN LATERAL (
    SELECT CASE
               WHEN e.source = 1 THEN 'EARNED'
               WHEN e.target = 5 AND x.id IS NOT NULL THEN 'EXCHANGED'
               WHEN e.target = 5 THEN 'REDEEMED'
               WHEN e.source = 5 AND x.id IS NOT NULL THEN 'EXCHANGE_REVERSED'
               WHEN e.source = 5 THEN 'REDEMPTION_REVERSED'
               WHEN e.target = 6 THEN 'EXPIRED'
               WHEN e.target = 7 AND t.kind = 'ADJUSTMENT' THEN 'ADJUSTED'
               WHEN 7 IN (e.source, e.target) THEN 'REVERSED'
               ELSE 'TRANSFERRED' END AS movement,
           CASE WHEN e.target IN (2, 3, 4, 8) THEN e.points ELSE -e.points END AS points,
           CASE WHEN e.target = 5 THEN coalesce(x.partner_id, t.partner_id)
                WHEN e.source = 5 THEN coalesce(x.partner_id, o.partner_id)
                ELSE coalesce(l.partner_id, t.partner_id) END AS partner_id,
           CASE WHEN 5 IN (e.source, e.target) THEN 'BURN'
                WHEN e.source IN (1, 7) OR (e.target = 7 AND t.kind <> 'ADJUSTMENT')
                THEN 'EARN' END AS rate_kind,
           coalesce(o.posted_at, t.posted_at) AS priced_at
) b
WHERE e.source NOT IN (2, 3, 4, 8) OR e.target NOT IN (2, 3, 4, 8);
