-- What all api processes share of rates and of what is in progress. Each process reports a few times
-- a second. UNLOGGED: after a crash of the server all buckets are full, and every process reports
-- what it has in progress anew. `subject` is `o/<organisation>` or `c/<client>`.

-- One token bucket. Below zero: more was taken at once than was there, see `SharedBucket`.
CREATE UNLOGGED TABLE quota_buckets (
    subject text NOT NULL,
    quota text NOT NULL,
    tokens double precision NOT NULL,
    rate double precision NOT NULL,
    burst double precision NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (subject, quota)
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE (tokens, rate, burst, at) ON quota_buckets TO nusabus_app;

-- What one process has in progress, and what it has used and refused within the last minute. The row
-- with the empty subject says that the process lives. A process is silent for a few seconds: it is
-- gone, with all that it had in progress.
CREATE UNLOGGED TABLE quota_reports (
    subject text NOT NULL,
    quota text NOT NULL,
    process text NOT NULL,
    in_use integer NOT NULL,
    spending boolean NOT NULL,
    used double precision NOT NULL,
    refused bigint NOT NULL,
    seen timestamptz NOT NULL,
    PRIMARY KEY (subject, quota, process)
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE (in_use, spending, used, refused, seen), DELETE
    ON quota_reports TO nusabus_app;
