// ADBC's own validation suite against a server of Glaux, through ADBC's driver for Flight SQL.
//
// GLAUX_FLIGHT is the server's address, GLAUX_VERSION its version, and GLAUX_ARROW that of its Arrow library. What the suite cannot ask of this server is skipped, with the reason.
package validation

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/apache/arrow-adbc/go/adbc"
	driver "github.com/apache/arrow-adbc/go/adbc/driver/flightsql"
	"github.com/apache/arrow-adbc/go/adbc/validation"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/stretchr/testify/require"
	"github.com/stretchr/testify/suite"
)

// quirks are what Glaux does and does not.
type quirks struct {
	memory *memory.CheckedAllocator
	// Whether the suite may ask for an append to a table that does not exist: it wants a SQLSTATE, for which Flight SQL has no place.
	withSQLState bool
}

func (q *quirks) SetupDriver(*testing.T) adbc.Driver {
	q.memory = memory.NewCheckedAllocator(memory.DefaultAllocator)
	return newDriver(q.memory)
}

func (q *quirks) TearDownDriver(t *testing.T, _ adbc.Driver) { q.memory.AssertSize(t, 0) }
func (q *quirks) Alloc() memory.Allocator                    { return q.memory }
func (q *quirks) BindParameter(int) string                   { return "?" }
func (q *quirks) Catalog() string                            { return "awsdatacatalog" }
func (q *quirks) DBSchema() string                           { return "default" }
func (q *quirks) SupportsConcurrentStatements() bool         { return true }
func (q *quirks) SupportsCurrentCatalogSchema() bool         { return true }
func (q *quirks) SupportsGetSetOptions() bool                { return true }
func (q *quirks) SupportsExecuteSchema() bool                { return true }
func (q *quirks) SupportsPartitionedData() bool              { return true }
func (q *quirks) SupportsDynamicParameterBinding() bool      { return true }
func (q *quirks) SupportsGetParameterSchema() bool           { return true }

// SupportsStatistics: Flight SQL has no message for statistics of tables.
func (q *quirks) SupportsStatistics() bool { return false }

// SupportsTransactions: every statement is a transaction of its own.
func (q *quirks) SupportsTransactions() bool { return false }

// SupportsErrorIngestIncompatibleSchema: the suite wants INTERNAL for a table that already exists, which is ALREADY_EXISTS here.
// TestErrorsOfIngest has what it would ask.
func (q *quirks) SupportsErrorIngestIncompatibleSchema() bool { return false }

func (q *quirks) SupportsBulkIngest(mode string) bool {
	return q.withSQLState || mode != adbc.OptionValueIngestModeAppend
}

func (q *quirks) DatabaseOptions() map[string]string {
	return map[string]string{
		adbc.OptionKeyURI: "grpc+tcp://" + os.Getenv("GLAUX_FLIGHT"),
		// Without a login a session is kept by its cookie.
		driver.OptionCookieMiddleware: adbc.OptionValueEnabled,
	}
}

func (q *quirks) GetMetadata(code adbc.InfoCode) interface{} {
	switch code {
	case adbc.InfoDriverName:
		return "ADBC Flight SQL Driver - Go"
	case adbc.InfoDriverVersion, adbc.InfoDriverArrowVersion:
		return "(unknown or development build)"
	case adbc.InfoDriverADBCVersion:
		return adbc.AdbcVersion1_1_0
	case adbc.InfoVendorName:
		return "Glaux"
	case adbc.InfoVendorVersion:
		return os.Getenv("GLAUX_VERSION")
	case adbc.InfoVendorArrowVersion:
		return os.Getenv("GLAUX_ARROW")
	}
	return nil
}

func (q *quirks) SampleTableSchemaMetadata(table string, kind arrow.DataType) arrow.Metadata {
	described := map[string]string{
		flightsql.CatalogNameKey: q.Catalog(), flightsql.SchemaNameKey: q.DBSchema(), flightsql.TableNameKey: table,
		// What Flight SQL's specification calls the schema's key.
		"ARROW:FLIGHT:SQL:DB_SCHEMA_NAME": q.DBSchema(),
		flightsql.IsAutoIncrementKey:      "0", flightsql.IsReadOnlyKey: "1", flightsql.IsSearchableKey: "1",
	}
	if kind.ID() == arrow.STRING {
		described[flightsql.TypeNameKey], described[flightsql.PrecisionKey] = "varchar", "2147483647"
		described[flightsql.IsCaseSensitiveKey] = "1"
	} else {
		described[flightsql.TypeNameKey], described[flightsql.PrecisionKey], described[flightsql.ScaleKey] = "bigint", "19", "0"
		described[flightsql.IsCaseSensitiveKey] = "0"
	}
	return arrow.MetadataFrom(described)
}

// statement runs f with a statement of a connection of its own.
func (q *quirks) statement(f func(context.Context, adbc.Statement) error) (err error) {
	ctx := context.Background()
	database, err := newDriver(memory.DefaultAllocator).NewDatabase(q.DatabaseOptions())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, database.Close()) }()
	connection, err := database.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, connection.Close()) }()
	statement, err := connection.NewStatement()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, statement.Close()) }()
	return f(ctx, statement)
}

func (q *quirks) CreateSampleTable(table string, rows arrow.RecordBatch) error {
	return q.statement(func(ctx context.Context, statement adbc.Statement) error {
		err := errors.Join(
			statement.SetOption(adbc.OptionKeyIngestTargetTable, table),
			// The suite leaves it behind.
			statement.SetOption(adbc.OptionKeyIngestMode, adbc.OptionValueIngestModeReplace),
			statement.Bind(ctx, rows),
		)
		if err != nil {
			return err
		}
		_, err = statement.ExecuteUpdate(ctx)
		return err
	})
}

func (q *quirks) DropTable(connection adbc.Connection, table string) (err error) {
	statement, err := connection.NewStatement()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, statement.Close()) }()
	if err = statement.SetSqlQuery(`DROP TABLE IF EXISTS "` + table + `"`); err != nil {
		return err
	}
	_, err = statement.ExecuteUpdate(context.Background())
	return err
}

type statementTests struct{ validation.StatementTests }

// TestSqlIngestErrors asks all but for the SQLSTATE of an append to nothing.
func (s *statementTests) TestSqlIngestErrors() {
	q := s.Quirks.(*quirks)
	q.withSQLState = false
	defer func() { q.withSQLState = true }()
	s.StatementTests.TestSqlIngestErrors()
}

// TestErrorsOfIngest is what the suite would ask of tables that exist and do not, with the codes of Flight SQL.
func (s *statementTests) TestErrorsOfIngest() {
	q := s.Quirks.(*quirks)
	s.Require().NoError(q.DropTable(s.Cnxn, "bulk_ingest"))
	ingest := func(mode string, columns ...string) error {
		fields := make([]arrow.Field, len(columns))
		for n, name := range columns {
			fields[n] = arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int64, Nullable: true}
		}
		return q.statement(func(ctx context.Context, statement adbc.Statement) error {
			builder := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
			defer builder.Release()
			for n := range columns {
				builder.Field(n).AppendNull()
			}
			batch := builder.NewRecordBatch()
			defer batch.Release()
			s.Require().NoError(statement.SetOption(adbc.OptionKeyIngestTargetTable, "bulk_ingest"))
			s.Require().NoError(statement.SetOption(adbc.OptionKeyIngestMode, mode))
			s.Require().NoError(statement.Bind(ctx, batch))
			_, err := statement.ExecuteUpdate(ctx)
			return err
		})
	}
	var refused adbc.Error
	s.ErrorAs(ingest(adbc.OptionValueIngestModeAppend, "int64s"), &refused)
	s.Equal(adbc.StatusNotFound, refused.Code)
	s.NoError(ingest(adbc.OptionValueIngestModeCreate, "int64s"))
	s.ErrorAs(ingest(adbc.OptionValueIngestModeCreate, "int64s"), &refused)
	s.Equal(adbc.StatusAlreadyExists, refused.Code)
	s.ErrorAs(ingest(adbc.OptionValueIngestModeAppend, "int64s", "coltwo"), &refused)
	s.Equal(adbc.StatusInvalidArgument, refused.Code)
	s.NoError(ingest(adbc.OptionValueIngestModeAppend, "int64s"))
}

func TestValidation(t *testing.T) {
	require.NotEmpty(t, os.Getenv("GLAUX_FLIGHT"), "GLAUX_FLIGHT is the server's address")
	q := &quirks{withSQLState: true}
	suite.Run(t, &validation.DatabaseTests{Quirks: q})
	suite.Run(t, &validation.ConnectionTests{Quirks: q})
	suite.Run(t, &statementTests{validation.StatementTests{Quirks: q}})
}
