-- Key figures of the API requests by hour and by day (UTC), service and endpoint.
--
-- `date_bin` is used where `date_trunc` would read better, because it does not depend on the session's time zone: so its result can
-- stand in an index, and a condition on `hour` or `day` is answered from that index. BRIN, because rows arrive nearly in the order of
-- their time: it costs an insert next to nothing.

CREATE INDEX apirequests_hour_day ON public.apirequests USING brin (
    date_bin('1 hour', time, '2000-01-01 00:00:00+00'),
    date_bin('1 day', time, '2000-01-01 00:00:00+00')
);

CREATE VIEW public.apirequests_hourly AS
SELECT
    date_bin('1 hour', time, '2000-01-01 00:00:00+00')                          AS hour,
    service,
    endpoint,
    count(*)                                                                    AS requests,
    count(*) FILTER (WHERE status_code >= 500)                                  AS errors,
    (count(*) FILTER (WHERE status_code >= 500))::double precision / count(*)   AS error_rate,
    avg(latency_ms)                                                             AS mean_latency_ms,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms)                     AS p50_latency_ms,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms)                    AS p95_latency_ms,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_ms)                    AS p99_latency_ms,
    sum(request_bytes::bigint)                                                  AS request_bytes,
    sum(response_bytes::bigint)                                                 AS response_bytes
FROM public.apirequests
GROUP BY 1, service, endpoint;
COMMENT ON VIEW public.apirequests_hourly IS 'Key figures by hour (UTC), service and endpoint; an error is a status of 500 or more';

CREATE VIEW public.apirequests_daily AS
SELECT
    date_bin('1 day', time, '2000-01-01 00:00:00+00')                           AS day,
    service,
    endpoint,
    count(*)                                                                    AS requests,
    count(*) FILTER (WHERE status_code >= 500)                                  AS errors,
    (count(*) FILTER (WHERE status_code >= 500))::double precision / count(*)   AS error_rate,
    avg(latency_ms)                                                             AS mean_latency_ms,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_ms)                     AS p50_latency_ms,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY latency_ms)                    AS p95_latency_ms,
    percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_ms)                    AS p99_latency_ms,
    sum(request_bytes::bigint)                                                  AS request_bytes,
    sum(response_bytes::bigint)                                                 AS response_bytes
FROM public.apirequests
GROUP BY 1, service, endpoint;
COMMENT ON VIEW public.apirequests_daily IS 'Key figures by day (UTC), service and endpoint; an error is a status of 500 or more';
