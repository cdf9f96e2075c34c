package react

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Price is what a type of a base costs in a region: an instance in an hour, a
// volume per GiB (2^30 bytes) in a month.
type Price struct {
	Cloud, Base, Region, Type string
	// Variant tells prices of one type apart: on-demand, or what AWS calls the
	// platform, such as Windows.
	Variant string
	Price   float64
}

// priceTable is the prices as a table of SQL: all, those of a base, or of a base
// and a variant. Postgres knows of such a table how many rows it has, and joins
// it by hash. Behind conditions on its columns it expects a single row, and reads
// what that is joined to once for every price.
func priceTable(prices []Price, of ...string) string {
	prices = slices.DeleteFunc(slices.Clone(prices), func(p Price) bool {
		return len(of) > 0 && p.Base != of[0] || len(of) > 1 && p.Variant != of[1]
	})
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
