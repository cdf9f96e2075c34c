package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/workflow"
)

func (a *app) pricesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "prices",
		Short:   "Read list prices, of which costs are estimated",
		GroupID: "setup",
	}
	cmd.AddCommand(a.pricesRefreshCommand())
	return cmd
}

func (a *app) pricesRefreshCommand() *cobra.Command {
	var regions []string
	var file, profile string
	cmd := &cobra.Command{
		Use:   "refresh",
		Short: "Ask the vendors' price lists and write a file of prices",
		Long: `Asks AWS's Price List Query API and Google's Cloud Billing Catalog for prices on
demand in US dollars: of instances by operating system, volumes, databases, load
balancers, addresses and NAT gateways in AWS, of cores, memory, disks and
addresses in Google Cloud. They go to a CSV file with the day from which each
holds and who said so; what the file has of other regions stays.

prices: in the configuration names the file; dewpoint transform estimates the
costs with it. AWS wants the permission pricing:GetProducts, Google a caller.`,
		Example: `  dewpoint prices refresh --region eu-central-1 --region us-east-1
  dewpoint prices refresh --region europe-west1 --file prices.csv`,
		Args: exactly(0, "no argument"),
		RunE: func(*cobra.Command, []string) error {
			c, err := a.loadConfig()
			if err != nil {
				return err
			}
			aws, google, err := workflow.PriceRegions(c, regions)
			if err != nil {
				return usagef("%w", err)
			}
			path := cmp.Or(file, c.Prices, "prices.csv")
			ctx, cancel := interruptible()
			defer cancel()
			n, err := workflow.RefreshPrices(ctx, c, workflow.SourceOptions{Profile: profile, Version: version}, aws, google, path)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.out.Out, "%d prices in %s\n", n, path)
			if c.Prices == "" {
				fmt.Fprintf(a.out.Out, "\nNext: add to the configuration\n  prices: %s\n", path)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&regions, "region", nil, "read the prices of this `region`; may be repeated (default those that the configuration names for AWS)")
	f.StringVar(&file, "file", "", "write to this `path` (default prices of the configuration, or prices.csv)")
	f.StringVar(&profile, "profile", "", "the `name` of the AWS profile")
	return cmd
}
