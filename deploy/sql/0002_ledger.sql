-- One row per lane of a queue. It moves in the same transaction as the rows that it accounts for, so every state that
-- PostgreSQL can be in, after a crash, a promotion or a restore, says by itself which events it holds.

CREATE TABLE forebay.ledger (
    queue      uuid        NOT NULL,
    lane       integer     NOT NULL CHECK (lane >= 0),
    epoch      bigint      NOT NULL CHECK (epoch > 0),
    position   bigint      NOT NULL CHECK (position >= 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (queue, lane)
)
-- Few rows, each updated many times a second: the pages are left nearly empty, so that an update finds room on its own page
-- (a heap-only tuple, no index entry) and the next one prunes it.
WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

COMMENT ON TABLE forebay.ledger IS 'How far each lane of each queue has been written';
COMMENT ON COLUMN forebay.ledger.epoch IS 'Number of the last claim; a writer of an earlier claim is refused';
COMMENT ON COLUMN forebay.ledger.position IS 'Offset of the last event that this database holds; 0 for none';

-- Takes the lane: raises its epoch, and makes its row if there is none. It waits for a transaction that is still moving the
-- lane, so the position that it returns is settled.
CREATE FUNCTION forebay.claim(queue uuid, lane integer, OUT epoch bigint, OUT "position" bigint)
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, forebay
AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO forebay.ledger AS held (queue, lane, epoch, position)
    VALUES ($1, $2, 1, 0)
    ON CONFLICT ON CONSTRAINT ledger_pkey
    DO UPDATE SET epoch = held.epoch + 1, updated_at = clock_timestamp()
    RETURNING held.epoch, held.position INTO $3, $4;
END
$$;
COMMENT ON FUNCTION forebay.claim(uuid, integer) IS 'Raises the epoch of a lane and returns its ledger row';

-- Moves the lane from one position to another, for the holder of the current epoch only. Whatever else stands in the row,
-- nothing moves and the transaction fails with FB001.
CREATE FUNCTION forebay.advance(queue uuid, lane integer, epoch bigint, "from" bigint, "to" bigint)
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, forebay
AS $$
#variable_conflict use_column
DECLARE
    held record;
BEGIN
    UPDATE forebay.ledger
    SET position = $5, updated_at = clock_timestamp()
    WHERE queue = $1 AND lane = $2 AND epoch = $3 AND position = $4 AND $5 >= $4;
    IF FOUND THEN
        RETURN;
    END IF;

    SELECT l.epoch, l.position INTO held FROM forebay.ledger AS l WHERE l.queue = $1 AND l.lane = $2;
    RAISE EXCEPTION USING
        ERRCODE = 'FB001',
        MESSAGE = format('lane %s.%s can not go from %s to %s in epoch %s', $1, $2, $4, $5, $3),
        DETAIL = CASE
            WHEN held.epoch IS NULL THEN 'The ledger has no row for this lane.'
            ELSE format('The ledger has epoch %s and position %s.', held.epoch, held.position)
        END,
        HINT = CASE
            WHEN held.epoch IS NULL THEN 'Claim the lane first.'
            WHEN held.epoch <> $3 THEN 'Another claim was made since: claim the lane again and go on from its position.'
            WHEN $5 < $4 THEN 'A lane never goes back.'
            ELSE 'Claim the lane again and go on from its position.'
        END;
END
$$;
COMMENT ON FUNCTION forebay.advance(uuid, integer, bigint, bigint, bigint)
    IS 'Moves a lane''s ledger row, or fails with FB001';

REVOKE ALL ON FUNCTION forebay.claim(uuid, integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION forebay.advance(uuid, integer, bigint, bigint, bigint) FROM PUBLIC;
