-- Idempotency keys that several proxies share (`idempotency: { scope: database }`): a key is inserted in the transaction that writes
-- its rows, so a batch that reaches PostgreSQL through two proxies is written once.

CREATE TABLE forebay.batch_keys (
    key        uuid        PRIMARY KEY,
    body       bigint      NOT NULL,
    queue      uuid        NOT NULL,
    lane       integer     NOT NULL CHECK (lane >= 0),
    position   bigint      NOT NULL CHECK (position > 0),
    noted_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE forebay.batch_keys IS 'Idempotency keys of written batches, for the time of their window';
COMMENT ON COLUMN forebay.batch_keys.key IS 'First 16 bytes of SHA-256 over stream, identity and key';
COMMENT ON COLUMN forebay.batch_keys.body IS 'First 8 bytes of SHA-256 over the request''s body';
COMMENT ON COLUMN forebay.batch_keys.position IS 'Offset of the batch''s last event in its lane';

CREATE INDEX batch_keys_noted_at ON forebay.batch_keys USING brin (noted_at);

-- Deletes the keys whose window is over; returns how many.
CREATE FUNCTION forebay.forget_batch_keys(keep interval)
RETURNS bigint
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, forebay
AS $$
DECLARE
    forgotten bigint;
BEGIN
    IF keep < interval '1 minute' THEN
        RAISE EXCEPTION 'a window of % is too short', keep USING ERRCODE = 'invalid_parameter_value';
    END IF;
    DELETE FROM forebay.batch_keys WHERE noted_at < now() - keep;
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN forgotten;
END
$$;
REVOKE ALL ON FUNCTION forebay.forget_batch_keys(interval) FROM PUBLIC;
