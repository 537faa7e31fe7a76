-- Records every write to a journal lease and who made it: each relay logs in as a role of its own.
-- Whoever enters a journal that was copied notes that in each row, and changes no lease.
CREATE TABLE faults_lease_writes (
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
CREATE FUNCTION faults_note_lease_write() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER AS $$
BEGIN
    INSERT INTO faults_lease_writes (shard, holder_before, holder, epoch_before, epoch,
                                    cursor_before, cursor, expired_before)
    VALUES (new.shard, old.holder, new.holder, old.epoch, new.epoch, old.cursor_sequence, new.cursor_sequence,
            old.expires < clock_timestamp());
    RETURN NULL;
END $$;
CREATE TRIGGER faults_note_lease_write AFTER UPDATE ON journal_leases
    FOR EACH ROW WHEN ((old.holder, old.epoch, old.cursor_sequence, old.expires)
                       IS DISTINCT FROM (new.holder, new.epoch, new.cursor_sequence, new.expires))
    EXECUTE FUNCTION faults_note_lease_write();

-- The same for webhooks: who took a lease last, and who moves the cursors under it.
CREATE TABLE faults_lease_takes (
    organisation text NOT NULL,
    name text NOT NULL,
    epoch bigint NOT NULL,
    writer text NOT NULL DEFAULT session_user
);
CREATE FUNCTION faults_note_lease() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER AS $$
BEGIN
    INSERT INTO faults_lease_takes (organisation, name, epoch)
    VALUES (new.organisation, new.name, new.epoch);
    RETURN NULL;
END $$;
CREATE TRIGGER faults_note_lease AFTER INSERT ON delivery_leases
    FOR EACH ROW EXECUTE FUNCTION faults_note_lease();
CREATE TRIGGER faults_note_next_lease AFTER UPDATE ON delivery_leases
    FOR EACH ROW WHEN (old.epoch <> new.epoch) EXECUTE FUNCTION faults_note_lease();

CREATE TABLE faults_cursor_moves (
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    writer text NOT NULL DEFAULT session_user,
    organisation text NOT NULL,
    name text NOT NULL,
    shard smallint NOT NULL,
    before bigint NOT NULL,
    after bigint NOT NULL,
    epoch bigint
);
CREATE FUNCTION faults_note_cursor() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER AS $$
BEGIN
    INSERT INTO faults_cursor_moves (organisation, name, shard, before, after, epoch)
    VALUES (new.organisation, new.name, new.shard, old.sequence, new.sequence,
            (SELECT epoch FROM delivery_leases l
             WHERE l.organisation = new.organisation AND l.name = new.name));
    RETURN NULL;
END $$;
CREATE TRIGGER faults_note_cursor AFTER UPDATE ON delivery_cursors
    FOR EACH ROW EXECUTE FUNCTION faults_note_cursor();

-- The effects of a consumer, and what it refuses: one event in so many, 0 for none.
CREATE TABLE effects (
    serial bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subscription text NOT NULL,
    source text NOT NULL,
    id text NOT NULL
);
CREATE TABLE consumer_options (rejects integer NOT NULL);
INSERT INTO consumer_options VALUES (25);
