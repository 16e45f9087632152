-- The schema of Forebay's own objects, and the list of the migrations that have been applied to it.
-- `forebay init` runs each file of this directory in a transaction of its own and records it here; an applied file is never edited.

CREATE SCHEMA IF NOT EXISTS forebay;
COMMENT ON SCHEMA forebay IS 'Forebay: the ledger of its lanes and what goes with it';

CREATE TABLE forebay.migrations (
    version    integer     PRIMARY KEY CHECK (version > 0),
    name       text        NOT NULL,
    checksum   text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text        NOT NULL DEFAULT current_user
);
COMMENT ON COLUMN forebay.migrations.checksum IS 'SHA-256 of the file in lower-case hexadecimal';
