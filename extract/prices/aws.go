package prices

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/aws"
	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
)

// awsRegion is where the price list is asked for: it is in three regions, and
// tells of all, https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html.
const awsRegion = "us-east-1"

// awsQuery is a question to the price list of a service and what a product of
// its answer is.
type awsQuery struct {
	service string
	filters map[string]string
	// price says what a product is by its attributes; ok is false where it is
	// something else.
	price func(a map[string]string) (kind, item, variant string, ok bool)
	// units are those of the price list that are taken, as ours and the
	// factor between.
	units map[string]unit
}

type unit struct {
	name   string
	factor float64
}

var (
	hours    = map[string]unit{"Hrs": {"hour", 1}, "Hours": {"hour", 1}}
	gbMonths = map[string]unit{"GB-Mo": {"gb_month", 1}, "GB-month": {"gb_month", 1}}
)

// awsSystems are operating systems of instances by their name in the cost
// model.
var awsSystems = map[string]string{"Linux": "linux", "Windows": "windows", "RHEL": "rhel", "SUSE": "suse"}

// awsEngines are engines of RDS by what the price list calls them; those with
// editions have the edition behind.
var awsEngines = map[string]string{
	"PostgreSQL": "postgres", "MySQL": "mysql", "MariaDB": "mariadb", "Aurora MySQL": "aurora-mysql", "Aurora PostgreSQL": "aurora-postgresql",
	"Oracle Standard Two": "oracle-se2", "SQL Server Express": "sqlserver-ex", "SQL Server Web": "sqlserver-web",
	"SQL Server Standard": "sqlserver-se", "SQL Server Enterprise": "sqlserver-ee",
}

// awsStorage are types of storage of RDS.
var awsStorage = map[string]string{
	"General Purpose": "gp2", "General Purpose-GP3": "gp3", "Provisioned IOPS": "io1", "Provisioned IOPS-IO2": "io2", "Magnetic": "standard",
}

// awsBalancers are load balancers by their product family.
var awsBalancers = map[string]string{
	"Load Balancer": "classic", "Load Balancer-Application": "application", "Load Balancer-Network": "network", "Load Balancer-Gateway": "gateway",
}

func awsQueries() []awsQuery {
	var all []awsQuery
	for system := range awsSystems {
		all = append(all, awsQuery{
			service: "AmazonEC2", units: hours, price: instancePrice,
			filters: map[string]string{
				"productFamily": "Compute Instance", "operatingSystem": system, "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used",
			},
		})
	}
	all = append(all,
		awsQuery{"AmazonEC2", map[string]string{"productFamily": "Storage"}, func(a map[string]string) (string, string, string, bool) {
			return "volume", a["volumeApiName"], "", a["volumeApiName"] != ""
		}, gbMonths},
		awsQuery{"AmazonEC2", map[string]string{"productFamily": "System Operation", "group": "EBS IOPS"}, func(a map[string]string) (string, string, string, bool) {
			return "volume_iops", a["volumeApiName"], "", a["volumeApiName"] != ""
		}, map[string]unit{"IOPS-Mo": {"iops_month", 1}}},
		awsQuery{
			"AmazonEC2", map[string]string{"productFamily": "Provisioned Throughput", "group": "EBS Throughput"}, func(a map[string]string) (string, string, string, bool) {
				return "volume_throughput", a["volumeApiName"], "", a["volumeApiName"] != ""
			}, map[string]unit{"GiBps-mo": {"mibps_month", 1.0 / 1024}, "MiBps-mo": {"mibps_month", 1}},
		},
		awsQuery{"AmazonEC2", map[string]string{"productFamily": "NAT Gateway", "group": "NGW:NatGateway"}, func(a map[string]string) (string, string, string, bool) {
			return "nat_gateway", "", "", strings.HasSuffix(a["usagetype"], "NatGateway-Hours")
		}, hours},
		awsQuery{"AmazonVPC", map[string]string{"group": "VPCPublicIPv4Address"}, func(a map[string]string) (string, string, string, bool) {
			return "address", "public", "", strings.HasSuffix(a["usagetype"], "PublicIPv4:InUseAddress")
		}, hours},
		awsQuery{"AmazonRDS", map[string]string{"productFamily": "Database Instance"}, databasePrice, hours},
		awsQuery{"AmazonRDS", map[string]string{"productFamily": "Database Storage"}, storagePrice, gbMonths},
	)
	for family, kind := range awsBalancers {
		all = append(all, awsQuery{"AWSELB", map[string]string{"productFamily": family}, func(a map[string]string) (string, string, string, bool) {
			return "load_balancer", kind, "", strings.HasSuffix(a["usagetype"], "LoadBalancerUsage")
		}, hours})
	}
	return all
}

func instancePrice(a map[string]string) (kind, item, variant string, ok bool) {
	// With the licence, where there is one; Windows of one's own costs what Linux does.
	return "instance", a["instanceType"], awsSystems[a["operatingSystem"]], a["licenseModel"] == "No License required"
}

func databasePrice(a map[string]string) (kind, item, variant string, ok bool) {
	variant, ok = awsEngines[strings.TrimSpace(a["databaseEngine"]+" "+a["databaseEdition"])]
	switch a["deploymentOption"] {
	case "Single-AZ":
	case "Multi-AZ":
		variant += " multi-az"
	default: // several standby instances, mirrors
		ok = false
	}
	return "database", a["instanceType"], variant, ok && a["licenseModel"] != "Bring your own license"
}

func storagePrice(a map[string]string) (kind, item, variant string, ok bool) {
	item, ok = awsStorage[a["volumeType"]]
	switch a["deploymentOption"] {
	case "Single-AZ":
	case "Multi-AZ":
		variant = "multi-az"
	default:
		ok = false
	}
	return "database_storage", item, variant, ok && (a["databaseEngine"] == "Any" || a["databaseEngine"] == "PostgreSQL")
}

// AWS asks the Price List Query API for the prices of regions. It needs the
// permission pricing:GetProducts.
func AWS(ctx context.Context, client *aws.Client, account *aws.Account, regions []string) ([]Price, error) {
	svc, err := awsapi.Lookup("pricing")
	if err != nil {
		return nil, err
	}
	var all []Price
	for _, region := range regions {
		for _, q := range awsQueries() {
			var filters []any
			for field, value := range q.filters {
				filters = append(filters, map[string]any{"Type": "TERM_MATCH", "Field": field, "Value": value})
			}
			filters = append(filters, map[string]any{"Type": "TERM_MATCH", "Field": "regionCode", "Value": region})
			input := map[string]any{"ServiceCode": q.service, "Filters": filters, "FormatVersion": "aws_v1", "MaxResults": 100}
			for {
				var page struct {
					PriceList []string
					NextToken string
				}
				resp, err := client.Do(ctx, aws.Request{Account: account, Region: awsRegion, Service: svc, Op: svc.Operations["GetProducts"], Input: input})
				if err != nil {
					return nil, fmt.Errorf("prices of %s in %s: %w", q.service, region, err)
				}
				err = json.Unmarshal(resp.Body, &page)
				resp.Release()
				if err != nil {
					return nil, fmt.Errorf("prices of %s in %s: %w", q.service, region, err)
				}
				for _, text := range page.PriceList {
					p, ok, err := q.product(text, region)
					if err != nil {
						return nil, fmt.Errorf("prices of %s in %s: %w", q.service, region, err)
					}
					if ok {
						all = append(all, p)
					}
				}
				if page.NextToken == "" {
					break
				}
				input["NextToken"] = page.NextToken
			}
		}
	}
	return Sort(all), nil
}

// awsProduct is a product of the price list: a JSON document in a string,
// https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/reading-service-price-list-file-for-services.html.
type awsProduct struct {
	Product struct{ Attributes map[string]string }
	Terms   struct {
		OnDemand map[string]struct {
			EffectiveDate   time.Time
			PriceDimensions map[string]struct {
				Unit         string
				BeginRange   string
				PricePerUnit map[string]string
			}
		}
	}
}

// product reads the price of a product. One of several tiers is the first.
func (q *awsQuery) product(text, region string) (p Price, ok bool, err error) {
	var doc awsProduct
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return p, false, fmt.Errorf("a product: %w", err)
	}
	p = Price{Cloud: "aws", Region: region, Source: "AWS Price List Query API"}
	if p.Kind, p.Item, p.Variant, ok = q.price(doc.Product.Attributes); !ok || doc.Product.Attributes["regionCode"] != region {
		return p, false, nil
	}
	found := false
	for _, term := range doc.Terms.OnDemand {
		for _, d := range term.PriceDimensions {
			u, known := q.units[d.Unit]
			usd, priced := d.PricePerUnit["USD"]
			if !known || !priced || d.BeginRange != "" && d.BeginRange != "0" {
				continue
			}
			v, err := strconv.ParseFloat(usd, 64)
			if err != nil {
				return p, false, fmt.Errorf("the price of %s %s: %w", p.Kind, p.Item, err)
			}
			if v == 0 || found && !term.EffectiveDate.After(p.AsOf) {
				continue // reserved capacity has products without a price
			}
			p.USD, p.Unit, p.AsOf, found = v*u.factor, u.name, term.EffectiveDate.UTC().Truncate(24*time.Hour), true
		}
	}
	return p, found, nil
}
