"""psycopg2 through the read port. libpq's environment says where that is; what is not as it should be is an exception."""
import io
import threading
import time

import psycopg2
import psycopg2.errors

connection = psycopg2.connect("")
connection.set_session(readonly=True, autocommit=True)
cursor = connection.cursor()
cursor.execute("SELECT 1, %s", ("x",))
assert cursor.fetchone() == (1, "x")
# A setting stays the session's, whatever backend comes next.
connection.set_client_encoding("LATIN1")
for _ in range(10):
    cursor.execute("SHOW client_encoding")
    assert cursor.fetchone() == ("LATIN1",)
    cursor.execute("SELECT %s", ("\u00e9",))
    assert cursor.fetchone() == ("\u00e9",)
out = io.StringIO()
cursor.copy_expert("COPY (SELECT generate_series(1, 1000)) TO STDOUT", out)
assert out.getvalue() == "".join(f"{i}\n" for i in range(1, 1001))
connection.close()

connection = psycopg2.connect("")
with connection.cursor(name="rows") as cursor:
    cursor.itersize = 100
    cursor.execute("SELECT generate_series(1, 1000)")
    assert [row[0] for row in cursor] == list(range(1, 1001))
connection.commit()
cursor = connection.cursor()
try:
    cursor.execute("CREATE TABLE t (a int)")
    raise AssertionError("a table was made")
except psycopg2.errors.ReadOnlySqlTransaction:
    connection.rollback()

threading.Timer(0.5, connection.cancel).start()
begun = time.monotonic()
try:
    cursor.execute("SELECT pg_sleep(60)")
    raise AssertionError("it was not cancelled")
except psycopg2.errors.QueryCanceled:
    assert time.monotonic() - begun < 30
connection.rollback()
cursor.execute("SELECT 4")
assert cursor.fetchone() == (4,)
print("done")
