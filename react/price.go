package react

import (
	"fmt"
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
