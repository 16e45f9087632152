"""psycopg 3 through the read port. libpq's environment says where that is; what is not as it should be is an exception."""
import threading
import time

import psycopg

with psycopg.connect() as connection:
    for i in range(20):
        assert connection.execute("SELECT %s::int + 1", (i,)).fetchone() == (i + 1,)
    connection.commit()
    # Prepared at once, and each on whatever backend its transaction gets.
    for i in range(20):
        assert connection.execute("SELECT %s::int + 1", (i,), prepare=True).fetchone() == (i + 1,)
        connection.commit()
    # A cursor of the server's.
    with connection.cursor(name="rows") as cursor:
        cursor.itersize = 100
        cursor.execute("SELECT generate_series(1, 1000)")
        assert [row[0] for row in cursor] == list(range(1, 1001))
    connection.commit()
    with connection.cursor().copy("COPY (SELECT generate_series(1, 1000)) TO STDOUT") as copy:
        assert [int(row[0]) for row in copy.rows()] == list(range(1, 1001))
    connection.commit()
    try:
        connection.execute("CREATE TABLE t (a int)")
        raise AssertionError("a table was made")
    except psycopg.errors.ReadOnlySqlTransaction:
        connection.rollback()

# More statements than are kept, so that the driver gives up some, and prepares them again.
with psycopg.connect(autocommit=True) as connection:
    connection.prepare_threshold = 1
    connection.prepared_max = 5
    for _ in range(2):
        for i in range(60):
            for _ in range(2):
                assert connection.execute(f"SELECT %s::int + {i}", (i,)).fetchone() == (2 * i,)

with psycopg.connect(autocommit=True) as connection:
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::int", (i,)) for i in range(50)]
    assert [cursor.fetchone()[0] for cursor in cursors] == list(range(50))
    # An error within a pipeline costs what stands behind it up to the sync, and no more.
    try:
        with connection.pipeline():
            connection.execute("SELECT 1")
            connection.execute("SELECT 1 / 0")
            connection.execute("SELECT 2")
        raise AssertionError("1 / 0 is a number")
    except psycopg.errors.DivisionByZero:
        pass
    assert connection.execute("SELECT 3").fetchone() == (3,)

with psycopg.connect(autocommit=True) as connection:
    threading.Timer(0.5, connection.cancel).start()
    begun = time.monotonic()
    try:
        connection.execute("SELECT pg_sleep(60)")
        raise AssertionError("it was not cancelled")
    except psycopg.errors.QueryCanceled:
        assert time.monotonic() - begun < 30
    assert connection.execute("SELECT 4").fetchone() == (4,)
print("done")
