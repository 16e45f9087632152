import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import java.util.Timer;
import java.util.TimerTask;
import org.postgresql.PGConnection;

/** pgjdbc through the read port. libpq's environment says where that is; what is not as it should be is an exception. */
public final class WithJDBC {
    private static Connection connect(String... properties) throws SQLException {
        Properties all = new Properties();
        all.setProperty("user", System.getenv("PGUSER"));
        all.setProperty("password", System.getenv("PGPASSWORD"));
        for (int i = 0; i < properties.length; i += 2) all.setProperty(properties[i], properties[i + 1]);
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/"
            + System.getenv("PGDATABASE");
        return DriverManager.getConnection(url, all);
    }

    private static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }

    private static int one(PreparedStatement statement, int value) throws SQLException {
        statement.setInt(1, value);
        try (ResultSet rows = statement.executeQuery()) {
            check(rows.next(), "a row");
            return rows.getInt(1);
        }
    }

    /** The driver names a statement once it has run as often as the threshold says, or not at all. */
    private static void statements(String threshold) throws SQLException {
        try (Connection connection = connect("prepareThreshold", threshold, "preparedStatementCacheQueries", "10")) {
            try (PreparedStatement statement = connection.prepareStatement("SELECT ?::int + 1")) {
                for (int i = 0; i < 20; i++) check(one(statement, i) == i + 1, "threshold " + threshold);
            }
            for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 30; i++) {
                    try (PreparedStatement statement = connection.prepareStatement("SELECT ?::int + " + i)) {
                        for (int j = 0; j < 3; j++) check(one(statement, j) == i + j, "statement " + i);
                    }
                }
            }
        }
    }

    private static void cursor(String threshold) throws SQLException {
        try (Connection connection = connect("prepareThreshold", threshold)) {
            connection.setReadOnly(true);
            connection.setAutoCommit(false);
            try (PreparedStatement statement = connection.prepareStatement("SELECT generate_series(1, ?)")) {
                statement.setFetchSize(100);
                for (int round = 0; round < 7; round++) {
                    statement.setInt(1, 1000);
                    int expected = 0;
                    try (ResultSet rows = statement.executeQuery()) {
                        while (rows.next()) check(rows.getInt(1) == ++expected, "row " + expected);
                    }
                    check(expected == 1000, expected + " rows");
                    connection.commit();
                }
            }
        }
    }

    private static void cancel() throws SQLException {
        try (Connection connection = connect(); Statement statement = connection.createStatement()) {
            Timer timer = new Timer(true);
            timer.schedule(new TimerTask() {
                @Override public void run() {
                    try {
                        statement.cancel();
                    } catch (SQLException error) {
                        throw new AssertionError(error);
                    }
                }
            }, 500);
            long begun = System.nanoTime();
            try {
                statement.execute("SELECT pg_sleep(60)");
                throw new AssertionError("it was not cancelled");
            } catch (SQLException error) {
                check("57014".equals(error.getSQLState()), error.toString());
            }
            check(System.nanoTime() - begun < 30_000_000_000L, "it took long");
            try (ResultSet rows = statement.executeQuery("SELECT 4")) {
                check(rows.next() && rows.getInt(1) == 4, "4");
            }
            timer.cancel();
        }
    }

    private static void others() throws Exception {
        try (Connection connection = connect("ApplicationName", "jdbc", "preferQueryMode", "simple");
                Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SHOW application_name")) {
            check(rows.next() && rows.getString(1).equals("jdbc"), "the application's name");
        }
        try (Connection connection = connect(); Statement statement = connection.createStatement()) {
            try {
                statement.execute("CREATE TABLE t (a int)");
                throw new AssertionError("a table was made");
            } catch (SQLException error) {
                check("25006".equals(error.getSQLState()), error.toString());
            }
            StringWriter out = new StringWriter();
            connection.unwrap(PGConnection.class).getCopyAPI()
                .copyOut("COPY (SELECT generate_series(1, 1000)) TO STDOUT", out);
            check(out.toString().split("\n").length == 1000, "COPY");
            try (ResultSet rows = connection.getMetaData().getColumns(null, "public", "apirequests", "%")) {
                int columns = 0;
                while (rows.next()) columns++;
                check(columns == 12, columns + " columns");
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        statements("1");
        statements("5");
        cursor("1");
        cursor("5");
        cancel();
        others();
        System.out.println("done");
    }
}
