// A client in Go: the Flight SQL client of Arrow and its driver for database/sql, against a server of Glaux.
// It prints one line "ok NAME" for each thing that worked; the first that does not ends it with exit code 1.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	_ "github.com/apache/arrow-go/v18/arrow/flight/flightsql/driver"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

func check(err error, what string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

func expect[T comparable](what string, got, want T) {
	if got != want {
		fmt.Fprintf(os.Stderr, "%s: got %v, expected %v\n", what, got, want)
		os.Exit(1)
	}
	fmt.Println("ok", what)
}

func main() {
	address, user, password := os.Args[1], os.Args[2], os.Args[3]
	low(address, user, password)
	databaseSQL(address, user, password)
}

// read gives all rows of a plan, counted, and the first column's first value as text.
func read(ctx context.Context, client *flightsql.Client, info *flight.FlightInfo) (rows int64, first string) {
	for _, endpoint := range info.Endpoint {
		reader, err := client.DoGet(ctx, endpoint.Ticket)
		check(err, "DoGet")
		for reader.Next() {
			batch := reader.RecordBatch()
			if rows == 0 && batch.NumRows() > 0 {
				first = batch.Column(0).ValueStr(0)
			}
			rows += batch.NumRows()
		}
		check(reader.Err(), "reading")
		reader.Release()
	}
	return rows, first
}

func low(address, user, password string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := flightsql.NewClient(address, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err, "NewClient")
	defer client.Close()
	if user != "" {
		ctx, err = client.Client.AuthenticateBasicToken(ctx, user, password)
		check(err, "AuthenticateBasicToken")
		fmt.Println("ok login")
	}

	info, err := client.Execute(ctx, "SELECT count(*) AS n FROM texts")
	check(err, "Execute")
	expect("one endpoint", len(info.Endpoint), 1)
	_, first := read(ctx, client, info)
	expect("count", first, "2000")

	// 20 MB of long texts through gRPC's default limit of 4 MiB a message.
	info, err = client.Execute(ctx, "SELECT text FROM texts")
	check(err, "Execute")
	rows, _ := read(ctx, client, info)
	expect("long texts", rows, int64(2000))

	info, err = client.GetCatalogs(ctx)
	check(err, "GetCatalogs")
	_, first = read(ctx, client, info)
	expect("catalogs", first, "awsdatacatalog")
	table, schema := "figures", "sales"
	info, err = client.GetTables(ctx, &flightsql.GetTablesOpts{TableNameFilterPattern: &table, DbSchemaFilterPattern: &schema, IncludeSchema: true})
	check(err, "GetTables")
	rows, _ = read(ctx, client, info)
	expect("tables", rows, int64(1))
	info, err = client.GetSqlInfo(ctx, []flightsql.SqlInfo{flightsql.SqlInfoFlightSqlServerName})
	check(err, "GetSqlInfo")
	rows, _ = read(ctx, client, info)
	expect("sql info", rows, int64(1))
	info, err = client.GetPrimaryKeys(ctx, flightsql.TableRef{Table: "types"})
	check(err, "GetPrimaryKeys")
	rows, _ = read(ctx, client, info)
	expect("primary keys", rows, int64(0))

	described, err := client.GetExecuteSchema(ctx, "SELECT 1 AS x")
	check(err, "GetExecuteSchema")
	decoded, err := flight.DeserializeSchema(described.GetSchema(), memory.DefaultAllocator)
	check(err, "DeserializeSchema")
	expect("schema", decoded.Field(0).Name, "x")

	poll, err := client.ExecutePoll(ctx, "SELECT 42 AS x", nil)
	check(err, "ExecutePoll")
	for poll.GetFlightDescriptor() != nil {
		poll, err = client.ExecutePoll(ctx, "", poll.GetFlightDescriptor())
		check(err, "ExecutePoll")
	}
	_, first = read(ctx, client, poll.GetInfo())
	expect("poll", first, "42")

	statement, err := client.Prepare(ctx, "SELECT CAST(? AS BIGINT) * 2 AS x")
	check(err, "Prepare")
	for _, value := range []int64{1, 21} {
		builder := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "0", Type: arrow.PrimitiveTypes.Int64}}, nil))
		builder.Field(0).(*array.Int64Builder).Append(value)
		statement.SetParameters(builder.NewRecordBatch())
		info, err = statement.Execute(ctx)
		check(err, "Execute prepared")
		_, first = read(ctx, client, info)
		expect("prepared", first, fmt.Sprint(value*2))
	}
	check(statement.Close(ctx), "Close prepared")

	changed, err := client.ExecuteUpdate(ctx, "CREATE DATABASE by_go")
	check(err, "ExecuteUpdate")
	expect("update", changed <= 0, true)
	_, err = client.ExecuteUpdate(ctx, "DROP DATABASE by_go")
	check(err, "ExecuteUpdate")

	info, err = client.Execute(ctx, "SELECT a.text, b.text FROM texts a CROSS JOIN texts b")
	check(err, "Execute")
	reader, err := client.DoGet(ctx, info.Endpoint[0].Ticket)
	check(err, "DoGet")
	expect("a batch", reader.Next(), true)
	result, err := client.CancelFlightInfo(ctx, &flight.CancelFlightInfoRequest{Info: info})
	check(err, "CancelFlightInfo")
	expect("cancel", result.Status, flight.CancelStatusCancelled)
	for reader.Next() {
	}
	expect("cancelled", status.Code(reader.Err()), codes.Canceled)
	reader.Release()

	_, err = client.Execute(ctx, "SELECT * FROM nowhere")
	expect("error", status.Code(err), codes.NotFound)

	set, err := client.SetSessionOptions(ctx, &flight.SetSessionOptionsRequest{SessionOptions: map[string]*flight.SessionOptionValue{}})
	check(err, "SetSessionOptions")
	expect("session options", len(set.GetErrors()), 0)
	_, err = client.CloseSession(ctx, &flight.CloseSessionRequest{})
	check(err, "CloseSession")
	fmt.Println("ok close session")
}

func databaseSQL(address, user, password string) {
	dsn := "flightsql://" + address + "?timeout=600s"
	if user != "" {
		dsn = "flightsql://" + user + ":" + password + "@" + address + "?timeout=600s"
	}
	db, err := sql.Open("flightsql", dsn)
	check(err, "sql.Open")
	defer db.Close()
	check(db.Ping(), "Ping")

	var count int64
	check(db.QueryRow("SELECT count(*) AS n FROM texts").Scan(&count), "QueryRow")
	expect("database/sql count", count, int64(2000))

	// Every type that the driver knows.
	rows, err := db.Query("SELECT bo, ti, si, i, bi, re, \"do\", st, va, da, ts FROM types ORDER BY i DESC")
	check(err, "Query")
	columns, err := rows.Columns()
	check(err, "Columns")
	expect("database/sql columns", strings.Join(columns, ","), "bo,ti,si,i,bi,re,do,st,va,da,ts")
	found := 0
	for rows.Next() {
		values := make([]any, len(columns))
		for n := range values {
			values[n] = new(any)
		}
		check(rows.Scan(values...), "Scan")
		found++
	}
	check(rows.Err(), "rows")
	check(rows.Close(), "Close")
	expect("database/sql types", found, 3)

	statement, err := db.Prepare("SELECT count(*) AS n FROM texts WHERE id < ? AND text <> ?")
	check(err, "Prepare")
	for _, bound := range []int64{3, 7} {
		check(statement.QueryRow(bound, "none").Scan(&count), "prepared QueryRow")
		expect("database/sql parameters", count, bound)
	}
	check(statement.Close(), "Close")
	// database/sql makes an int64 of every integer and a float64 of every float, whatever the column's width.
	for _, bound := range []struct {
		where string
		value any
		count int64
	}{
		{"i < CAST(? AS BIGINT)", 0, 1}, {"i < ?", 0, 1}, {"ti = ?", 127, 1}, {"ti = ?", 127 + 256, 0}, {"si < ?", int64(0), 1}, {"bi = ?", int64(1) << 62, 0},
		{"re = ?", 1.5, 1}, {"re = ?", float32(1.5), 1}, {"\"do\" = ?", 1e308, 1}, {"bo = ?", true, 1}, {"st = ?", "none", 0},
	} {
		check(db.QueryRow("SELECT count(*) AS n FROM types WHERE "+bound.where, bound.value).Scan(&count), "QueryRow with "+bound.where)
		expect("database/sql "+bound.where, count, bound.count)
	}

	_, err = db.Exec("CREATE DATABASE by_database_sql")
	check(err, "Exec")
	_, err = db.Exec("DROP DATABASE by_database_sql")
	check(err, "Exec")
	fmt.Println("ok database/sql exec")

	var id int64
	err = db.QueryRow("SELECT id FROM nowhere").Scan(&id)
	expect("database/sql error", err != nil && strings.Contains(err.Error(), `"default.nowhere" does not exist`), true)

	long := 0
	rows, err = db.Query("SELECT text FROM texts")
	check(err, "Query")
	for rows.Next() {
		var text string
		check(rows.Scan(&text), "Scan")
		long += len(text)
	}
	check(rows.Err(), "rows")
	expect("database/sql long texts", long, 20_000_000)
}
