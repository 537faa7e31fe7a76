-- Records every write to a lead's row with who made it: each relay logs in as a role of its own.
CREATE TABLE faults_lead_writes (
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    writer text NOT NULL DEFAULT session_user,
    shard smallint NOT NULL,
    holder_before text,
    holder text,
    epoch_before bigint NOT NULL,
    epoch bigint NOT NULL,
    cursor_before bigint NOT NULL,
    cursor bigint NOT NULL,
    expired_before boolean NOT NULL
);
CREATE FUNCTION faults_note_lead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO faults_lead_writes (shard, holder_before, holder, epoch_before, epoch,
                                    cursor_before, cursor, expired_before)
    VALUES (new.shard, old.holder, new.holder, old.epoch, new.epoch, old.cursor, new.cursor,
            old.expires < clock_timestamp());
    RETURN NULL;
END $$;
CREATE TRIGGER faults_note_lead AFTER UPDATE ON journal_lead
    FOR EACH ROW EXECUTE FUNCTION faults_note_lead();
