package transform

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/dewpoint-data/dewpoint/extract/prices"
)

// Option changes how models are built.
type Option func(*options)

type options struct{ prices string }

// WithPrices adds the prices of a CSV file to the bundled ones; of two for the
// same the newer counts. An empty path adds none.
func WithPrices(path string) Option { return func(o *options) { o.prices = path } }

func chosen(all []Option) (o options) {
	for _, f := range all {
		f(&o)
	}
	return o
}

// priceSeed is the seed of the dbt project that the costs are made of.
const priceSeed = "prices"

// readPrices reads a file of prices, its head first.
func readPrices(path string) ([][]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("prices: there is no file %s: run dewpoint prices refresh, or take prices: out of the configuration", path)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("prices: %s: %w", path, err)
	}
	if len(rows) == 0 || !slices.Equal(rows[0], prices.Columns) {
		return nil, fmt.Errorf("prices: the first line of %s has to be %v", path, prices.Columns)
	}
	return rows, nil
}

// addPrices appends the prices of a file to a seed.
func addPrices(seed, path string) (err error) {
	rows, err := readPrices(path)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(seed, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return csv.NewWriter(f).WriteAll(rows[1:])
}
