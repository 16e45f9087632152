"""asyncpg through the read port. libpq's environment says where that is; what is not as it should be is an exception."""
import asyncio
import io

import asyncpg


async def one():
    connection = await asyncpg.connect()
    # More statements than its cache holds.
    for i in range(300):
        assert await connection.fetchval(f"SELECT $1::int + {i % 150}", i) == i + i % 150
    async with connection.transaction(readonly=True):
        rows = [record[0] async for record in connection.cursor("SELECT generate_series(1, 500)")]
    assert rows == list(range(1, 501))
    statement = await connection.prepare("SELECT $1::text")
    for _ in range(10):
        assert await statement.fetchval("hi") == "hi"
    out = io.BytesIO()
    await connection.copy_from_query("SELECT generate_series(1, 1000)", output=out)
    assert out.getvalue() == b"".join(b"%d\n" % i for i in range(1, 1001))
    try:
        await connection.fetchval("SELECT 1 / 0")
        raise AssertionError("1 / 0 is a number")
    except asyncpg.DivisionByZeroError:
        pass
    try:
        await connection.execute("CREATE TABLE t (a int)")
        raise AssertionError("a table was made")
    except asyncpg.ReadOnlySQLTransactionError:
        pass
    # A timeout of the driver is a cancel request.
    try:
        await connection.fetchval("SELECT pg_sleep(60)", timeout=0.5)
        raise AssertionError("it was not cancelled")
    except asyncio.TimeoutError:
        pass
    assert await connection.fetchval("SELECT 4") == 4
    await connection.reset()
    await connection.close()


async def many():
    pool = await asyncpg.create_pool(min_size=2, max_size=20)

    async def ask(number):
        async with pool.acquire() as connection:
            return await connection.fetchval("SELECT $1::int", number)

    assert await asyncio.gather(*[ask(i) for i in range(300)]) == list(range(300))
    await pool.close()


asyncio.run(one())
asyncio.run(many())
print("done")
