package workflow_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
	"github.com/dewpoint-data/dewpoint/extract/gcp/gcpfake"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// TestRefreshPrices holds that a file of prices gets what the vendors sell in
// the regions that are named and keeps what it has of others.
func TestRefreshPrices(t *testing.T) {
	s := awsfake.New(awsfake.Options{})
	defer s.Close()
	s.HandleList(awsfake.Place{}, "pricing.GetProducts", func(r *awsfake.Request) (l awsfake.List, err error) {
		text, err := json.Marshal(r.Input)
		if strings.Contains(string(text), "NAT Gateway") && strings.Contains(string(text), "eu-central-1") {
			l.Items = []any{`{"product":{"attributes":{"regionCode":"eu-central-1","usagetype":"EUC1-NatGateway-Hours"}},"terms":{"OnDemand":{"T":{
				"effectiveDate":"2026-11-01T00:00:00Z","priceDimensions":{"D":{"unit":"Hrs","beginRange":"0","pricePerUnit":{"USD":"0.052"}}}}}}}`}
		}
		return l, err
	})
	g := gcpfake.New(gcpfake.Options{})
	defer g.Close()
	g.Put("cloudbilling.v1", "v1/services/6F81-5844-456A/skus", map[string]any{
		"description": "E2 Instance Core running in Belgium", "category": map[string]any{"usageType": "OnDemand"}, "serviceRegions": []string{"europe-west1"},
		"pricingInfo": []any{map[string]any{"effectiveTime": "2026-11-20T12:00:00Z", "pricingExpression": map[string]any{
			"usageUnit": "h", "tieredRates": []any{map[string]any{"unitPrice": map[string]any{"currencyCode": "USD", "units": "0", "nanos": 24000000}}},
		}}},
	})
	t.Setenv("AWS_ENDPOINT_URL", s.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA"+awsfake.DefaultAccount)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	path := filepath.Join(t.TempDir(), "prices.csv")
	head := "cloud,region,item_kind,item,variant,unit,price_usd,as_of,source\n"
	other := "aws,eu-west-1,nat_gateway,,,hour,0.048,2026-10-01,a friend\n"
	if err := os.WriteFile(path, []byte(head+"aws,eu-central-1,nat_gateway,,,hour,9,2027-01-01,a foe\n"+other), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &workflow.Config{}
	c.GCP.Anonymous, c.GCP.Endpoints = true, map[string]string{"*": g.Endpoint("{service}")}
	aws, google, err := workflow.PriceRegions(c, []string{"eu-central-1", "europe-west1"})
	if err != nil {
		t.Fatal(err)
	}
	n, err := workflow.RefreshPrices(t.Context(), c, workflow.SourceOptions{}, aws, google, path)
	if err != nil || n != 2 {
		t.Fatalf("%d prices, %v", n, err)
	}
	want := head + "aws,eu-central-1,nat_gateway,,,hour,0.052,2026-11-01,AWS Price List Query API\n" + other +
		"gcp,europe-west1,cores,e2,,hour,0.024,2026-11-20,Google Cloud Billing Catalog API\n"
	have, err := os.ReadFile(path)
	if err != nil || string(have) != want {
		t.Errorf("the file is\n%s\nwant\n%s", have, want)
	}
	// A region that nobody sells in is a mistake, not a region without prices.
	if _, err := workflow.RefreshPrices(t.Context(), c, workflow.SourceOptions{}, []string{"eu-nowhere-1"}, nil, path); err == nil || !strings.Contains(err.Error(), "has nothing of eu-nowhere-1") {
		t.Errorf("an unknown region: %v", err)
	}
	if after, _ := os.ReadFile(path); string(after) != want {
		t.Error("a failed refresh changed the file")
	}
}

func TestPriceRegions(t *testing.T) {
	c := &workflow.Config{}
	if _, _, err := workflow.PriceRegions(c, nil); err == nil || !strings.Contains(err.Error(), "--region") {
		t.Errorf("no region: %v", err)
	}
	if _, _, err := workflow.PriceRegions(c, []string{"europe"}); err == nil || !strings.Contains(err.Error(), "neither") {
		t.Errorf("no name of a region: %v", err)
	}
	c.AWS.Regions = []string{"us-gov-west-1", "eu-*"}
	if aws, google, err := workflow.PriceRegions(c, nil); err != nil || len(aws) != 1 || aws[0] != "us-gov-west-1" || google != nil {
		t.Errorf("the configuration's: %v, %v, %v", aws, google, err)
	}
}
