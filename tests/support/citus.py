"""What a coordinator of Citus has that the spreading of tables asks for, on any PostgreSQL: functions of the
same signatures, which refuse what Citus refuses and write down what they were asked for.

It spreads nothing. A cluster is for ``deploy/citus.py``, which a person runs who has one.
"""

import psycopg

COORDINATOR, WORKER = 0, 1

_MADE = """
CREATE TABLE pg_dist_local_group (groupid INTEGER);
CREATE TABLE pg_dist_partition (
    number SERIAL, logicalrelid REGCLASS, column_name TEXT, beside TEXT, emptied BOOLEAN DEFAULT false
);

CREATE FUNCTION require_bare(name TEXT) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM pg_dist_partition WHERE logicalrelid = name::regclass) THEN
        RAISE '% is spread', name;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_constraint
               WHERE contype = 'f' AND name::regclass IN (conrelid, confrelid)) THEN
        RAISE '% has a foreign key to a table of another kind, or is named by one', name;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = name::regclass) THEN
        RAISE '% has triggers', name;
    END IF;
END $$;

CREATE FUNCTION create_distributed_table(name TEXT, by TEXT, colocate_with TEXT) RETURNS VOID
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM require_bare(name);
    IF colocate_with != 'none' AND NOT EXISTS (
        SELECT 1 FROM pg_dist_partition WHERE logicalrelid = colocate_with::regclass) THEN
        RAISE '% is not spread', colocate_with;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_index WHERE indrelid = name::regclass AND indisunique AND NOT (
        SELECT attnum FROM pg_attribute WHERE attrelid = name::regclass AND attname = by) = ANY(indkey)) THEN
        RAISE '% has a unique index without %', name, by;
    END IF;
    INSERT INTO pg_dist_partition (logicalrelid, column_name, beside)
    VALUES (name::regclass, by, colocate_with);
END $$;

CREATE FUNCTION create_reference_table(name TEXT) RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    PERFORM require_bare(name);
    INSERT INTO pg_dist_partition (logicalrelid) VALUES (name::regclass);
END $$;

CREATE FUNCTION truncate_local_data_after_distributing_table(name TEXT) RETURNS VOID LANGUAGE sql AS $$
    UPDATE pg_dist_partition SET emptied = true WHERE logicalrelid = name::regclass
$$;

-- Citus looks at each key when a table is made or changed: both tables are spread, or none of them.
CREATE FUNCTION look_at_keys() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('citus.enable_ddl_propagation', true) IS DISTINCT FROM 'off' AND EXISTS (
        SELECT 1 FROM pg_constraint WHERE contype = 'f'
            AND (conrelid IN (SELECT logicalrelid FROM pg_dist_partition))
                != (confrelid IN (SELECT logicalrelid FROM pg_dist_partition))) THEN
        RAISE 'a foreign key between a table that is spread and one that is not';
    END IF;
END $$;
CREATE EVENT TRIGGER look_at_keys ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'ALTER TABLE')
    EXECUTE FUNCTION look_at_keys();

-- It takes triggers only from whoever says to know what they do.
CREATE FUNCTION look_at_triggers() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('citus.enable_unsafe_triggers', true) IS DISTINCT FROM 'on' THEN
        RAISE 'triggers are not supported on distributed tables';
    END IF;
END $$;
CREATE EVENT TRIGGER look_at_triggers ON ddl_command_end WHEN TAG IN ('CREATE TRIGGER')
    EXECUTE FUNCTION look_at_triggers();
"""
_SPREAD = """
SELECT relname, column_name, beside, emptied FROM pg_dist_partition
JOIN pg_class ON pg_class.oid = logicalrelid ORDER BY number
"""


def make(url: str, group: int = COORDINATOR) -> None:
    """Make a database one of a node of Citus."""
    with psycopg.connect(url) as connection:
        connection.execute(_MADE)
        connection.execute("INSERT INTO pg_dist_local_group VALUES (%s)", [group])


def spread_tables(url: str) -> list[tuple[str, str | None, str | None, bool]]:
    """Return the tables that are spread, in this order: by which column, beside which one, and whether their
    rows were taken away from the coordinator; those without a column are on every node."""
    with psycopg.connect(url) as connection:
        return connection.execute(_SPREAD).fetchall()
