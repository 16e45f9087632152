-- The epoch of a claim is raised by a random number. A promoted server may lack the last claims of the one before it: raised by
-- one, a claim there would have the number of a claim that the abandoned timeline shows, and a server left on that timeline
-- would count as one that has replayed it.
CREATE OR REPLACE FUNCTION forebay.claim(queue uuid, lane integer, OUT epoch bigint, OUT "position" bigint)
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, forebay
AS $$
#variable_conflict use_column
DECLARE
    raised CONSTANT bigint := 1 + floor(random() * 2147483648)::bigint;
BEGIN
    INSERT INTO forebay.ledger AS held (queue, lane, epoch, position)
    VALUES ($1, $2, raised, 0)
    ON CONFLICT ON CONSTRAINT ledger_pkey
    DO UPDATE SET epoch = held.epoch + raised, updated_at = clock_timestamp()
    RETURNING held.epoch, held.position INTO $3, $4;
END
$$;
