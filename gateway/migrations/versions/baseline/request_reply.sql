-- Replies that were refused, so that the requester learns why no reply came. `request` is the
-- identity of the request's entry. There is no primary key: nobody refers to a row.
CREATE TABLE refused_replies (
    request bytea NOT NULL,
    recorded timestamptz NOT NULL DEFAULT clock_timestamp(),
    organisation text NOT NULL,
    reason text NOT NULL
);
CREATE INDEX refused_replies_by_request ON refused_replies (request, recorded);
CREATE TRIGGER refused_replies_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON refused_replies
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('retention');
CREATE TRIGGER refused_replies_keep BEFORE DELETE ON refused_replies
    FOR EACH ROW EXECUTE FUNCTION keep_evidence('refusals', 'recorded');
GRANT SELECT, INSERT ON refused_replies TO nusabus_app;
