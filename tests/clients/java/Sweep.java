import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;

/**
 * What JDBC tools do, through the Flight SQL driver on the class path: metadata as DBeaver and Tableau ask for it, queries, parameters,
 * types, DDL. Prints "ok NAME" for what is as it should be; anything else ends it with exit code 1.
 *
 * <p>java Sweep.java URL [USER PASSWORD]
 */
public final class Sweep {
    private static void expect(String what, Object got, Object expected) {
        if (expected == null ? got != null : !expected.equals(got)) {
            throw new AssertionError(what + ": got " + got + ", expected " + expected);
        }
        System.out.println("ok " + what);
    }

    private interface Work {
        void run() throws Exception;
    }

    private static String failure(Work work) throws Exception {
        try {
            work.run();
        } catch (SQLException | RuntimeException error) {
            StringBuilder text = new StringBuilder();
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                text.append(cause.getMessage()).append('\n');
            }
            return text.toString();
        }
        throw new AssertionError("nothing failed");
    }

    /** The values of one column. */
    private static List<String> column(ResultSet rows, String name) throws SQLException {
        List<String> values = new ArrayList<>();
        try (rows) {
            while (rows.next()) {
                values.add(rows.getString(name));
            }
        }
        return values;
    }

    private static long number(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
            rows.next();
            return rows.getLong(1);
        }
    }

    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        if (arguments.length > 1) {
            properties.put("user", arguments[1]);
            properties.put("password", arguments[2]);
        }
        try (Connection connection = DriverManager.getConnection(arguments[0], properties)) {
            product(connection.getMetaData());
            objects(connection.getMetaData());
            queries(connection);
            parameters(connection);
            setters(connection);
            types(connection);
            changes(connection);
            errors(connection);
        }
        catalog(arguments[0], properties);
        System.out.println("ok all");
    }

    /** What DBeaver and Tableau ask before anything else; each must answer, and not with an error. */
    private static void product(DatabaseMetaData data) throws SQLException {
        expect("product", data.getDatabaseProductName().toLowerCase(), "glaux");
        expect("version", data.getDatabaseProductVersion().isEmpty(), false);
        expect("quote", data.getIdentifierQuoteString(), "\"");
        expect("escape", data.getSearchStringEscape(), "\\");
        expect("catalog term", data.getCatalogTerm().isEmpty(), false);
        expect("schema term", data.getSchemaTerm().isEmpty(), false);
        expect("transactions", data.supportsTransactions(), false);
        expect("isolation", data.getDefaultTransactionIsolation(), Connection.TRANSACTION_NONE);
        for (int level : new int[] {1, 2, 4, 8}) {
            expect("isolation " + level, data.supportsTransactionIsolationLevel(level), false);
        }
        data.getProcedureTerm();
        data.supportsANSI92EntryLevelSQL();
        data.supportsANSI92IntermediateSQL();
        data.supportsANSI92FullSQL();
        data.supportsMinimumSQLGrammar();
        data.supportsCoreSQLGrammar();
        data.supportsExtendedSQLGrammar();
        data.supportsBatchUpdates();
        data.supportsSubqueriesInExists();
        data.supportsCorrelatedSubqueries();
        data.supportsOuterJoins();
        data.supportsFullOuterJoins();
        data.supportsLimitedOuterJoins();
        data.supportsUnion();
        data.supportsUnionAll();
        data.supportsGroupBy();
        data.supportsGroupByUnrelated();
        data.supportsOrderByUnrelated();
        data.supportsExpressionsInOrderBy();
        data.supportsColumnAliasing();
        data.supportsTableCorrelationNames();
        data.supportsDifferentTableCorrelationNames();
        data.supportsConvert();
        data.supportsLikeEscapeClause();
        data.supportsNonNullableColumns();
        data.supportsSavepoints();
        data.supportsNamedParameters();
        data.supportsMultipleResultSets();
        data.supportsMultipleTransactions();
        data.supportsSchemasInTableDefinitions();
        data.supportsSchemasInDataManipulation();
        data.supportsCatalogsInTableDefinitions();
        data.supportsStoredProcedures();
        data.supportsSelectForUpdate();
        data.supportsPositionedDelete();
        data.supportsPositionedUpdate();
        data.supportsIntegrityEnhancementFacility();
        data.supportsResultSetType(ResultSet.TYPE_FORWARD_ONLY);
        data.dataDefinitionCausesTransactionCommit();
        data.dataDefinitionIgnoredInTransactions();
        data.storesUpperCaseIdentifiers();
        data.storesLowerCaseIdentifiers();
        data.storesMixedCaseIdentifiers();
        data.storesLowerCaseQuotedIdentifiers();
        data.supportsMixedCaseIdentifiers();
        data.supportsMixedCaseQuotedIdentifiers();
        data.nullsAreSortedAtEnd();
        data.nullsAreSortedHigh();
        data.isCatalogAtStart();
        data.getCatalogSeparator();
        data.getExtraNameCharacters();
        data.getMaxBinaryLiteralLength();
        data.getMaxCharLiteralLength();
        data.getMaxColumnNameLength();
        data.getMaxColumnsInGroupBy();
        data.getMaxColumnsInIndex();
        data.getMaxColumnsInOrderBy();
        data.getMaxColumnsInSelect();
        data.getMaxColumnsInTable();
        data.getMaxConnections();
        data.getMaxCursorNameLength();
        data.getMaxIndexLength();
        data.getMaxSchemaNameLength();
        data.getMaxProcedureNameLength();
        data.getMaxCatalogNameLength();
        data.getMaxRowSize();
        data.doesMaxRowSizeIncludeBlobs();
        data.getMaxStatementLength();
        data.getMaxStatements();
        data.getMaxTableNameLength();
        data.getMaxTablesInSelect();
        data.getMaxUserNameLength();
        data.getSQLKeywords();
        data.getNumericFunctions();
        data.getStringFunctions();
        data.getSystemFunctions();
        data.getTimeDateFunctions();
        data.getURL();
        data.getUserName();
        data.isReadOnly();
        System.out.println("ok product information");
    }

    private static void objects(DatabaseMetaData data) throws SQLException {
        expect("catalogs", column(data.getCatalogs(), "TABLE_CAT").contains("awsdatacatalog"), true);
        List<String> schemas = column(data.getSchemas(), "TABLE_SCHEM");
        expect("schemas", schemas.containsAll(List.of("default", "sales", "information_schema")), true);
        expect("schemas of a catalog", column(data.getSchemas("awsdatacatalog", "sa%"), "TABLE_SCHEM"), List.of("sales"));
        expect("table types", column(data.getTableTypes(), "TABLE_TYPE").containsAll(List.of("TABLE", "VIEW")), true);
        expect("tables", column(data.getTables(null, "sales", "%", null), "TABLE_NAME"), List.of("figures", "totals"));
        expect("tables of a type", column(data.getTables("awsdatacatalog", "sales", null, new String[] {"VIEW"}), "TABLE_NAME"), List.of("totals"));
        expect("tables by pattern", column(data.getTables(null, null, "f_gures", new String[] {"TABLE"}), "TABLE_NAME"), List.of("figures"));
        expect("no tables", column(data.getTables(null, "sales", "nothing", null), "TABLE_NAME"), List.of());

        List<String> names = new ArrayList<>();
        List<Integer> kinds = new ArrayList<>();
        List<String> typeNames = new ArrayList<>();
        try (ResultSet rows = data.getColumns(null, "default", "types", "%")) {
            while (rows.next()) {
                names.add(rows.getString("COLUMN_NAME"));
                kinds.add(rows.getInt("DATA_TYPE"));
                typeNames.add(rows.getString("TYPE_NAME"));
                if (rows.getInt("NULLABLE") != DatabaseMetaData.columnNullable) {
                    throw new AssertionError(rows.getString("COLUMN_NAME") + " is not nullable");
                }
            }
        }
        expect("columns", names, Arrays.asList(
            "bo", "ti", "si", "i", "bi", "re", "do", "de", "dx", "ch", "vc", "st", "va", "da", "ts", "ar", "ma", "ro", "ne"));
        expect("columns' types", kinds.subList(0, 16), Arrays.asList(
            Types.BOOLEAN, Types.TINYINT, Types.SMALLINT, Types.INTEGER, Types.BIGINT, Types.FLOAT, Types.DOUBLE, Types.DECIMAL, Types.DECIMAL,
            Types.VARCHAR, Types.VARCHAR, Types.VARCHAR, Types.VARBINARY, Types.DATE, Types.TIMESTAMP, Types.ARRAY));
        System.out.println("type names " + typeNames);
        expect("columns by pattern", column(data.getColumns(null, "sales", "figures", "te%"), "COLUMN_NAME"), List.of("text"));
        expect("comment", column(data.getColumns(null, "sales", "figures", "id"), "REMARKS"), List.of("the key"));

        expect("primary keys", column(data.getPrimaryKeys(null, "default", "orders"), "COLUMN_NAME"), List.of());
        expect("imported keys", column(data.getImportedKeys(null, "default", "orders"), "PKCOLUMN_NAME"), List.of());
        expect("exported keys", column(data.getExportedKeys(null, "default", "orders"), "PKCOLUMN_NAME"), List.of());
        expect("cross reference", column(data.getCrossReference(null, null, "orders", null, null, "lineitem"), "PKCOLUMN_NAME"), List.of());
        data.getTypeInfo().close();
        data.getIndexInfo(null, "default", "orders", false, true).close();
        data.getProcedures(null, null, "%").close();
        data.getFunctions(null, null, "%").close();
    }

    private static void queries(Connection connection) throws SQLException {
        expect("count", number(connection, "SELECT count(*) FROM texts"), 2000L);
        expect("bounds", number(connection, "SELECT max(id) - min(id) FROM texts"), 1999L);
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery("SELECT text FROM texts")) {
            long length = 0;
            while (rows.next()) {
                length += rows.getString(1).length();
            }
            expect("long texts", length, 20_000_000L);
        }
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery("SELECT id FROM sales.figures WHERE id < 0")) {
            expect("no rows", rows.next(), false);
        }
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery("SELECT id FROM sales.figures LIMIT 1")) {
            ResultSetMetaData data = rows.getMetaData();
            expect("label", data.getColumnLabel(1), "id");
            expect("name", data.getColumnName(1), "id");
            expect("kind", data.getColumnType(1), Types.BIGINT);
        }
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery("SELECT * FROM wide")) {
            expect("wide", rows.getMetaData().getColumnCount(), 1000);
            expect("wide row", rows.next(), true);
            expect("wide value", rows.getInt(1000), 999);
        }
        try (Statement statement = connection.createStatement()) {
            statement.setMaxRows(5);
            int found = 0;
            try (ResultSet rows = statement.executeQuery("SELECT id FROM texts")) {
                while (rows.next()) {
                    found++;
                }
            }
            expect("at most five rows", found, 5);
        }
        for (String sql : List.of("SHOW TABLES", "DESCRIBE types", "SHOW DATABASES", "EXPLAIN SELECT 1 AS x")) {
            try (Statement statement = connection.createStatement()) {
                expect(sql, statement.execute(sql), true);
                expect(sql + " has rows", statement.getResultSet().next(), true);
            }
        }
    }

    private static void parameters(Connection connection) throws SQLException {
        StringBuilder sql = new StringBuilder("SELECT ");
        for (int n = 0; n < 12; n++) {
            sql.append(n == 0 ? "" : ", ").append("CAST(? AS BIGINT) AS p").append(n);
        }
        try (PreparedStatement statement = connection.prepareStatement(sql.toString())) {
            for (int round = 1; round <= 2; round++) {
                for (int n = 0; n < 12; n++) {
                    statement.setLong(n + 1, (long) n * round);
                }
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    for (int n = 0; n < 12; n++) {
                        if (rows.getLong(n + 1) != (long) n * round) {
                            throw new AssertionError("parameter " + n + " is " + rows.getLong(n + 1));
                        }
                    }
                }
            }
        }
        System.out.println("ok twelve parameters, twice");
        try (PreparedStatement statement = connection.prepareStatement("SELECT count(*) FROM types WHERE st = ? OR i = ? OR \"do\" = ? OR da = ? OR ts = ? OR bo = ?")) {
            expect("parameters", statement.getParameterMetaData().getParameterCount(), 6);
            statement.setString(1, "none");
            statement.setInt(2, Integer.MAX_VALUE);
            statement.setDouble(3, 1.0);
            statement.setDate(4, Date.valueOf("1900-01-01"));
            statement.setTimestamp(5, Timestamp.valueOf("2001-01-01 00:00:00"));
            statement.setNull(6, Types.BOOLEAN);
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                expect("parameters of many types", rows.getLong(1), 2L);
            }
        }
        String told = "SELECT count(coalesce(?, i)), max(CASE WHEN i > ? THEN ? ELSE 'no' END), max(substr('abc', ?, ?)), max(lower(?)), max(round(re, ?)) FROM types";
        try (PreparedStatement statement = connection.prepareStatement(told)) {
            statement.setInt(1, 1);
            statement.setInt(2, 0);
            statement.setString(3, "yes");
            statement.setInt(4, 2);
            statement.setInt(5, 1);
            statement.setString(6, "ABC");
            statement.setInt(7, 0);
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                expect("coalesce of a parameter", rows.getLong(1), 3L);
                expect("a branch of a parameter", rows.getString(2), "yes");
                expect("a part by parameters", rows.getString(3), "b");
                expect("a function of a parameter", rows.getString(4), "abc");
            }
        }
        try (PreparedStatement statement = connection.prepareStatement("EXPLAIN SELECT st FROM types WHERE i < ?")) {
            statement.setInt(1, 3);
            try (ResultSet rows = statement.executeQuery()) {
                expect("a plan for a parameter", rows.next(), true);
            }
        }
        try (PreparedStatement statement = connection.prepareStatement("SELECT count(*) FROM types WHERE de = ?")) {
            statement.setBigDecimal(1, new BigDecimal("-0.01"));
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                expect("decimal parameter", rows.getLong(1), 1L);
            }
        }
    }

    private interface Setter {
        void set(PreparedStatement statement) throws SQLException;
    }

    private static String bound(Connection connection, String expression, Setter setter) throws SQLException {
        String from = expression.startsWith("CAST") ? "SELECT " + expression + " AS x" : "SELECT count(*) AS x FROM types WHERE " + expression;
        try (PreparedStatement statement = connection.prepareStatement(from)) {
            setter.set(statement);
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                return rows.getString(1);
            }
        }
    }

    /** Each setter, by the types that its values are for. The driver sends them as the server declares the parameter, whatever they are. */
    private static void setters(Connection connection) throws Exception {
        Timestamp leap = Timestamp.valueOf("2024-02-29 23:59:59.123");
        for (String type : List.of("timestamp", "timestamp(3)", "timestamp(6)", "timestamp(9)", "timestamp with time zone")) {
            String text = bound(connection, "CAST(CAST(? AS " + type + ") AS varchar)", s -> s.setTimestamp(1, leap));
            expect("setTimestamp as " + type, text.startsWith("2024-02-29 23:59:59.123"), true);
            text = bound(connection, "CAST(CAST(? AS " + type + ") AS varchar)", s -> s.setObject(1, Timestamp.valueOf("1900-01-01 00:00:00.5")));
            expect("setObject of an old Timestamp as " + type, text.startsWith("1900-01-01 00:00:00.5"), true);
        }
        expect("setTimestamp of a column", bound(connection, "ts = ?", s -> s.setTimestamp(1, leap)), "1");
        expect("setTimestamp beside a column", bound(connection, "ts < CAST(? AS timestamp)", s -> s.setTimestamp(1, leap)), "1");
        expect("setTimestamp of a time ago", bound(connection, "ts = ?", s -> s.setTimestamp(1, Timestamp.valueOf("1969-12-31 23:59:59.999"))), "1");
        expect("setTime", bound(connection, "CAST(? AS time)", s -> s.setTime(1, java.sql.Time.valueOf("10:11:12"))), "10:11:12");
        expect("setDate", bound(connection, "CAST(? AS date)", s -> s.setDate(1, Date.valueOf("2024-02-29"))), "2024-02-29");
        expect("setDate of a column", bound(connection, "da = ?", s -> s.setDate(1, Date.valueOf("1900-01-01"))), "1");
        expect("setDate of a timestamp", failure(() -> bound(connection, "ts = ?", s -> s.setDate(1, Date.valueOf("1900-01-01")))).isEmpty(), false);
        expect("setBoolean", bound(connection, "bo = ?", s -> s.setBoolean(1, true)), "1");
        for (String column : List.of("ti", "si", "i", "bi")) {
            expect("setByte of " + column, bound(connection, column + " > ?", s -> s.setByte(1, (byte) 7)), "1");
            expect("setShort of " + column, bound(connection, column + " > ?", s -> s.setShort(1, (short) 7)), "1");
            expect("setInt of " + column, bound(connection, column + " > ?", s -> s.setInt(1, 7)), "1");
            expect("setLong of " + column, bound(connection, column + " > ?", s -> s.setLong(1, 7)), "1");
        }
        // Cut to 32 bits it would be 2147483647, which is there.
        expect("setLong beyond int", bound(connection, "i = ?", s -> s.setLong(1, (1L << 32) + Integer.MAX_VALUE)), "0");
        expect("setLong beyond tinyint", bound(connection, "ti = ?", s -> s.setLong(1, 256 + 127)), "0");
        expect("setLong cast to int", failure(() -> bound(connection, "CAST(? AS integer)", s -> s.setLong(1, 1L << 32))).contains("out of range"), true);
        expect("setFloat", bound(connection, "re = ?", s -> s.setFloat(1, 1.5f)), "1");
        expect("setDouble", bound(connection, "\"do\" = ?", s -> s.setDouble(1, 1e308)), "1");
        expect("setDouble of a real", bound(connection, "re = ?", s -> s.setDouble(1, 1.5)), "1");
        expect("setDouble that no real is", bound(connection, "re = ?", s -> s.setDouble(1, 1.5000000001)), "0");
        expect("setBigDecimal", bound(connection, "de = ?", s -> s.setBigDecimal(1, new BigDecimal("12345678.90"))), "1");
        expect("setString", bound(connection, "vc = ?", s -> s.setString(1, "a varchar")), "1");
        expect("setNString", bound(connection, "vc = ?", s -> s.setNString(1, "a varchar")), "1");
        expect("setString of char", bound(connection, "ch = ?", s -> s.setString(1, "abcde")), "1");
        expect("setBytes", bound(connection, "va = ?", s -> s.setBytes(1, new byte[] {0, (byte) 0xff, 16})), "1");
        for (String column : List.of("bo", "ti", "bi", "re", "\"do\"", "de", "st", "va", "da", "ts")) {
            expect("setNull of " + column, bound(connection, column + " = ?", s -> s.setNull(1, Types.NULL)), "0");
        }
        try (PreparedStatement statement = connection.prepareStatement("SELECT count(*) FROM texts WHERE id = ?")) {
            expect("parameter's type", statement.getParameterMetaData().getParameterType(1), Types.BIGINT);
        }
    }

    private static void types(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT * FROM types ORDER BY i DESC")) {
            ResultSetMetaData data = rows.getMetaData();
            expect("decimal precision", data.getPrecision(8), 10);
            expect("decimal scale", data.getScale(8), 2);
            expect("first row", rows.next(), true);
            expect("boolean", rows.getBoolean(1), true);
            expect("tinyint", rows.getByte(2), (byte) 127);
            expect("smallint", rows.getShort(3), (short) 32767);
            expect("integer", rows.getInt(4), Integer.MAX_VALUE);
            expect("bigint", rows.getLong(5), Long.MAX_VALUE);
            expect("real", rows.getFloat(6), 1.5f);
            expect("double", rows.getDouble(7), 1e308);
            expect("decimal", rows.getBigDecimal(8), new BigDecimal("12345678.90"));
            expect("long decimal", rows.getBigDecimal(9), new BigDecimal("12345678901234567890.123456789012345678"));
            expect("char", rows.getString(10), "abcde");
            expect("varchar", rows.getString(11), "a varchar");
            expect("string", rows.getString(12), "Gr\u00fc\u00dfe, \u4e16\u754c \ud83e\udd89");
            expect("binary", Arrays.equals(rows.getBytes(13), new byte[] {0, (byte) 0xff, 16}), true);
            expect("date", rows.getDate(14).toString(), "2024-02-29");
            expect("timestamp", rows.getTimestamp(15).toString(), "2024-02-29 23:59:59.123");
            expect("array", rows.getArray(16) != null, true);
            expect("map", rows.getObject(17) != null, true);
            expect("row", rows.getObject(18) != null, true);
            expect("nested", rows.getObject(19) != null, true);
            expect("second row", rows.next(), true);
            expect("smallest bigint", rows.getLong(5), Long.MIN_VALUE);
            expect("third row", rows.next(), true);
            for (int column = 1; column <= data.getColumnCount(); column++) {
                if (rows.getObject(column) != null || !rows.wasNull()) {
                    throw new AssertionError(data.getColumnName(column) + " is not null");
                }
            }
            expect("no fourth row", rows.next(), false);
        }
        String sql = "SELECT CAST(1 AS INTEGER) AS a, 'x' AS b, DATE '2024-02-29' AS c, TIMESTAMP '2024-02-29 12:00:00' AS d, 1.5 AS e, 1e0 AS f,"
            + " TIME '10:11:12' AS g, current_timestamp AS h, ARRAY[1, 2] AS i, NULL AS j, true AS k";
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(sql)) {
            rows.next();
            for (int column = 1; column <= rows.getMetaData().getColumnCount(); column++) {
                // The driver gives no object for what has a zone, but a timestamp and a text.
                Object value = rows.getMetaData().getColumnType(column) == Types.TIMESTAMP_WITH_TIMEZONE
                    ? rows.getTimestamp(column) : rows.getObject(column);
                boolean none = rows.getMetaData().getColumnName(column).equals("j");
                if (none != (value == null) || none != (rows.getString(column) == null)) {
                    throw new AssertionError("column " + column + " is " + value + ", as text " + rows.getString(column));
                }
            }
            System.out.println("ok expressions");
        }
    }

    private static void changes(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE DATABASE by_jdbc");
            expect("ddl made it", number(connection, "SELECT count(*) FROM information_schema.schemata WHERE schema_name = 'by_jdbc'"), 1L);
            expect("ddl by update", statement.executeUpdate("DROP DATABASE by_jdbc") <= 0, true);
            expect("ddl undid it", number(connection, "SELECT count(*) FROM information_schema.schemata WHERE schema_name = 'by_jdbc'"), 0L);
        }
        try (PreparedStatement statement = connection.prepareStatement("CREATE DATABASE by_prepared_jdbc")) {
            statement.execute();
        }
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate("DROP DATABASE by_prepared_jdbc");
        }
        for (String sql : List.of("CREATE DATABASE by_jdbc", "DROP DATABASE by_jdbc", "CREATE DATABASE by_prepared_jdbc", "DROP DATABASE by_prepared_jdbc")) {
            expect("once: " + sql, number(connection, "SELECT count(*) FROM system.queries WHERE statement = '" + sql + "' AND state = 'SUCCEEDED'"), 1L);
        }
    }

    private static void errors(Connection connection) throws Exception {
        try (Statement statement = connection.createStatement()) {
            String text = failure(() -> statement.executeQuery("SELECT * FROM nowhere"));
            expect("unknown table", text.contains("table \"default.nowhere\" does not exist"), true);
            text = failure(() -> statement.executeQuery("SELEC 1"));
            expect("syntax", text.contains("line 1"), true);
            text = failure(() -> {
                try (ResultSet rows = statement.executeQuery("SELECT CAST(text AS INTEGER) AS x FROM texts")) {
                    while (rows.next()) {
                        rows.getInt(1);
                    }
                }
            });
            expect("failure in a stream", text.toLowerCase().contains("cannot cast"), true);
        }
        expect("after errors", number(connection, "SELECT 1 AS x"), 1L);
    }

    private static void catalog(String url, Properties properties) throws Exception {
        Connection connection = DriverManager.getConnection(url + "&catalog=awsdatacatalog", properties);
        expect("catalog in the URL", number(connection, "SELECT 1 AS x"), 1L);
        try {
            connection.close();
        } catch (SQLException error) {
            // 18.3.0 closes such a connection twice, and finds its own channel shut the second time.
            expect("closed twice", error.getMessage(), "Channel shutdown invoked");
        }
        String text = failure(() -> DriverManager.getConnection(url + "&catalog=nowhere", properties).close());
        expect("unknown catalog in the URL", text.isEmpty(), false);
    }
}
