package validation

import (
	"context"
	"errors"

	"github.com/apache/arrow-adbc/go/adbc"
	driver "github.com/apache/arrow-adbc/go/adbc/driver/flightsql"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// ADBC's driver 1.12 does two things with the rows of an ingest that its own validation suite does not allow, whatever the server: the
// reader that it makes of one batch is never released, and a statement that has ingested refuses to run a query. So a batch is given to it
// as a reader, and rows are taken back before a query is set. All else goes through as it is.
type (
	taking struct{ adbc.Driver }

	database interface {
		adbc.Database
		adbc.GetSetOptions
	}
	takingDatabase struct{ database }

	connection interface {
		adbc.Connection
		adbc.PostInitOptions
		adbc.GetSetOptions
	}
	takingConnection struct{ connection }

	statement interface {
		adbc.Statement
		adbc.GetSetOptions
		adbc.StatementExecuteSchema
	}
	takingStatement struct {
		statement
		takesRows bool
	}
)

func newDriver(allocator memory.Allocator) adbc.Driver { return taking{driver.NewDriver(allocator)} }

func (d taking) NewDatabase(options map[string]string) (adbc.Database, error) {
	opened, err := d.Driver.NewDatabase(options)
	if err != nil {
		return nil, err
	}
	return takingDatabase{opened.(database)}, nil
}

func (d takingDatabase) Open(ctx context.Context) (adbc.Connection, error) {
	opened, err := d.database.Open(ctx)
	if err != nil {
		return nil, err
	}
	return takingConnection{opened.(connection)}, nil
}

func (c takingConnection) NewStatement() (adbc.Statement, error) {
	made, err := c.connection.NewStatement()
	if err != nil {
		return nil, err
	}
	return &takingStatement{statement: made.(statement)}, nil
}

func (s *takingStatement) SetOption(key, value string) error {
	s.takesRows = s.takesRows || key == adbc.OptionKeyIngestTargetTable
	return s.statement.SetOption(key, value)
}

func (s *takingStatement) Bind(ctx context.Context, rows arrow.RecordBatch) error {
	if !s.takesRows || rows == nil {
		return s.statement.Bind(ctx, rows)
	}
	reader, err := array.NewRecordReader(rows.Schema(), []arrow.RecordBatch{rows})
	if err != nil {
		return err
	}
	defer reader.Release()
	return s.BindStream(ctx, reader)
}

func (s *takingStatement) SetSqlQuery(query string) error {
	var err error
	if s.takesRows {
		err = s.statement.Bind(context.Background(), nil)
	}
	s.takesRows = false
	return errors.Join(err, s.statement.SetSqlQuery(query))
}
