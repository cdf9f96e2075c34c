package prices_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/aws"
	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
	"github.com/dewpoint-data/dewpoint/extract/gcp"
	"github.com/dewpoint-data/dewpoint/extract/gcp/gcpfake"
	"github.com/dewpoint-data/dewpoint/extract/prices"
)

// product is one as the Price List Query API writes it: JSON in a string.
func product(attributes map[string]string, tiers ...[4]string) string {
	dimensions := map[string]any{}
	for i, d := range tiers {
		dimensions[fmt.Sprint("SKU.TERM.", i)] = map[string]any{
			"unit": d[0], "beginRange": d[1], "endRange": "Inf", "pricePerUnit": map[string]string{d[2]: d[3]}, "appliesTo": []string{},
		}
	}
	b, err := json.Marshal(map[string]any{
		"product": map[string]any{"productFamily": attributes["productFamily"], "attributes": attributes, "sku": "SKU"}, "serviceCode": "x", "version": "1",
		"terms": map[string]any{"OnDemand": map[string]any{"SKU.TERM": map[string]any{
			"priceDimensions": dimensions, "effectiveDate": "2026-11-01T00:00:00Z", "offerTermCode": "TERM", "termAttributes": map[string]string{},
		}}},
	})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// awsList is what the fake sells, each with the filters' fields.
func awsList(region string) []string {
	with := func(more ...string) map[string]string {
		m := map[string]string{"regionCode": region}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	machine := func(system, licence string) map[string]string {
		return with("productFamily", "Compute Instance", "operatingSystem", system, "tenancy", "Shared", "preInstalledSw", "NA", "capacitystatus", "Used",
			"instanceType", "m5.large", "licenseModel", licence)
	}
	return []string{
		product(machine("Linux", "No License required"), [4]string{"Hrs", "0", "USD", "0.1150000000"}),
		product(machine("Windows", "No License required"), [4]string{"Hrs", "0", "USD", "0.2070000000"}),
		product(machine("Windows", "Bring your own license"), [4]string{"Hrs", "0", "USD", "0.1150000000"}),
		product(machine("RHEL", "No License required"), [4]string{"Hrs", "0", "USD", "0"}),
		product(machine("SUSE", "No License required"), [4]string{"Hrs", "0", "CNY", "1"}),
		product(with("productFamily", "Storage", "volumeApiName", "gp3"), [4]string{"GB-Mo", "0", "USD", "0.0952"}),
		product(with("productFamily", "System Operation", "group", "EBS IOPS", "volumeApiName", "io2"), [4]string{"IOPS-Mo", "0", "USD", "0.074"}, [4]string{"IOPS-Mo", "32000", "USD", "0.0518"}),
		product(with("productFamily", "Provisioned Throughput", "group", "EBS Throughput", "volumeApiName", "gp3"), [4]string{"GiBps-mo", "0", "USD", "48.64"}),
		product(with("productFamily", "NAT Gateway", "group", "NGW:NatGateway", "usagetype", "EUC1-NatGateway-Hours"), [4]string{"Hrs", "0", "USD", "0.052"}),
		product(with("productFamily", "NAT Gateway", "group", "NGW:NatGateway", "usagetype", "EUC1-NatGateway-Bytes"), [4]string{"GB", "0", "USD", "0.052"}),
		product(with("group", "VPCPublicIPv4Address", "usagetype", "EUC1-PublicIPv4:InUseAddress"), [4]string{"Hrs", "0", "USD", "0.005"}),
		product(with("productFamily", "Load Balancer-Network", "usagetype", "EUC1-LoadBalancerUsage"), [4]string{"Hrs", "0", "USD", "0.027"}),
		product(with("productFamily", "Load Balancer-Network", "usagetype", "EUC1-LCUUsage"), [4]string{"LCU-Hrs", "0", "USD", "0.006"}),
		product(with("productFamily", "Database Instance", "databaseEngine", "PostgreSQL", "deploymentOption", "Multi-AZ", "instanceType", "db.t3.medium",
			"licenseModel", "No license required"), [4]string{"Hrs", "0", "USD", "0.168"}),
		product(with("productFamily", "Database Instance", "databaseEngine", "PostgreSQL", "deploymentOption", "Multi-AZ (readable standbys)", "instanceType", "db.t3.medium",
			"licenseModel", "No license required"), [4]string{"Hrs", "0", "USD", "9"}),
		product(with("productFamily", "Database Storage", "databaseEngine", "Any", "deploymentOption", "Single-AZ", "volumeType", "General Purpose"), [4]string{"GB-Mo", "0", "USD", "0.137"}),
	}
}

// sell answers GetProducts by its filters, a product a page.
func sell(lists map[string][]string) awsfake.ListHandler {
	return func(r *awsfake.Request) (awsfake.List, error) {
		var l awsfake.List
		filters, _ := r.Input["Filters"].([]any)
	products:
		for _, text := range slices.Concat(slices.Collect(maps.Values(lists))...) {
			var doc struct {
				Product struct{ Attributes map[string]string }
			}
			if err := json.Unmarshal([]byte(text), &doc); err != nil {
				return l, err
			}
			for _, f := range filters {
				m := f.(map[string]any)
				if doc.Product.Attributes[m["Field"].(string)] != m["Value"] {
					continue products
				}
			}
			l.Items = append(l.Items, text)
		}
		return l, nil
	}
}

func TestAWS(t *testing.T) {
	s := awsfake.New(awsfake.Options{PageSize: 1})
	defer s.Close()
	s.HandleList(awsfake.Place{}, "pricing.GetProducts", sell(map[string][]string{"eu-central-1": awsList("eu-central-1"), "eu-west-1": awsList("eu-west-1")}))
	t.Setenv("AWS_ENDPOINT_URL", s.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA"+awsfake.DefaultAccount)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	client, err := aws.NewClient(t.Context(), aws.Options{Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	account, err := client.Account(t.Context(), aws.AccountConfig{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := prices.AWS(t.Context(), client, account, []string{"eu-central-1"})
	if err != nil {
		t.Fatal(err)
	}
	check(t, all, `aws,eu-central-1,address,public,,hour,0.005,2026-11-01,AWS Price List Query API
aws,eu-central-1,database,db.t3.medium,postgres multi-az,hour,0.168,2026-11-01,AWS Price List Query API
aws,eu-central-1,database_storage,gp2,,gb_month,0.137,2026-11-01,AWS Price List Query API
aws,eu-central-1,instance,m5.large,linux,hour,0.115,2026-11-01,AWS Price List Query API
aws,eu-central-1,instance,m5.large,windows,hour,0.207,2026-11-01,AWS Price List Query API
aws,eu-central-1,load_balancer,network,,hour,0.027,2026-11-01,AWS Price List Query API
aws,eu-central-1,nat_gateway,,,hour,0.052,2026-11-01,AWS Price List Query API
aws,eu-central-1,volume,gp3,,gb_month,0.0952,2026-11-01,AWS Price List Query API
aws,eu-central-1,volume_iops,io2,,iops_month,0.074,2026-11-01,AWS Price List Query API
aws,eu-central-1,volume_throughput,gp3,,mibps_month,0.0475,2026-11-01,AWS Price List Query API
`)
	for _, r := range s.Requests() {
		if r.Service == "pricing" && r.Region != "us-east-1" {
			t.Errorf("the price list is asked for in %s, where it is not", r.Region)
		}
	}

	s.Inject(awsfake.Fault{Kind: awsfake.Deny, Op: "pricing.GetProducts"})
	if _, err := prices.AWS(t.Context(), client, account, []string{"eu-central-1"}); err == nil || !strings.Contains(err.Error(), "prices of AmazonEC2 in eu-central-1") {
		t.Errorf("a refused list: %v", err)
	}
}

// check compares prices with the lines of a file, and that it can be read.
func check(t *testing.T, all []prices.Price, want string) {
	t.Helper()
	var b bytes.Buffer
	if err := prices.Write(&b, all); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimPrefix(b.String(), strings.Join(prices.Columns, ",")+"\n"); got != want {
		t.Errorf("the prices are\n%s\nwant\n%s", got, want)
	}
	back, err := prices.Read(&b, "prices.csv")
	if err != nil || len(back) != len(all) || len(all) > 0 && !reflect.DeepEqual(back[0], all[0]) {
		t.Errorf("read back: %v, %v", back, err)
	}
}

func sku(description, usage, unit string, regions []string, units string, nanos int) map[string]any {
	rates := []any{
		map[string]any{"startUsageAmount": 0, "unitPrice": map[string]any{"currencyCode": "USD", "units": "0", "nanos": 0}},
		map[string]any{"startUsageAmount": 1, "unitPrice": map[string]any{"currencyCode": "USD", "units": units, "nanos": nanos}},
	}
	return map[string]any{
		"name": "services/6F81-5844-456A/skus/" + strings.ReplaceAll(description, " ", "-"), "description": description,
		"category": map[string]any{"serviceDisplayName": "Compute Engine", "usageType": usage}, "serviceRegions": regions,
		"pricingInfo": []any{map[string]any{"effectiveTime": "2026-11-20T12:00:00.000Z", "pricingExpression": map[string]any{"usageUnit": unit, "tieredRates": rates}}},
	}
}

func TestGoogle(t *testing.T) {
	s := gcpfake.New(gcpfake.Options{PageSize: 2})
	defer s.Close()
	here := []string{"europe-west1"}
	s.Put("cloudbilling.v1", "v1/services/6F81-5844-456A/skus",
		sku("E2 Instance Core running in Belgium", "OnDemand", "h", here, "0", 23987000),
		sku("E2 Instance Ram running in Belgium", "OnDemand", "GiBy.h", here, "0", 3215000),
		sku("Spot Preemptible E2 Instance Core running in Belgium", "Preemptible", "h", here, "0", 7000000),
		sku("E2 Custom Instance Core running in Belgium", "OnDemand", "h", here, "0", 25000000),
		sku("N1 Predefined Instance Core running in EMEA", "OnDemand", "h", []string{"europe-west1", "europe-west4"}, "0", 34773000),
		sku("N2D AMD Instance Core running in Belgium", "OnDemand", "h", here, "0", 30254000),
		sku("Balanced PD Capacity in Belgium", "OnDemand", "GiBy.mo", here, "0", 100000000),
		sku("Regional Balanced PD Capacity in Belgium", "OnDemand", "GiBy.mo", here, "0", 200000000),
		sku("SSD backed PD Capacity", "OnDemand", "GiBy.mo", []string{"us-central1", "europe-west1"}, "1", 170000000),
		sku("External IP Charge on a Standard VM", "OnDemand", "h", here, "0", 5000000),
	)
	client, err := gcp.NewClient(t.Context(), gcp.Options{Credentials: gcp.CredentialsConfig{Anonymous: true}, Endpoints: map[string]string{"*": s.Endpoint("{service}")}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	all, err := prices.Google(t.Context(), client, here)
	if err != nil {
		t.Fatal(err)
	}
	check(t, all, `gcp,europe-west1,address,public,,hour,0.005,2026-11-20,Google Cloud Billing Catalog API
gcp,europe-west1,cores,e2,,hour,0.023987,2026-11-20,Google Cloud Billing Catalog API
gcp,europe-west1,cores,n1,,hour,0.034773,2026-11-20,Google Cloud Billing Catalog API
gcp,europe-west1,cores,n2d,,hour,0.030254,2026-11-20,Google Cloud Billing Catalog API
gcp,europe-west1,memory,e2,,hour,0.003215,2026-11-20,Google Cloud Billing Catalog API
gcp,europe-west1,volume,pd-balanced,,gb_month,0.1,2026-11-20,Google Cloud Billing Catalog API
gcp,europe-west1,volume,pd-ssd,,gb_month,1.17,2026-11-20,Google Cloud Billing Catalog API
`)
}

func TestOthersFilesAreRefused(t *testing.T) {
	head := strings.Join(prices.Columns, ",") + "\n"
	for text, want := range map[string]string{
		"a,b\n1,2\n": "wrong number of fields",
		"":           "is no file of prices",
		head + "aws,eu-west-1,instance,m5.large,linux,hour,cheap,2026-11-01,me\n": "line 2: price_usd",
		head + "aws,eu-west-1,instance,m5.large,linux,hour,1,yesterday,me\n":      "line 2: as_of",
	} {
		if _, err := prices.Read(strings.NewReader(text), "prices.csv"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
