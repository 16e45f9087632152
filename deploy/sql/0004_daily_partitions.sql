-- Tables that are partitioned by day (UTC) on a column of type timestamptz, and the function that makes their partitions ahead of
-- time and drops them when their time is over. A row of a day without a partition stands in the table's default partition.

CREATE TABLE forebay.daily_tables (
    table_id regclass PRIMARY KEY
);
COMMENT ON TABLE forebay.daily_tables IS 'Tables whose daily partitions forebay.maintain_partitions makes and drops';

-- Makes the partition of one day. Rows of that day that stand in the default partition move into it, in the same transaction:
-- PostgreSQL would otherwise refuse the new partition for as long as they are there. Returns how many moved.
CREATE FUNCTION forebay.make_partition(parent regclass, day date)
RETURNS bigint
LANGUAGE plpgsql VOLATILE STRICT
SET search_path = pg_catalog, forebay
AS $$
DECLARE
    schema_name   text;
    parent_name   text;
    partition     text;
    default_id    regclass;
    column_name   text;
    column_list   text;
    lower_bound   timestamptz := day::timestamp AT TIME ZONE 'UTC';
    upper_bound   timestamptz := (day + 1)::timestamp AT TIME ZONE 'UTC';
    moved         bigint := 0;
BEGIN
    SELECT n.nspname, c.relname INTO schema_name, parent_name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = parent;
    SELECT nullif(p.partdefid, 0)::regclass, a.attname INTO default_id, column_name
    FROM pg_partitioned_table p JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    WHERE p.partrelid = parent;
    partition := format('%I.%I', schema_name, left(parent_name, 53) || '_p' || to_char(day, 'YYYYMMDD'));

    EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL EXCLUDING INDEXES EXCLUDING IDENTITY)', partition, parent);
    IF default_id IS NOT NULL THEN
        -- Nobody may add a row of that day between the move and the attachment.
        EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', default_id);
        SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO column_list
        FROM pg_attribute a WHERE a.attrelid = parent AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
        EXECUTE format(
            'WITH moved AS (DELETE FROM %s WHERE %I >= %L AND %I < %L RETURNING %s) INSERT INTO %s (%s) SELECT %s FROM moved',
            default_id, column_name, lower_bound, column_name, upper_bound, column_list, partition, column_list, column_list
        );
        GET DIAGNOSTICS moved = ROW_COUNT;
    END IF;
    EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
        parent, partition, lower_bound, upper_bound);
    RETURN moved;
END
$$;
REVOKE ALL ON FUNCTION forebay.make_partition(regclass, date) FROM PUBLIC;

-- Makes the partitions from yesterday to `ahead` days from now, and of every earlier day within `keep` that has rows in the default
-- partition; drops those that ended more than `keep` ago. A null `keep` drops nothing. Days are days of UTC.
--
-- Rows that stand in the default partition and are older than `keep`, or later than `ahead`, stay there: their clock may have been
-- wrong, and nothing is deleted that nobody asked for.
--
-- Each step that would have to wait longer than a second for a lock is put off until the next call, because whoever writes would
-- wait behind it. Returns one row per step that was taken or put off.
CREATE FUNCTION forebay.maintain_partitions(ahead integer, keep interval)
RETURNS TABLE (step text, partition text, detail text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, forebay
SET lock_timeout = '1s'
SET timezone = 'UTC'
AS $$
DECLARE
    today       date := current_date;
    parent      regclass;
    default_id  regclass;
    column_name text;
    days        date[];
    day         date;
    old         record;
    moved       bigint;
BEGIN
    IF ahead IS NULL OR ahead < 0 OR ahead > 366 THEN
        RAISE EXCEPTION 'partitions are made 0 to 366 days ahead, not %', coalesce(ahead::text, 'null')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF keep < interval '1 day' THEN
        RAISE EXCEPTION 'rows are kept for a day at least, not %', keep USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Two proxies need not do this at once.
    IF NOT pg_try_advisory_xact_lock(hashtext('forebay.maintain_partitions')) THEN
        RETURN QUERY SELECT 'busy'::text, ''::text, 'another session maintains the partitions'::text;
        RETURN;
    END IF;

    FOR parent, default_id, column_name IN
        SELECT t.table_id, nullif(p.partdefid, 0)::regclass, a.attname
        FROM forebay.daily_tables t
        JOIN pg_partitioned_table p ON p.partrelid = t.table_id
        JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
    LOOP
        days := ARRAY(SELECT today + n FROM generate_series(-1, ahead) AS n);
        IF default_id IS NOT NULL THEN
            EXECUTE format(
                'SELECT $1 || array_agg(DISTINCT (%I AT TIME ZONE ''UTC'')::date) FROM %s WHERE %I < $2 AND ($3 IS NULL OR %I >= $2 - $3)',
                column_name, default_id, column_name, column_name
            ) INTO days USING days, (today - 1)::timestamptz, keep;
        END IF;
        FOR day IN
            SELECT DISTINCT d FROM unnest(days) AS d
            WHERE isfinite(d) AND NOT EXISTS (
                SELECT FROM forebay.partition_bounds(parent) AS b WHERE b.lower_bound <= d::timestamptz AND d::timestamptz < b.upper_bound
            )
            ORDER BY d
        LOOP
            BEGIN
                moved := forebay.make_partition(parent, day);
                RETURN QUERY SELECT 'made'::text, format('%s of %s', parent, day), format('%s rows moved from the default partition', moved);
            EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
                RETURN QUERY SELECT 'put off'::text, format('%s of %s', parent, day), SQLERRM;
            END;
        END LOOP;
        FOR old IN
            SELECT b.partition_id, b.upper_bound FROM forebay.partition_bounds(parent) AS b
            WHERE b.upper_bound <= now() - keep ORDER BY b.upper_bound
        LOOP
            BEGIN
                RETURN QUERY SELECT 'dropped'::text, old.partition_id::text, format('ended %s', old.upper_bound);
                EXECUTE format('DROP TABLE %s', old.partition_id);
            EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
                RETURN QUERY SELECT 'put off'::text, old.partition_id::text, SQLERRM;
            END;
        END LOOP;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION forebay.maintain_partitions(integer, interval) FROM PUBLIC;

-- The range partitions of a table and their bounds, without the default partition.
CREATE FUNCTION forebay.partition_bounds(parent regclass)
RETURNS TABLE (partition_id regclass, lower_bound timestamptz, upper_bound timestamptz)
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, forebay
AS $$
    SELECT c.oid::regclass, (bounds.texts)[1]::timestamptz, (bounds.texts)[2]::timestamptz
    FROM pg_inherits i
    JOIN pg_class c ON c.oid = i.inhrelid
    CROSS JOIN LATERAL (
        SELECT regexp_match(pg_get_expr(c.relpartbound, c.oid), '^FOR VALUES FROM \(''([^'']+)''\) TO \(''([^'']+)''\)$') AS texts
    ) AS bounds
    WHERE i.inhparent = $1 AND bounds.texts IS NOT NULL
$$;
