package prices

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/gcp"
	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
)

// computeEngine is the service of machines, disks and addresses in the
// catalogue of Cloud Billing.
const computeEngine = "services/6F81-5844-456A"

// googleSKU is what the price list sells,
// https://cloud.google.com/billing/docs/reference/rest/v1/services.skus/list.
type googleSKU struct {
	Description string
	Category    struct{ UsageType string }
	Regions     []string `json:"serviceRegions"`
	Pricing     []struct {
		EffectiveTime time.Time
		Expression    struct {
			UsageUnit string
			Rates     []struct {
				Start float64 `json:"startUsageAmount"`
				Price struct {
					CurrencyCode string
					Units        json.Number
					Nanos        int64
				} `json:"unitPrice"`
			} `json:"tieredRates"`
		} `json:"pricingExpression"`
	} `json:"pricingInfo"`
}

var (
	machine = regexp.MustCompile(`^([A-Z][0-9]+[A-Z]?)(?: Predefined| AMD| Arm)? Instance (Core|Ram) running in `)
	disk    = regexp.MustCompile(`^(Storage|SSD backed|Balanced|Extreme) PD Capacity(?: in .*)?$`)
	address = regexp.MustCompile(`^External IP Charge on a Standard VM(?: in .*)?$`)

	googleDisks = map[string]string{"Storage": "pd-standard", "SSD backed": "pd-ssd", "Balanced": "pd-balanced", "Extreme": "pd-extreme"}
	googleUnits = map[string]string{"h": "hour", "GiBy.h": "hour", "GiBy.mo": "gb_month"}
)

// what says what a SKU is of, by its description.
func (s *googleSKU) what() (kind, item string, ok bool) {
	if m := machine.FindStringSubmatch(s.Description); m != nil {
		return map[string]string{"Core": "cores", "Ram": "memory"}[m[2]], strings.ToLower(m[1]), true
	}
	if m := disk.FindStringSubmatch(s.Description); m != nil {
		return "volume", googleDisks[m[1]], true
	}
	return "address", "public", address.MatchString(s.Description)
}

// Google asks the catalogue of Cloud Billing for the prices of regions. It
// needs no permission, but a caller.
func Google(ctx context.Context, client *gcp.Client, regions []string) ([]Price, error) {
	svc, err := gcpapi.Lookup("cloudbilling.v1")
	if err != nil {
		return nil, err
	}
	op := svc.Operations["services.skus.list"]
	if op == nil {
		return nil, fmt.Errorf("cloudbilling.v1 has no services.skus.list")
	}
	input := map[string]any{"parent": computeEngine, "currencyCode": "USD", "pageSize": 5000}
	var all []Price
	for {
		var page struct {
			SKUs          []googleSKU
			NextPageToken string
		}
		resp, err := client.Do(ctx, gcp.Request{Service: svc, Op: op, Input: input})
		if err != nil {
			return nil, fmt.Errorf("prices of Compute Engine: %w", err)
		}
		err = json.Unmarshal(resp.Body, &page)
		resp.Release()
		if err != nil {
			return nil, fmt.Errorf("prices of Compute Engine: %w", err)
		}
		for i := range page.SKUs {
			p, ok, err := page.SKUs[i].price()
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			for _, r := range page.SKUs[i].Regions {
				if slices.Contains(regions, r) {
					p.Region = r
					all = append(all, p)
				}
			}
		}
		if page.NextPageToken == "" {
			return Sort(all), nil
		}
		input["pageToken"] = page.NextPageToken
	}
}

// price reads the newest price of a SKU on demand; of several tiers the first
// that costs.
func (s *googleSKU) price() (p Price, ok bool, err error) {
	p = Price{Cloud: "gcp", Source: "Google Cloud Billing Catalog API"}
	if p.Kind, p.Item, ok = s.what(); !ok || s.Category.UsageType != "OnDemand" {
		return p, false, nil
	}
	ok = false
	for _, info := range s.Pricing {
		unit, known := googleUnits[info.Expression.UsageUnit]
		if !known || ok && !info.EffectiveTime.After(p.AsOf) {
			continue
		}
		for _, r := range info.Expression.Rates {
			units := 0.0
			if r.Price.Units != "" {
				if units, err = strconv.ParseFloat(r.Price.Units.String(), 64); err != nil {
					return p, false, fmt.Errorf("the price of %s: %w", s.Description, err)
				}
			}
			if usd := units + float64(r.Price.Nanos)/1e9; usd > 0 && r.Price.CurrencyCode == "USD" {
				p.USD, p.Unit, p.AsOf, ok = usd, unit, info.EffectiveTime.UTC().Truncate(24*time.Hour), true
				break
			}
		}
	}
	return p, ok, nil
}
