-- Daily partitions, one day at a time. Whoever keeps the partitions lists the days that lack one and has each made in a
-- transaction of its own: a day that can't be made, or that takes too long, then keeps no other from being made.
--
-- Tables are named by text, quoted and with their schema, so that the name means the same under every search_path.

-- The table's default partition, or null, and the column that the table is partitioned by.
CREATE FUNCTION forebay.daily_table(parent regclass, OUT name text, OUT default_id regclass, OUT column_name text)
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, forebay
AS $$
BEGIN
    SELECT format('%I.%I', n.nspname, c.relname), nullif(p.partdefid, 0)::regclass, a.attname INTO name, default_id, column_name
    FROM forebay.daily_tables t
    JOIN pg_partitioned_table p ON p.partrelid = t.table_id
    JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    JOIN pg_class c ON c.oid = p.partrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE t.table_id = parent;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is not in forebay.daily_tables, or is not partitioned', parent USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;
REVOKE ALL ON FUNCTION forebay.daily_table(regclass) FROM PUBLIC;

-- The names of the tables that have daily partitions.
CREATE FUNCTION forebay.daily_table_names()
RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, forebay
AS $$
    SELECT format('%I.%I', n.nspname, c.relname)
    FROM forebay.daily_tables t
    JOIN pg_partitioned_table p ON p.partrelid = t.table_id
    JOIN pg_class c ON c.oid = p.partrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    ORDER BY 1
$$;
REVOKE ALL ON FUNCTION forebay.daily_table_names() FROM PUBLIC;

-- The days without a partition from today to `ahead` days from now, soonest first, and then yesterday. Reads the catalogue only.
CREATE FUNCTION forebay.days_ahead(parent regclass, ahead integer)
RETURNS SETOF date
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, forebay
SET timezone = 'UTC'
AS $$
BEGIN
    IF ahead IS NULL OR ahead < 0 OR ahead > 366 THEN
        RAISE EXCEPTION 'partitions are made 0 to 366 days ahead, not %', coalesce(ahead::text, 'null')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM forebay.daily_table(parent);
    RETURN QUERY
        SELECT d FROM (SELECT current_date + n FROM generate_series(-1, ahead) AS n) AS days (d)
        WHERE NOT EXISTS (
            SELECT FROM forebay.partition_bounds(parent) AS b WHERE b.lower_bound <= d::timestamptz AND d::timestamptz < b.upper_bound
        )
        ORDER BY d < current_date, d;
END
$$;
REVOKE ALL ON FUNCTION forebay.days_ahead(regclass, integer) FROM PUBLIC;

-- The days before yesterday, latest first, that have rows in the default partition and are not over by `keep`; all of them if it is
-- null. Reads the default partition whole, without keeping anybody from writing to it.
CREATE FUNCTION forebay.days_past(parent regclass, keep interval)
RETURNS SETOF date
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, forebay
SET timezone = 'UTC'
AS $$
DECLARE
    it   record := forebay.daily_table(parent);
    days date[];
BEGIN
    IF keep < interval '1 day' THEN
        RAISE EXCEPTION 'rows are kept for a day at least, not %', keep USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF it.default_id IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format(
        'SELECT array_agg(DISTINCT %1$I::date) FROM %2$s WHERE isfinite(%1$I) AND %1$I < $1 AND ($2 IS NULL OR %1$I >= $2)',
        it.column_name, it.default_id
    ) INTO days USING (current_date - 1)::timestamptz, (now() - keep)::date::timestamptz;
    RETURN QUERY
        SELECT d FROM unnest(days) AS d
        WHERE NOT EXISTS (
            SELECT FROM forebay.partition_bounds(parent) AS b WHERE b.lower_bound <= d::timestamptz AND d::timestamptz < b.upper_bound
        )
        ORDER BY d DESC;
END
$$;
REVOKE ALL ON FUNCTION forebay.days_past(regclass, interval) FROM PUBLIC;

-- Makes the partition of one day, and moves that day's rows into it; a day that has more than `most` of them in the default
-- partition is left there, because everybody who writes to the default partition waits while they move. Returns what was done:
-- `made`, `left`, `put off` if a lock was not to be had within a second, or `busy` if another session is at it; nothing if there is
-- nothing to do.
CREATE FUNCTION forebay.make_day(parent regclass, day date, most bigint)
RETURNS TABLE (step text, partition text, detail text)
LANGUAGE plpgsql VOLATILE STRICT SECURITY DEFINER
SET search_path = pg_catalog, forebay
SET lock_timeout = '1s'
SET timezone = 'UTC'
AS $$
DECLARE
    it     record := forebay.daily_table(parent);
    title  text := format('%s of %s', it.name, day);
    strays bigint := 0;
    moved  bigint;
BEGIN
    IF NOT isfinite(day) OR day > current_date + 366 THEN
        RAISE EXCEPTION 'partitions are made up to 366 days ahead, not of %', day USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Two sessions need not do this at once.
    IF NOT pg_try_advisory_xact_lock(hashtext('forebay.maintain_partitions')) THEN
        RETURN QUERY SELECT 'busy'::text, title, 'another session maintains the partitions'::text;
        RETURN;
    END IF;
    IF EXISTS (
        SELECT FROM forebay.partition_bounds(parent) AS b WHERE b.lower_bound <= day::timestamptz AND day::timestamptz < b.upper_bound
    ) THEN
        RETURN;
    END IF;
    IF it.default_id IS NOT NULL THEN
        EXECUTE format(
            'SELECT count(*) FROM (SELECT FROM %1$s WHERE %2$I >= $1 AND %2$I < $2 LIMIT $3) AS strays', it.default_id, it.column_name
        ) INTO strays USING day::timestamptz, (day + 1)::timestamptz, most + 1;
    END IF;
    IF strays > most THEN
        RETURN QUERY SELECT 'left'::text, title, format('more than %s rows stand in the default partition', most);
        RETURN;
    END IF;
    IF strays = 0 AND day < current_date - 1 THEN
        RETURN;
    END IF;
    BEGIN
        moved := forebay.make_partition(parent, day);
        RETURN QUERY SELECT 'made'::text, title, format('%s rows moved from the default partition', moved);
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
        RETURN QUERY SELECT 'put off'::text, title, SQLERRM;
    END;
END
$$;
REVOKE ALL ON FUNCTION forebay.make_day(regclass, date, bigint) FROM PUBLIC;

-- The partitions of a table that ended more than `keep` ago, earliest first; none if it is null.
CREATE FUNCTION forebay.days_over(parent regclass, keep interval)
RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, forebay
AS $$
BEGIN
    IF keep < interval '1 day' THEN
        RAISE EXCEPTION 'rows are kept for a day at least, not %', keep USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM forebay.daily_table(parent);
    RETURN QUERY
        SELECT format('%I.%I', n.nspname, c.relname)
        FROM forebay.partition_bounds(parent) AS b
        JOIN pg_class c ON c.oid = b.partition_id
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE b.upper_bound <= now() - keep ORDER BY b.upper_bound;
END
$$;
REVOKE ALL ON FUNCTION forebay.days_over(regclass, interval) FROM PUBLIC;

-- Drops one partition that ended more than `keep` ago. Returns `dropped`, `put off` or `busy`; nothing if it is no such partition.
CREATE FUNCTION forebay.drop_day(parent regclass, old text, keep interval)
RETURNS TABLE (step text, partition text, detail text)
LANGUAGE plpgsql VOLATILE STRICT
SET search_path = pg_catalog, forebay
SET lock_timeout = '1s'
SET timezone = 'UTC'
AS $$
DECLARE
    ended timestamptz;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('forebay.maintain_partitions')) THEN
        RETURN QUERY SELECT 'busy'::text, old, 'another session maintains the partitions'::text;
        RETURN;
    END IF;
    SELECT b.upper_bound INTO ended FROM forebay.partition_bounds(parent) AS b
    WHERE b.partition_id = to_regclass(old) AND old IN (SELECT forebay.days_over(parent, keep));
    IF NOT FOUND THEN
        RETURN;
    END IF;
    BEGIN
        EXECUTE format('DROP TABLE %s', old);
        RETURN QUERY SELECT 'dropped'::text, old, format('ended %s', ended);
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
        RETURN QUERY SELECT 'put off'::text, old, SQLERRM;
    END;
END
$$;
REVOKE ALL ON FUNCTION forebay.drop_day(regclass, text, interval) FROM PUBLIC;

-- All of it in one call, and hence one transaction, for use by hand: the days ahead, the latest 20 of the past days, and the drops.
-- What it leaves for the next call it says. Rows that stand in the default partition and are older than `keep`, or later than
-- `ahead`, stay there: their clock may have been wrong, and nothing is deleted that nobody asked for. Returns one row per step.
CREATE OR REPLACE FUNCTION forebay.maintain_partitions(ahead integer, keep interval)
RETURNS TABLE (step text, partition text, detail text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, forebay
SET lock_timeout = '1s'
SET timezone = 'UTC'
AS $$
DECLARE
    most CONSTANT bigint := 500000;
    parent  text;
    day     date;
    old     text;
    waiting date[];
BEGIN
    FOR parent IN SELECT forebay.daily_table_names() LOOP
        FOR day IN SELECT forebay.days_ahead(parent::regclass, ahead) LOOP
            RETURN QUERY SELECT * FROM forebay.make_day(parent::regclass, day, most);
        END LOOP;
        waiting := ARRAY(SELECT forebay.days_past(parent::regclass, keep));
        FOREACH day IN ARRAY waiting[:20] LOOP
            RETURN QUERY SELECT * FROM forebay.make_day(parent::regclass, day, most);
        END LOOP;
        IF cardinality(waiting) > 20 THEN
            RETURN QUERY SELECT 'left'::text, parent, format('%s earlier days for the next call', cardinality(waiting) - 20);
        END IF;
        FOR old IN SELECT forebay.days_over(parent::regclass, keep) LOOP
            RETURN QUERY SELECT * FROM forebay.drop_day(parent::regclass, old, keep);
        END LOOP;
    END LOOP;
END
$$;
