package workflow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/dbt"
	"github.com/dewpoint-data/dewpoint/extract/aws"
	"github.com/dewpoint-data/dewpoint/extract/gcp"
	"github.com/dewpoint-data/dewpoint/extract/prices"
	"github.com/dewpoint-data/dewpoint/react"
)

var (
	awsRegion    = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]+$`)
	googleRegion = regexp.MustCompile(`^[a-z]+-[a-z]+[0-9]+$`)
)

// PriceRegions are the regions whose prices are asked for: those given, or the
// ones of AWS that the configuration names.
func PriceRegions(c *Config, given []string) (awsRegions, googleRegions []string, err error) {
	if len(given) == 0 {
		for _, r := range c.AWS.Regions {
			if awsRegion.MatchString(r) {
				given = append(given, r)
			}
		}
	}
	if len(given) == 0 {
		return nil, nil, errors.New("which prices? name regions, as --region eu-central-1 --region europe-west1")
	}
	for _, r := range given {
		switch {
		case awsRegion.MatchString(r):
			awsRegions = append(awsRegions, r)
		case googleRegion.MatchString(r):
			googleRegions = append(googleRegions, r)
		default:
			return nil, nil, fmt.Errorf("%q is neither a region of AWS (eu-central-1) nor one of Google Cloud (europe-west1)", r)
		}
	}
	return awsRegions, googleRegions, nil
}

// RefreshPrices asks the vendors' price APIs for the prices of regions and
// writes them to a file. What the file has of other regions stays.
func RefreshPrices(ctx context.Context, c *Config, o SourceOptions, awsRegions, googleRegions []string, path string) (read int, err error) {
	var all []prices.Price
	old, err := os.Open(path)
	switch {
	case err == nil:
		all, err = prices.Read(old, path)
		if err = errors.Join(err, old.Close()); err != nil {
			return 0, err
		}
	case !errors.Is(err, os.ErrNotExist):
		return 0, err
	}
	in := &opening{c: c, o: o}
	for _, cloud := range []struct {
		name    string
		regions []string
		ask     func() ([]prices.Price, error)
	}{
		{"aws", awsRegions, func() ([]prices.Price, error) { return in.awsPrices(ctx, awsRegions) }},
		{"gcp", googleRegions, func() ([]prices.Price, error) { return in.googlePrices(ctx, googleRegions) }},
	} {
		if len(cloud.regions) == 0 {
			continue
		}
		fresh, err := cloud.ask()
		if err != nil {
			return 0, err
		}
		for _, r := range cloud.regions {
			if !slices.ContainsFunc(fresh, func(p prices.Price) bool { return p.Region == r }) {
				return 0, fmt.Errorf("the price list has nothing of %s: is that the name of a region?", r)
			}
		}
		all = slices.DeleteFunc(all, func(p prices.Price) bool { return p.Cloud == cloud.name && slices.Contains(cloud.regions, p.Region) })
		all = append(all, fresh...)
		read += len(fresh)
	}
	var b strings.Builder
	if err := prices.Write(&b, prices.Sort(all)); err != nil {
		return 0, err
	}
	// Whole or not at all: what was there stays where the disk is full.
	if err := os.WriteFile(path+".part", []byte(b.String()), 0o644); err != nil {
		return 0, errors.Join(err, os.Remove(path+".part"))
	}
	return read, os.Rename(path+".part", path)
}

func (in *opening) awsPrices(ctx context.Context, regions []string) ([]prices.Price, error) {
	client, err := aws.NewClient(ctx, aws.Options{Profile: in.o.Profile, Region: "us-east-1", UserAgent: in.userAgent()})
	if err != nil {
		return nil, &ConfigError{err}
	}
	defer client.Close()
	// Prices are the same for all: the first account will do.
	var who aws.AccountConfig
	if all := accounts(in.c, in.o); len(all) > 0 {
		who = all[0]
	}
	account, err := client.Account(ctx, who)
	if err != nil {
		return nil, err
	}
	return prices.AWS(ctx, client, account, regions)
}

func (in *opening) googlePrices(ctx context.Context, regions []string) ([]prices.Price, error) {
	g := &in.c.GCP
	client, err := gcp.NewClient(ctx, gcp.Options{
		Credentials:  gcp.CredentialsConfig{File: g.Credentials, Impersonate: g.Impersonate, Anonymous: g.Anonymous},
		QuotaProject: g.QuotaProject, Universe: g.Universe, Endpoints: g.Endpoints, UserAgent: in.userAgent(),
	})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return prices.Google(ctx, client, regions)
}

// platforms are the variants of instances' prices by what AWS calls the
// platform; that of Linux is the plain one.
var platforms = map[string]string{"": "on-demand", "linux": "on-demand", "windows": "Windows", "rhel": "Red Hat Enterprise Linux", "suse": "SUSE Linux"}

// knownPrices are the bundled prices of instances and volumes and those of a
// file, if one is named; of two for the same the newer counts.
func knownPrices(path string) ([]react.Price, error) {
	type source struct {
		fs.FS
		name string
	}
	all := []source{{dbt.Project(), "seeds/prices.csv"}}
	if path != "" {
		dir, name := filepath.Split(path)
		all = append(all, source{os.DirFS(cmp.Or(dir, ".")), name})
	}
	at := map[react.Price]int{}
	var asOf []time.Time
	var out []react.Price
	for _, s := range all {
		f, err := s.Open(s.name)
		if err != nil {
			return nil, err
		}
		list, err := prices.Read(f, s.name)
		f.Close()
		if err != nil {
			return nil, err
		}
		for _, p := range list {
			q := react.Price{Cloud: p.Cloud, Base: p.Kind, Region: p.Region, Type: p.Item}
			switch {
			case p.Kind == "instance" && p.Unit == "hour" && platforms[p.Variant] != "":
				q.Variant = platforms[p.Variant]
			case p.Kind != "volume" || p.Unit != "gb_month":
				continue
			}
			i, ok := at[q]
			if !ok {
				i = len(out)
				at[q], out, asOf = i, append(out, q), append(asOf, time.Time{})
			}
			if !p.AsOf.Before(asOf[i]) {
				out[i].Price, asOf[i] = p.USD, p.AsOf
			}
		}
	}
	return out, nil
}
