-- A counter per topic of administration. It rises with every change, so that each process notices
-- by one small query that its copy of organisations, contracts or subscriptions is out of date.
-- One row is updated again and again: room on its page keeps the updates off the index (HOT).
CREATE TABLE control_revisions (
    topic text PRIMARY KEY,
    revision bigint NOT NULL
) WITH (fillfactor = 50);

INSERT INTO control_revisions VALUES ('identity', 0), ('contracts', 0), ('subscriptions', 0);
