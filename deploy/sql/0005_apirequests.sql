-- The main stream: one row per API request. Only its time is required: a service reports what it knows.

CREATE TABLE public.apirequests (
    time           timestamptz      NOT NULL,
    service        text,
    endpoint       text,
    method         text,
    status_code    smallint,
    latency_ms     double precision,
    request_bytes  integer,
    response_bytes integer,
    trace_id       text,
    client_ip      inet,
    user_agent     text,
    tags           jsonb
) PARTITION BY RANGE (time);
COMMENT ON TABLE public.apirequests IS 'API requests as their services report them, partitioned by day (UTC)';

-- Takes the events of days that have no partition: late ones, early ones, those of a wrong clock.
CREATE TABLE public.apirequests_default PARTITION OF public.apirequests DEFAULT;

CREATE INDEX apirequests_service_endpoint_time ON public.apirequests (service, endpoint, time);
CREATE INDEX apirequests_errors ON public.apirequests (time) WHERE status_code >= 500;
CREATE INDEX apirequests_time ON public.apirequests USING brin (time);

INSERT INTO forebay.daily_tables VALUES ('public.apirequests');
