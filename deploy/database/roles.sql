-- The roles of Nusabus, made once in a PostgreSQL cluster by its administrator; safe to repeat:
--     psql --file=deploy/database/roles.sql
-- None of them can log in. The logins are made beside it, see docs/operations/database.md.

-- Owns the database and migrates it. Nothing that runs all the time logs in as this one.
SELECT 'CREATE ROLE nusabus_owner'
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nusabus_owner') \gexec
-- What api, relay and deliver may do.
SELECT 'CREATE ROLE nusabus_app'
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nusabus_app') \gexec
-- Takes old partitions out of the journal, and nothing else.
SELECT 'CREATE ROLE nusabus_retention'
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'nusabus_retention') \gexec
