// Package prices reads list prices from the vendors' price APIs through the
// generic clients: what the cost model of the dbt project multiplies with what
// there is. Prices are on demand, in US dollars, without tax, discounts and
// commitments. What the vendors' answers do not say plainly is no price here:
// the cost model counts what it has no price of.
package prices

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"
)

// Price is what one unit of something costs in a region.
type Price struct {
	Cloud, Region string
	// Kind is what the price is of: instance, cores, memory, volume,
	// volume_iops, volume_throughput, database, database_storage,
	// load_balancer, address or nat_gateway.
	Kind string
	// Item is the vendor's name of it, such as m5.large or gp3; may be empty.
	Item string
	// Variant tells prices of one item apart: an operating system, an engine
	// of a database; may be empty.
	Variant string
	// Unit is hour, gb_month, iops_month or mibps_month.
	Unit string
	USD  float64
	// AsOf is the day from which the vendor says that the price holds.
	AsOf time.Time
	// Source says who said so.
	Source string
}

// Columns are those of the file of prices, which is the seed of the dbt
// project.
var Columns = []string{"cloud", "region", "item_kind", "item", "variant", "unit", "price_usd", "as_of", "source"}

func (p Price) key() [6]string {
	return [6]string{p.Cloud, p.Region, p.Kind, p.Item, p.Variant, p.Unit}
}

// Sort puts prices in order and leaves one of each: of several the newest, of
// those the least.
func Sort(all []Price) []Price {
	slices.SortFunc(all, func(a, b Price) int {
		ka, kb := a.key(), b.key()
		return cmp.Or(slices.Compare(ka[:], kb[:]), b.AsOf.Compare(a.AsOf), cmp.Compare(a.USD, b.USD))
	})
	return slices.CompactFunc(all, func(a, b Price) bool { return a.key() == b.key() })
}

// Write writes prices as a CSV file with a head.
func Write(w io.Writer, all []Price) error {
	out := csv.NewWriter(w)
	if err := out.Write(Columns); err != nil {
		return err
	}
	for _, p := range all {
		err := out.Write([]string{
			p.Cloud, p.Region, p.Kind, p.Item, p.Variant, p.Unit, strconv.FormatFloat(p.USD, 'f', -1, 64), p.AsOf.UTC().Format(time.DateOnly), p.Source,
		})
		if err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// Read reads a file that Write has written, or one in its shape. name is for
// errors.
func Read(r io.Reader, name string) ([]Price, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = len(Columns)
	rows, err := in.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(rows) == 0 || !slices.Equal(rows[0], Columns) {
		return nil, fmt.Errorf("%s is no file of prices: its first line has to be %v", name, Columns)
	}
	var all []Price
	for i, f := range rows[1:] {
		p := Price{Cloud: f[0], Region: f[1], Kind: f[2], Item: f[3], Variant: f[4], Unit: f[5], Source: f[8]}
		if p.USD, err = strconv.ParseFloat(f[6], 64); err != nil {
			return nil, fmt.Errorf("%s: line %d: price_usd: %w", name, i+2, err)
		}
		if p.AsOf, err = time.Parse(time.DateOnly, f[7]); err != nil {
			return nil, fmt.Errorf("%s: line %d: as_of: %w", name, i+2, err)
		}
		all = append(all, p)
	}
	return all, nil
}
