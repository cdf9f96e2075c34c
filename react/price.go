package react

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// Price is what a type of a base costs in a region: an instance in an hour, a
// volume per GiB (2^30 bytes) in a month.
type Price struct {
	Cloud, Base, Region, Type string
	// Variant tells prices of one type apart: on-demand, spot, Windows.
	Variant string
	Price   float64
}

// LoadPrices reads a CSV file with the columns cloud, base, region, type,
// variant and price, in any order and with others beside; variant may be
// missing and is on-demand where it is empty.
func LoadPrices(path string) ([]Price, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the prices: %w", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	at := map[string]int{}
	for i, name := range header {
		at[strings.TrimSpace(strings.ToLower(name))] = i
	}
	for _, name := range []string{"cloud", "base", "region", "type", "price"} {
		if _, ok := at[name]; !ok {
			return nil, fmt.Errorf("%s lacks the column %s: it needs cloud, base, region, type, price", path, name)
		}
	}
	var out []Price
	seen := map[Price]bool{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		line, _ := r.FieldPos(0)
		p := Price{Cloud: row[at["cloud"]], Base: row[at["base"]], Region: row[at["region"]], Type: row[at["type"]], Variant: "on-demand"}
		if i, ok := at["variant"]; ok && row[i] != "" {
			p.Variant = row[i]
		}
		if p.Base != "instance" && p.Base != "volume" {
			return nil, fmt.Errorf("%s:%d: base is %q: take instance or volume", path, line, p.Base)
		}
		if seen[p] {
			return nil, fmt.Errorf("%s:%d: there is another price of %s %s in %s", path, line, p.Cloud, p.Type, p.Region)
		}
		seen[p] = true
		if p.Price, err = strconv.ParseFloat(row[at["price"]], 64); err != nil || !(p.Price >= 0 && p.Price < 1e9) {
			return nil, fmt.Errorf("%s:%d: %q is no price", path, line, row[at["price"]])
		}
		out = append(out, p)
	}
}

// priceTable is the prices as a table of SQL.
func priceTable(prices []Price) string {
	const columns = "cloud, base, region, type, variant, price"
	if len(prices) == 0 {
		return "(SELECT CAST(NULL AS VARCHAR) AS cloud, CAST(NULL AS VARCHAR) AS base, CAST(NULL AS VARCHAR) AS region, CAST(NULL AS VARCHAR) AS type, CAST(NULL AS VARCHAR) AS variant, 0.0 AS price WHERE 1 = 0)"
	}
	var b strings.Builder
	b.WriteString("(SELECT " + columns + " FROM (VALUES ")
	for i, p := range prices {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "(%s, %s, %s, %s, %s, CAST(%s AS DOUBLE PRECISION))", literal(p.Cloud), literal(p.Base), literal(p.Region), literal(p.Type), literal(p.Variant),
			strconv.FormatFloat(p.Price, 'f', -1, 64))
	}
	b.WriteString(") AS x(" + columns + "))")
	return b.String()
}
